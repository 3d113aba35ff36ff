internal import COpenSSL
internal import Shared

/// TLS over a connected socket, as the layer of a `ByteStream`. Owns its `SSL`.
///
/// OpenSSL reads and writes the socket through functions in `COpenSSL.h`, which remember when it was read empty.
@safe @Loop final class TLSStream: StreamLayer {
    private nonisolated(unsafe) let ssl: OpaquePointer
    private let context: TLSContext
    private let host: String
    private var hasKeptSession = false
    private var isFinished = false
    private(set) var waitsForOtherDirection = false
    private(set) var mayHaveMore = true

    init(_ ssl: OpaquePointer, keepingSessionIn context: TLSContext, host: String) {
        unsafe self.ssl = ssl
        self.context = context
        self.host = host
    }

    deinit {
        unsafe SSL_free(ssl)
    }

    func handshake(
        _ readiness: Readiness, until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(StreamFailure) {
        while true {
            copenssl_forget_errors()
            unsafe copenssl_ask_again(ssl)
            let result = unsafe SSL_do_handshake(ssl)
            if result == 1 { return }
            let wake: Wake
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ:
                readiness.isReadable = false
                wake = await readiness.waitReadable(until: deadline, cancelledBy: cancellation)
            case SSL_ERROR_WANT_WRITE:
                readiness.isWritable = false
                wake = await readiness.waitWritable(until: deadline, cancelledBy: cancellation)
            default: throw .layer(handshakeError())
            }
            switch wake {
            case .ready: continue
            case .deadline: throw .deadline
            case .cancelled: throw .cancelled
            }
        }
    }

    func receive(into bytes: inout [UInt8], _ room: Range<Int>) throws(StreamFailure) -> ReadOutcome {
        precondition(room.lowerBound >= 0 && room.upperBound <= bytes.count && !room.isEmpty, "no room to receive into")
        waitsForOtherDirection = false
        copenssl_forget_errors()
        // The pointer is used within the call only, and the range was checked.
        let ssl = unsafe self.ssl
        unsafe copenssl_ask_again(ssl)
        let count = unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe raw.baseAddress.map { unsafe SSL_read(ssl, $0 + room.lowerBound, Int32(clamping: room.count)) } ?? -1
        }
        if count > 0 {
            mayHaveMore = unsafe copenssl_has_more(ssl) != 0
            keepSession()
            return .bytes(Int(count))
        }
        switch unsafe SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ:
            keepSession()
            return .wouldBlock
        case SSL_ERROR_WANT_WRITE:
            waitsForOtherDirection = true
            return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .end
        default:
            isFinished = true
            // An end without close_notify may have been cut by anybody on the way; RFC 8446 §6.1.
            throw .layer(Self.lastError())
        }
    }

    func send(_ bytes: [UInt8], _ range: Range<Int>) throws(StreamFailure) -> WriteOutcome {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        guard !range.isEmpty else { return .bytes(0) }
        waitsForOtherDirection = false
        copenssl_forget_errors()
        let ssl = unsafe self.ssl
        unsafe copenssl_ask_again(ssl)
        let count = unsafe bytes.withUnsafeBytes { raw in
            unsafe raw.baseAddress.map { unsafe SSL_write(ssl, $0 + range.lowerBound, Int32(clamping: range.count)) }
                ?? -1
        }
        if count > 0 { return .bytes(Int(count)) }
        switch unsafe SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_WANT_READ:
            waitsForOtherDirection = true
            return .wouldBlock
        default:
            isFinished = true
            throw .layer(Self.lastError())
        }
    }

    /// close_notify, without waiting for the other side's; a broken connection is not spoken to.
    func finish() {
        guard !isFinished else { return }
        isFinished = true
        ERR_clear_error()
        unsafe _ = SSL_shutdown(ssl)
    }

    private func keepSession() {
        guard !hasKeptSession else { return }
        // The first read may come before the tickets do.
        hasKeptSession = unsafe context.keepSession(of: ssl, host: host)
    }

    /// A refused certificate says which check it failed.
    private func handshakeError() -> String {
        isFinished = true
        let verification = unsafe SSL_get_verify_result(ssl)
        if verification != X509_V_OK, let text = unsafe X509_verify_cert_error_string(verification) {
            ERR_clear_error()
            return unsafe "the certificate of \(host) is refused: \(String(cString: text))"
        }
        return Self.lastError()
    }

    /// The reason OpenSSL gives for the last failure; it never holds data of the connection.
    nonisolated static func lastError() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "connection closed" }
        return unsafe String(cString: reason)
    }
}
