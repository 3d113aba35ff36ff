/// What is wrong with a message, in words for whoever sent it.
public struct HTTPViolation: Error, Equatable, Sendable {
    public enum Kind: Sendable {
        case malformed
        /// The head is longer than the limit.
        case headTooLarge
        /// HTTP/2 or later, or no HTTP at all.
        case version
        /// A transfer coding other than chunked; RFC 9112 §6.1.
        case transferCoding
        /// The body is longer than the limit.
        case bodyTooLarge
    }

    public let kind: Kind
    public let reason: StaticString

    public init(_ kind: Kind, _ reason: StaticString) {
        self.kind = kind
        self.reason = reason
    }

    static func malformed(_ reason: StaticString) -> HTTPViolation { HTTPViolation(.malformed, reason) }

    public static func == (left: HTTPViolation, right: HTTPViolation) -> Bool {
        left.kind == right.kind && left.reason.description == right.reason.description
    }
}

/// Reads the head of a request or a response, line by line, as strictly as RFC 9112 allows.
///
/// Pure. May be called again with more bytes as often as one likes: every line is read once. What a lenient parser
/// would mend (bare CR or LF, a space before the colon, folded lines, NUL) is refused, for two parsers that mend
/// differently are a smuggling hole (RFC 9112 §11.2).
public struct HeadParser: Sendable {
    enum Phase: Sendable { case startLine, fields }

    let isRequest: Bool
    let limit: Int
    var phase = Phase.startLine
    /// Where the line under way begins, and how far it was searched for its end; relative to the head.
    var lineStart = 0
    var searched = 0
    private var emptyLines = 0
    /// How many field lines were read.
    var count = 0
    /// Bytes of the head that the same `MessageHead` held before, while its lines are compared with; 0 then.
    var known = 0

    private init(isRequest: Bool, limit: Int) {
        self.isRequest = isRequest
        self.limit = limit
    }

    public static func request(limit: Int) -> HeadParser { HeadParser(isRequest: true, limit: limit) }
    public static func response(limit: Int) -> HeadParser { HeadParser(isRequest: false, limit: limit) }

    /// Reads on in `bytes[range]`, whose first byte is the first of the message. True when the head is complete.
    public mutating func read(
        _ bytes: [UInt8], _ range: Range<Int>, into head: MessageHead
    ) throws(HTTPViolation) -> Bool {
        head.base = range.lowerBound
        head.isRepeated = false
        if lineStart == 0, searched == 0, recall(bytes, range, head) {
            head.isRepeated = true
            return true
        }
        let base = range.lowerBound
        let end = min(range.count, limit)
        let span = bytes.span
        while true {
            if known > 0, recallLine(span, end, head) { continue }
            searched = ByteSearch.first(ASCII.lineFeed, span, from: base + searched, to: base + end) - base
            guard searched < end else {
                guard range.count < limit else { throw HTTPViolation(.headTooLarge, "the header section is too large") }
                known = 0
                head.fields.removeLast(head.fields.count - count)
                return false
            }
            let lineFeed = searched
            searched += 1
            guard lineFeed > lineStart, span[base + lineFeed - 1] == ASCII.carriageReturn else {
                throw .malformed("a line ends with a bare line feed")
            }
            let line = base + lineStart..<base + lineFeed - 1
            lineStart = lineFeed + 1
            switch phase {
            case .startLine:
                if line.isEmpty, isRequest, emptyLines < 4 {
                    // RFC 9112 §2.2: a server should ignore an empty line before the request.
                    emptyLines += 1
                    continue
                }
                if isRequest {
                    try readRequestLine(bytes, line, into: head)
                } else {
                    try readStatusLine(bytes, line, into: head)
                }
                phase = .fields
            case .fields:
                if line.isEmpty {
                    complete(head, bytes)
                    return true
                }
                try readField(span, line, into: head)
            }
        }
    }

    private func readRequestLine(
        _ bytes: [UInt8], _ line: Range<Int>, into head: MessageHead
    ) throws(HTTPViolation) {
        let span = bytes.span
        var position = line.lowerBound
        while position < line.upperBound, isTokenByte(span[position]) { position += 1 }
        guard position > line.lowerBound, position < line.upperBound, span[position] == ASCII.space else {
            throw .malformed("the request line has no valid method")
        }
        head.method = Method(bytes, line.lowerBound..<position)
        head.methodLength = position - line.lowerBound
        let target = position + 1
        position = target
        while position < line.upperBound, span[position] > 0x20, span[position] < 0x7F { position += 1 }
        guard position > target, position < line.upperBound, span[position] == ASCII.space else {
            throw .malformed("the request line has no valid target")
        }
        head.targetStart = target - head.base
        head.targetEnd = position - head.base
        head.minorVersion = try version(bytes, position + 1..<line.upperBound, exactly: true)
    }

    private func readStatusLine(
        _ bytes: [UInt8], _ line: Range<Int>, into head: MessageHead
    ) throws(HTTPViolation) {
        guard line.count >= 12 else { throw .malformed("the status line is too short") }
        head.minorVersion = try version(bytes, line.lowerBound..<line.lowerBound + 8, exactly: true)
        let digits = line.lowerBound + 9..<line.lowerBound + 12
        // RFC 9112 §4: the reason may be empty; many omit the space before it too.
        guard bytes[line.lowerBound + 8] == ASCII.space, line.count == 12 || bytes[digits.upperBound] == ASCII.space,
            let status = ASCII.decimal(bytes, digits), status >= 100
        else { throw .malformed("the status line has no valid status") }
        for index in digits.upperBound..<line.upperBound where !isFieldByte(bytes[index]) {
            throw .malformed("a control character in the status line")
        }
        head.status = status
    }

    private func version(_ bytes: [UInt8], _ range: Range<Int>, exactly: Bool) throws(HTTPViolation) -> UInt8 {
        guard range.count == 8, bytes.holds("HTTP/", at: range.lowerBound), bytes[range.lowerBound + 6] == 0x2E,
            ASCII.isDigit(bytes[range.lowerBound + 5]), ASCII.isDigit(bytes[range.lowerBound + 7])
        else { throw .malformed("no valid HTTP version") }
        guard bytes[range.lowerBound + 5] == 0x31 else {
            throw HTTPViolation(.version, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        return bytes[range.lowerBound + 7] == 0x30 ? 0 : 1
    }

    @inline(__always)
    private mutating func readField(
        _ bytes: Span<UInt8>, _ line: Range<Int>, into head: MessageHead
    ) throws(HTTPViolation) {
        let colon = ByteSearch.endOfToken(bytes, from: line.lowerBound, to: line.upperBound)
        let name = line.lowerBound..<colon
        guard !name.isEmpty else {
            let first = bytes[line.lowerBound]
            throw first == ASCII.space || first == ASCII.tab
                ? .malformed("a folded header line") : .malformed("a header line without a valid name")
        }
        guard colon < line.upperBound, bytes[colon] == ASCII.colon else {
            throw .malformed("a header name that is not followed by a colon at once")
        }
        guard ByteSearch.endOfFieldText(bytes, from: colon + 1, to: line.upperBound) == line.upperBound else {
            throw .malformed("a control character in a header value")
        }
        // Blanks and tabs at either end are not part of the value (OWS of RFC 9110 §5.6.3).
        var start = colon + 1
        var end = line.upperBound
        while start < end, bytes[start] == ASCII.space || bytes[start] == ASCII.tab { start += 1 }
        while end > start, bytes[end - 1] == ASCII.space || bytes[end - 1] == ASCII.tab { end -= 1 }
        guard count < 200 else { throw HTTPViolation(.headTooLarge, "too many header lines") }
        let field = Field(
            id: .of(bytes, name), nameStart: UInt32(name.lowerBound - head.base), nameEnd: UInt32(colon - head.base),
            valueStart: UInt32(start - head.base), valueEnd: UInt32(end - head.base))
        if count < head.fields.count { head.fields[count] = field } else { head.fields.append(field) }
        count += 1
    }
}

/// tchar of RFC 9110 §5.6.2, as two words of bits.
@inline(__always)
func isTokenByte(_ byte: UInt8) -> Bool {
    let low: UInt64 = 0x03FF_6CFA_0000_0000
    let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
    return byte < 64 ? low >> UInt64(byte) & 1 == 1 : byte < 128 && high >> UInt64(byte - 64) & 1 == 1
}

/// What may stand in a field value: visible characters, blanks and obs-text; RFC 9110 §5.5.
@inline(__always)
func isFieldByte(_ byte: UInt8) -> Bool {
    byte >= 0x20 ? byte != 0x7F : byte == ASCII.tab
}
