/// How long a message's body is; RFC 9112 §6.3.
public enum BodyFraming: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
    /// A response that ends with its connection.
    case untilClose

    /// The framing of a request. Whatever two readers could understand differently is refused.
    public static func request(_ head: MessageHead, _ bytes: [UInt8]) throws(HTTPViolation) -> BodyFraming {
        let hosts = head.count(.host)
        // RFC 9112 §3.2: a 1.1 request without Host, or any with more than one or a wrong one, is answered with 400.
        if hosts > 1 { throw .malformed("more than one Host header") }
        if hosts == 0, head.minorVersion >= 1 { throw .malformed("no Host header") }
        if let host = head.first(.host), !HostField.isValid(bytes, host) { throw .malformed("an invalid Host header") }
        let framing = try framing(head, bytes)
        if framing == .chunked, head.minorVersion == 0 {
            throw .malformed("Transfer-Encoding in an HTTP/1.0 request")
        }
        return framing ?? .none
    }

    /// The framing of a response to a request of `method`.
    public static func response(
        _ head: MessageHead, _ bytes: [UInt8], to method: Method
    ) throws(HTTPViolation) -> BodyFraming {
        let framing = try framing(head, bytes)
        if method == .head || head.status < 200 || head.status == 204 || head.status == 304 { return .none }
        return framing ?? .untilClose
    }

    private static func framing(_ head: MessageHead, _ bytes: [UInt8]) throws(HTTPViolation) -> BodyFraming? {
        let lengths = head.count(.contentLength)
        let codings = head.count(.transferEncoding)
        if codings > 0 {
            // RFC 9112 §6.3: both present is a smuggling attempt more often than a mistake.
            if lengths > 0 { throw .malformed("both Content-Length and Transfer-Encoding") }
            guard codings == 1, let value = head.first(.transferEncoding),
                ASCII.equalsIgnoringCase(bytes, value, Token.chunked)
            else { throw HTTPViolation(.transferCoding, "the only transfer coding understood here is chunked") }
            return .chunked
        }
        guard let value = head.first(.contentLength) else { return nil }
        guard lengths == 1 else { throw .malformed("more than one Content-Length header") }
        guard let length = ASCII.decimal(bytes, value) else { throw .malformed("a Content-Length that is no number") }
        return .length(length)
    }
}
