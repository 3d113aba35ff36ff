/// The header fields that somebody here asks for, told apart once, when the head is read.
///
/// `.other` fields keep their names in the head's bytes.
package enum FieldName: UInt8, Sendable, CaseIterable {
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

    static let names: [[UInt8]] = [
        "", "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade",
        "host", "content-length", "content-type", "content-encoding", "expect", "date", "server",
        "authorization", "api-key", "x-api-key", "x-goog-api-key", "x-litellm-api-key", "cookie", "set-cookie",
        "user-agent", "x-litellm-tags", "x-litellm-call-id", "x-litellm-timeout", "x-litellm-stream-timeout",
        "x-litellm-num-retries", "origin", "access-control-request-headers",
        "location", "retry-after",
    ].map { Array($0.utf8) }

    /// By length and first letter: most names are decided by that alone, and then compared once.
    private static let candidates: [[FieldName]] = {
        var table = [[FieldName]](repeating: [], count: 32 * 32)
        for id in allCases where id != .other {
            let name = names[Int(id.rawValue)]
            table[name.count << 5 | Int(name[0] & 31)].append(id)
        }
        return table
    }()

    static func of(_ bytes: [UInt8], _ range: Range<Int>) -> FieldName {
        guard range.count < 32, let first = range.first else { return .other }
        for id in candidates[range.count << 5 | Int(bytes[first] & 31)]
        where ASCII.equalsIgnoringCase(bytes, range, names[Int(id.rawValue)]) {
            return id
        }
        return .other
    }

    /// Whether the field speaks of one connection only and must not be passed on.
    package var isHopByHop: Bool {
        switch self {
        case .connection, .keepAlive, .proxyAuthenticate, .proxyAuthorization, .proxyConnection, .te, .trailer,
            .transferEncoding, .upgrade:
            true
        case .other, .host, .contentLength, .contentType, .contentEncoding, .expect, .date, .server, .authorization,
            .apiKey, .xApiKey, .xGoogApiKey, .litellmApiKey, .cookie, .setCookie, .userAgent, .litellmTags,
            .litellmCallID, .litellmTimeout, .litellmStreamTimeout, .litellmNumRetries, .origin,
            .accessControlRequestHeaders, .location, .retryAfter:
            false
        }
    }
}
