/// Writes start lines, fields and chunk headers. Pure; whoever calls it vouches for names and values.
extension ByteBuffer {
    public func append(field name: StaticString, _ value: [UInt8], _ range: Range<Int>) {
        append(name)
        appendColon()
        append(value, range)
        appendLineEnd()
    }

    public func append(field name: StaticString, _ value: String) {
        append(name)
        appendColon()
        append(value)
        appendLineEnd()
    }

    public func append(field name: StaticString, _ value: Int) {
        append(name)
        appendColon()
        append(decimal: value)
        appendLineEnd()
    }

    /// Appends the fields of `head`, which lies in `bytes`, each under its name in lower case behind `prefix`. Those that
    /// speak of one connection only are left out (RFC 9110 §7.6.1), or all but those that tell of rate limits.
    public func append(
        _ prefix: StaticString, fieldsOf head: MessageHead, _ bytes: [UInt8], onlyRateLimits: Bool = false
    ) {
        // A line has at least a colon and an end in the head as well.
        let most = head.length + (prefix.utf8CodeUnitCount + 1) * head.fields.count
        let lines = EndToEndLines(fields: head.fields, base: head.base, onlyRateLimits: onlyRateLimits)
        append(prefix, bytes, lines, length: most)
    }

    /// `: `, between the name of a field and its value.
    @inline(__always)
    public func appendColon() {
        append(word: 0x203A, count: 2)
    }

    @inline(__always)
    public func appendLineEnd() {
        append(word: 0x0A0D, count: 2)
    }

    /// The size line of a chunk; RFC 9112 §7.1.
    public func append(chunkHeader size: Int) {
        append(hex: UInt64(size))
        appendLineEnd()
    }

    /// How many bytes in front of what is held `frameChunk` needs, so that it need not copy.
    public static let chunkFront = 16

    /// Makes a chunk of all that is held, by adding its size line and its end.
    public func frameChunk() {
        precondition(count > 0 && count < 1 << 32, "a chunk of nothing, or of gigabytes")
        let length = (67 - count.leadingZeroBitCount) / 4
        let digits = ByteWriter.hexDigits(UInt32(count)) >> UInt64(8 * (8 - length))
        if length <= 6 {
            prepend(word: digits | 0x0A0D << UInt64(8 * length), count: length + 2)
        } else {
            prepend(word: 0x0A0D, count: 2)
            prepend(word: digits, count: length)
        }
        appendLineEnd()
    }
}

extension ByteWriter {
    @inline(__always)
    public mutating func putLineEnd() {
        put(word: 0x0A0D, count: 2)
    }
}

/// The fields of a head that are not about one connection, or of those the ones that tell of rate limits.
private struct EndToEndLines: Sequence, IteratorProtocol {
    let fields: [Field]
    let base: Int
    let onlyRateLimits: Bool
    var index = 0

    @inline(__always)
    mutating func next() -> FieldLine? {
        while index < fields.count {
            let field = fields[index]
            index += 1
            if onlyRateLimits ? field.id != .rateLimit : field.id.isHopByHop { continue }
            return FieldLine(
                nameStart: base &+ Int(field.nameStart), nameEnd: base &+ Int(field.nameEnd),
                valueStart: base &+ Int(field.valueStart), valueEnd: base &+ Int(field.valueEnd))
        }
        return nil
    }
}

public enum HeadBytes {
    public static let lastChunk = StaticString("0\r\n\r\n").bytes
    public static let continue100 = StaticString("HTTP/1.1 100 Continue\r\n\r\n").bytes
}

/// Status lines, made once; reasons of RFC 9110 §15 and of the IANA registry.
public enum HTTPStatus {
    private static let lines: [[UInt8]] = (0..<600).map { status in
        Array("HTTP/1.1 \(status) \(reason(status))\r\n".utf8)
    }

    public static func line(_ status: Int) -> [UInt8] {
        lines[(100..<600).contains(status) ? status : 502]
    }

    public static func reason(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 418: "I'm a teapot"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 425: "Too Early"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 499: "Client Closed Request"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 529: "Overloaded"
        default: "Unknown"
        }
    }
}
