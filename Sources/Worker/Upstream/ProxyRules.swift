internal import Shared

/// Which upstreams are reached through a proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as curl reads them. Pure.
struct ProxyRules: Equatable {
    struct Proxy: Equatable {
        var origin: Origin
        /// `Basic …`, where the URL carries a user.
        var authorization: String?
    }

    private var https: Proxy?
    private var http: Proxy?
    private var exceptions: [String] = []

    init() {}

    init(_ settings: ProcessSettings) {
        https = settings.httpsProxy.flatMap(Self.proxy)
        http = settings.httpProxy.flatMap(Self.proxy)
        exceptions = (settings.noProxy ?? "").split(separator: ",").map {
            String($0.filter { $0 != " " }).lowercased()
        }
    }

    /// The proxy for `origin`; nil to go there directly.
    func proxy(for origin: Origin) -> Proxy? {
        guard let proxy = origin.isSecure ? https : http, !isExcepted(origin) else { return nil }
        return proxy
    }

    /// `*`, a host, a domain with everything below it, each with a port or without.
    private func isExcepted(_ origin: Origin) -> Bool {
        exceptions.contains { exception in
            if exception == "*" { return true }
            var name = exception
            if let colon = exception.lastIndex(of: ":"), let port = UInt16(exception[exception.index(after: colon)...]),
                !exception[..<colon].contains(":")
            {
                guard port == origin.port else { return false }
                name = String(exception[..<colon])
            }
            if name.hasPrefix("*") { name.removeFirst() }
            if name.hasPrefix(".") { name.removeFirst() }
            return !name.isEmpty && (origin.host == name || origin.host.hasSuffix(".\(name)"))
        }
    }

    private static func proxy(_ text: String) -> Proxy? {
        ProxyURL(text).map { url in
            Proxy(origin: url.origin, authorization: url.user.map { "Basic \(Base64.encode($0))" })
        }
    }
}

/// RFC 4648 §4. Pure.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                text.append(index > group.count ? 0x3D : alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
