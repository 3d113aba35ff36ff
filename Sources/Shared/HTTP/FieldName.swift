/// The header fields that somebody here asks for, told apart once, when the head is read.
///
/// `.other` fields keep their names in the head's bytes.
public enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    // What this hop is about; RFC 9110 §7.6.1 calls them hop-by-hop. Never passed on.
    case connection, keepAlive, proxyAuthenticate, proxyAuthorization, proxyConnection, te, trailer
    case transferEncoding, upgrade
    // How the message is framed and what it is.
    case host, contentLength, contentType, contentEncoding, expect, date, server
    // Who calls.
    case authorization, apiKey, xApiKey, xGoogApiKey, litellmApiKey, cookie, setCookie
    // What the caller wishes.
    case userAgent, litellmTags, litellmCallID, litellmTimeout, litellmStreamTimeout, litellmNumRetries, origin
    case accessControlRequestHeaders
    // What an upstream says.
    case location, retryAfter
    /// Any that begins with `x-ratelimit-`.
    case rateLimit

    /// There are fewer than 64 of them.
    @inline(__always)
    var bit: UInt64 { 1 << UInt64(rawValue) }

    static let names: [[UInt8]] = [
        "", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
        "host", "content-length", "content-type", "content-encoding", "expect", "date", "server",
        "authorization", "api-key", "x-api-key", "x-goog-api-key", "x-litellm-api-key", "cookie", "set-cookie",
        "user-agent", "x-litellm-tags", "x-litellm-call-id", "x-litellm-timeout", "x-litellm-stream-timeout",
        "x-litellm-num-retries", "origin", "access-control-request-headers",
        "location", "retry-after", "",
    ].map { Array($0.utf8) }

    /// The names by length and first letter, which decides most of them; then compared once, eight bytes at a time.
    private struct Table {
        /// Number of the first name of a length and a letter; 0 for none.
        var first = [UInt8](repeating: 0, count: 32 * 32)
        /// Number of the next one like it.
        var next = [UInt8](repeating: 0, count: FieldName.allCases.count)
        /// Four words a name.
        var words: [UInt64] = []
        let all = FieldName.allCases

        init() {
            for id in FieldName.allCases {
                let name = FieldName.names[Int(id.rawValue)]
                for start in stride(from: 0, to: 32, by: 8) {
                    let count = max(0, min(8, name.count - start))
                    words.append(count > 0 ? ByteSearch.word(name.span, at: start, count: count) : 0)
                }
                guard let letter = name.first else { continue }
                let slot = name.count << 5 | Int(letter & 31)
                next[Int(id.rawValue)] = first[slot]
                first[slot] = id.rawValue
            }
        }
    }

    private static let table = Table()

    static func of(_ bytes: [UInt8], _ range: Range<Int>) -> FieldName { of(bytes.span, range) }

    /// `range` holds a token: among the bytes of tokens, setting bit 5 maps nothing but the capital of a letter to it.
    @inline(__always)
    static func of(_ bytes: Span<UInt8>, _ range: Range<Int>) -> FieldName {
        let count = range.count
        guard count > 0, count < 32 else { return .other }
        let table = table
        var candidate = Int(table.first[count << 5 | Int(bytes[range.lowerBound] & 31)])
        while candidate != 0 {
            var start = 0
            var isEqual = true
            while start < count, isEqual {
                let length = min(8, count - start)
                let word = ByteSearch.word(bytes, at: range.lowerBound + start, count: length)
                let lower = word | 0x2020_2020_2020_2020 >> UInt64(64 - 8 * length)
                isEqual = lower == table.words[candidate * 4 + start / 8]
                start += 8
            }
            if isEqual { return table.all[candidate] }
            candidate = Int(table.next[candidate])
        }
        return isRateLimit(bytes, range) ? .rateLimit : .other
    }

    private static func isRateLimit(_ bytes: Span<UInt8>, _ name: Range<Int>) -> Bool {
        guard name.count > 12 else { return false }
        let (first, second) = (name.lowerBound, name.lowerBound + 8)
        return ASCII.lowercased(ByteSearch.word(bytes, at: first, count: 8)) == 0x696C_6574_6172_2D78
            && ASCII.lowercased(ByteSearch.word(bytes, at: second, count: 4)) == 0x2D74_696D
    }

    /// Whether the field speaks of one connection only and must not be passed on.
    @inline(__always)
    public var isHopByHop: Bool { bit & Self.hopByHop != 0 }

    @inline(__always)
    private static var hopByHop: UInt64 { upgrade.bit << 1 - connection.bit }
}
