internal import COpenSSL
internal import Shared

/// What all TLS connections to upstreams share: whom to trust, which versions, and the last session of each host.
///
/// TLS 1.2 or newer, certificates and host names verified against the system's trust store (SSL_CERT_FILE and
/// SSL_CERT_DIR are OpenSSL's own and honoured), or the authorities that the configuration names.
@safe @Loop final class TLSContext {
    private nonisolated(unsafe) let context: OpaquePointer
    private let verifies: Bool
    /// For resumption: a full handshake costs ten times as much. SSL_SESSION, owned.
    private nonisolated(unsafe) var sessions: [String: OpaquePointer] = unsafe [:]
    /// BIO_METHOD; made once for the process, so never freed.
    private static nonisolated(unsafe) let socketMethod: OpaquePointer? = unsafe copenssl_make_socket_method()
    /// The system's trust store, as far as it has not been read. BIO, owned.
    private nonisolated(unsafe) var unread: OpaquePointer?

    /// Trusts nobody of the system's trust store yet: `trustMore` reads it.
    init(_ settings: TLSSettings) throws(StreamFailure) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else { throw .layer(TLSStream.lastError()) }
        unsafe self.context = context
        verifies = settings.verification != .off
        unsafe _ = copenssl_set_min_tls12(context)
        unsafe _ = copenssl_set_modes(context)
        unsafe copenssl_set_read_ahead(context)
        unsafe _ = copenssl_keep_client_sessions(context)
        unsafe SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        // http/1.1 and nothing else; RFC 7301.
        let protocols: [UInt8] = [8] + Array("http/1.1".utf8)
        unsafe _ = SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count))
        switch settings.verification {
        case .off: break
        case .system:
            // A directory of certificates is searched when one of them is needed.
            guard unsafe SSL_CTX_set_default_verify_dir(context) == 1 else { throw .layer(TLSStream.lastError()) }
            if let named = CurrentProcess.environment()["SSL_CERT_FILE"] {
                unsafe unread = BIO_new_file(named, "r")
            } else {
                unsafe unread = BIO_new_file(X509_get_default_cert_file(), "r")
            }
            // There need not be such a file.
            ERR_clear_error()
        case .authorities(let text): try trust(text)
        }
    }

    deinit {
        unsafe sessions.values.forEach { unsafe SSL_SESSION_free($0) }
        unsafe _ = BIO_free(unread)
        unsafe SSL_CTX_free(context)
    }

    /// Trusts one more certificate of the system's trust store, which has a hundred and more: to read all of them takes
    /// tens of milliseconds. False when there is none left.
    func trustMore() -> Bool {
        guard let source = unsafe unread else { return false }
        guard let certificate = unsafe PEM_read_bio_X509_AUX(source, nil, nil, nil) else {
            unsafe _ = BIO_free(source)
            unsafe unread = nil
            ERR_clear_error()
            return false
        }
        unsafe _ = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate)
        unsafe X509_free(certificate)
        return true
    }

    /// Trusts the certificates of a PEM text, and no others.
    private func trust(_ text: String) throws(StreamFailure) {
        let bytes = Array(text.utf8)
        let store = unsafe SSL_CTX_get_cert_store(context)
        // The source reads where the bytes lie, so it has to be done within the closure that lends them.
        let count = unsafe bytes.withUnsafeBytes { bytes -> Int in
            guard let source = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return 0 }
            defer { unsafe _ = BIO_free(source) }
            var count = 0
            while let certificate = unsafe PEM_read_bio_X509(source, nil, nil, nil) {
                if unsafe X509_STORE_add_cert(store, certificate) == 1 { count += 1 }
                unsafe X509_free(certificate)
            }
            return count
        }
        ERR_clear_error()
        guard count > 0 else { throw .layer("no certificate in the file of ssl_verify") }
    }

    /// Encrypts a connected stream to `host`, whose certificate has to be valid for that name.
    func handshake(
        on stream: ByteStream, host: String, until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(StreamFailure) {
        guard let ssl = unsafe SSL_new(context) else { throw .layer(TLSStream.lastError()) }
        let isAddress = SocketAddress(host: host, port: 0) != nil
        if verifies {
            let parameters = unsafe SSL_get0_param(ssl)
            if isAddress {
                unsafe _ = X509_VERIFY_PARAM_set1_ip_asc(parameters, host)
            } else {
                unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
                unsafe _ = X509_VERIFY_PARAM_set1_host(parameters, host, host.utf8.count)
            }
        }
        // RFC 6066 §3: a server name is a name, never an address.
        if !isAddress { unsafe _ = copenssl_set_host_name(ssl, host) }
        if let session = unsafe sessions[host] { unsafe _ = SSL_set_session(ssl, session) }
        let layer = unsafe TLSStream(ssl, keepingSessionIn: self, host: host)
        guard let method = unsafe Self.socketMethod, unsafe copenssl_set_socket(ssl, method, stream.number) == 1 else {
            throw .layer(TLSStream.lastError())
        }
        unsafe SSL_set_connect_state(ssl)
        try await layer.handshake(stream.readiness, until: deadline, cancelledBy: cancellation)
        stream.layer = layer
        // What came with the end of the handshake raises no edge of its own.
        stream.readiness.isReadable = true
    }

    /// Keeps the session of a connection that is done with its tickets: TLS 1.3 sends them after the handshake.
    /// False when there is none to keep yet.
    func keepSession(of ssl: OpaquePointer, host: String) -> Bool {
        guard let session = unsafe SSL_get1_session(ssl) else { return false }
        guard unsafe SSL_SESSION_is_resumable(session) == 1 else {
            unsafe SSL_SESSION_free(session)
            return false
        }
        if let old = unsafe sessions.updateValue(session, forKey: host) { unsafe SSL_SESSION_free(old) }
        return true
    }
}
