/// The method of a request, as far as a gateway tells them apart; RFC 9110 §9.
public enum Method: Sendable {
    case get, head, post, put, delete, options, patch
    /// Any other token. Methods are case-sensitive, so `get` is one of these.
    case other

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self =
            switch range.count {
            case 3 where bytes.holds("GET", at: range.lowerBound): .get
            case 3 where bytes.holds("PUT", at: range.lowerBound): .put
            case 4 where bytes.holds("POST", at: range.lowerBound): .post
            case 4 where bytes.holds("HEAD", at: range.lowerBound): .head
            case 5 where bytes.holds("PATCH", at: range.lowerBound): .patch
            case 6 where bytes.holds("DELETE", at: range.lowerBound): .delete
            case 7 where bytes.holds("OPTIONS", at: range.lowerBound): .options
            default: .other
            }
    }
}

/// One field line: where its name and value lie, counted from the first byte of the head.
public struct Field: Sendable {
    public let id: FieldName
    let nameStart: UInt32
    let nameEnd: UInt32
    let valueStart: UInt32
    let valueEnd: UInt32
}

/// The start line and the fields of one message, as positions in the bytes they were read from. Reused from
/// message to message, so that reading a head allocates nothing.
///
/// Positions are kept relative to the head's first byte: set `base` anew when those bytes were moved.
public final class MessageHead {
    /// Where the head begins in its array.
    public var base = 0
    /// Bytes of the head, including the empty line that ends it.
    public internal(set) var length = 0
    public internal(set) var fields: [Field] = []
    /// 0 for HTTP/1.0; 1 for HTTP/1.1 and later minor versions.
    public internal(set) var minorVersion: UInt8 = 1

    // A request's.
    public internal(set) var method = Method.other
    var methodLength = 0
    var targetStart = 0
    var targetEnd = 0

    // A response's.
    public internal(set) var status = 0

    /// Whether it is the same, byte by byte, as the one that was read before: so is whatever follows from it alone.
    public internal(set) var isRepeated = false

    /// One bit for each name that the fields have: most that are asked for are not there.
    var names: UInt64 = 0

    /// The bytes of the head while it is complete; what is read next is mostly the same (`HeadParser.recall`).
    var text: [UInt8] = []
    var textLength = 0

    public init() {
        fields.reserveCapacity(16)
    }

    /// The request target as sent; RFC 9112 §3.2.
    public var target: Range<Int> { base + targetStart..<base + targetEnd }
    /// Where the body begins.
    public var end: Int { base + length }

    public func name(_ field: Field) -> Range<Int> { base + Int(field.nameStart)..<base + Int(field.nameEnd) }
    public func value(_ field: Field) -> Range<Int> { base + Int(field.valueStart)..<base + Int(field.valueEnd) }

    /// The value of the first field of that name.
    public func first(_ id: FieldName) -> Range<Int>? {
        guard has(id) else { return nil }
        for index in 0..<fields.count where fields[index].id == id { return value(fields[index]) }
        return nil
    }

    @inline(__always)
    public func has(_ id: FieldName) -> Bool { names & id.bit != 0 }

    public func count(_ id: FieldName) -> Int {
        guard has(id) else { return 0 }
        var count = 0
        for index in 0..<fields.count where fields[index].id == id { count += 1 }
        return count
    }

    /// Whether a field with a comma-separated list of tokens, on one or several lines, has `token` (lower case).
    public func lists(_ token: [UInt8], in id: FieldName, _ bytes: [UInt8]) -> Bool {
        for field in fields where field.id == id {
            var rest = value(field)
            while !rest.isEmpty {
                let comma = bytes[rest].firstIndex(of: ASCII.comma) ?? rest.upperBound
                if ASCII.equalsIgnoringCase(bytes, ASCII.trimmed(bytes, rest.lowerBound..<comma), token) { return true }
                rest = min(comma + 1, rest.upperBound)..<rest.upperBound
            }
        }
        return false
    }

    /// Whether the connection may serve another exchange after this message; RFC 9112 §9.3.
    @inline(__always)
    public func keepsAlive(_ bytes: @autoclosure () -> [UInt8]) -> Bool {
        has(.connection) ? keepsAlive(by: bytes()) : minorVersion >= 1
    }

    private func keepsAlive(by bytes: [UInt8]) -> Bool {
        if lists(Token.close, in: .connection, bytes) { return false }
        return minorVersion >= 1 || lists(Token.keepAlive, in: .connection, bytes)
    }

    func reset() {
        length = 0
        textLength = 0
        fields.removeAll(keepingCapacity: true)
        names = 0
        minorVersion = 1
        method = .other
        status = 0
    }
}

/// Tokens that are looked for in field values, in lower case.
public enum Token {
    public static let close = StaticString("close").bytes
    public static let keepAlive = StaticString("keep-alive").bytes
    public static let chunked = StaticString("chunked").bytes
    public static let identity = StaticString("identity").bytes
    public static let continue100 = StaticString("100-continue").bytes
}

extension [UInt8] {
    /// Whether `text` stands at `position`.
    @inline(__always)
    public func holds(_ text: StaticString, at position: Int) -> Bool {
        guard position >= 0, count - position >= text.utf8CodeUnitCount else { return false }
        return text.equals(self, at: position)
    }
}
