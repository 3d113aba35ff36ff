/// The URL of an HTTP proxy as HTTPS_PROXY and HTTP_PROXY give it: `http://user:password@host:port`, all but the host
/// optional. Pure.
public struct ProxyURL: Equatable, Sendable {
    public let origin: Origin
    /// `user:password`, percent-encodings resolved.
    public let user: [UInt8]?

    /// Nil for what is no proxy that can be used here: one that is itself encrypted, SOCKS, or no URL at all.
    public init?(_ text: String) {
        var rest = Substring(text)
        if let scheme = rest.firstRange(of: "://") {
            guard rest[..<scheme.lowerBound].lowercased() == "http" else { return nil }
            rest = rest[scheme.upperBound...]
        }
        rest = rest.prefix { $0 != "/" }
        var user: [UInt8]?
        if let at = rest.lastIndex(of: "@") {
            user = Self.percentDecoded(Array(rest[..<at].utf8))
            rest = rest[rest.index(after: at)...]
        }
        guard let (origin, _) = ConfigurationDecoder.url("http://\(rest)") else { return nil }
        self.origin = origin
        self.user = user
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        var position = 0
        while position < text.count {
            if text[position] == 0x25, position + 2 < text.count, let high = ASCII.hexValue(text[position + 1]),
                let low = ASCII.hexValue(text[position + 2])
            {
                plain.append(high << 4 | low)
                position += 3
            } else {
                plain.append(text[position])
                position += 1
            }
        }
        return plain
    }
}
