/// Looks into a value that `JSONScanner` has found valid: the members of an object, the elements of an array.
///
/// Pure. For the few small values that a gateway looks into (`tags`, `metadata`, `error`); on text that was not
/// validated it finds nothing of use, but never traps.
public enum JSONWalker {
    public struct Value: Sendable, Equatable {
        /// With its quotes or brackets.
        public var range: Range<Int>
        public var kind: JSONScanner.Kind

        public init(range: Range<Int>, kind: JSONScanner.Kind) {
            self.range = range
            self.kind = kind
        }

        /// Between the quotes of a string.
        public var text: Range<Int> { range.lowerBound + 1..<max(range.lowerBound + 1, range.upperBound - 1) }
    }

    /// The last member of that name of the object at `range`.
    public static func member(_ name: StaticString, of range: Range<Int>, _ bytes: [UInt8]) -> Value? {
        var found: Value?
        members(of: range, bytes) { key, value in
            if isText(bytes, key.text, name) { found = value }
            return true
        }
        return found
    }

    /// Calls `body` with each key and value of the object at `range`, until it answers false.
    public static func members(of range: Range<Int>, _ bytes: [UInt8], _ body: (Value, Value) -> Bool) {
        var position = range.lowerBound + 1
        while let key = value(at: &position, range.upperBound, bytes), key.kind == .string {
            skip(ASCII.colon, &position, range.upperBound, bytes)
            guard let value = value(at: &position, range.upperBound, bytes), body(key, value) else { return }
            skip(ASCII.comma, &position, range.upperBound, bytes)
        }
    }

    /// Calls `body` with each element of the array at `range`, until it answers false.
    public static func elements(of range: Range<Int>, _ bytes: [UInt8], _ body: (Value) -> Bool) {
        var position = range.lowerBound + 1
        while let value = value(at: &position, range.upperBound, bytes) {
            guard body(value) else { return }
            skip(ASCII.comma, &position, range.upperBound, bytes)
        }
    }

    /// Whether the inside of a string, escapes resolved, is `name`.
    public static func isText(_ bytes: [UInt8], _ text: Range<Int>, _ name: StaticString) -> Bool {
        if text.count == name.utf8CodeUnitCount { return bytes.holds(name, at: text.lowerBound) }
        guard bytes[text].contains(ASCII.backslash) else { return false }
        var plain: [UInt8] = []
        unescape(bytes, text, into: &plain)
        return plain == name.bytes
    }

    /// Appends the inside of a string with its escapes resolved; RFC 8259 §7.
    public static func unescape(_ bytes: [UInt8], _ text: Range<Int>, into plain: inout [UInt8]) {
        var position = text.lowerBound
        while position < text.upperBound {
            let byte = bytes[position]
            guard byte == ASCII.backslash, position + 1 < text.upperBound else {
                plain.append(byte)
                position += 1
                continue
            }
            let escape = bytes[position + 1]
            position += 2
            switch escape {
            case 0x62: plain.append(0x08)
            case 0x66: plain.append(0x0C)
            case 0x6E: plain.append(0x0A)
            case 0x72: plain.append(0x0D)
            case 0x74: plain.append(0x09)
            case 0x75:
                var scalar = hex(bytes, &position, text.upperBound)
                if scalar & 0xFC00 == 0xD800, position + 1 < text.upperBound {
                    position += 2
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + hex(bytes, &position, text.upperBound) & 0x3FF
                }
                if let scalar = Unicode.Scalar(scalar) { plain.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
            default: plain.append(escape)
            }
        }
    }

    private static func hex(_ bytes: [UInt8], _ position: inout Int, _ end: Int) -> UInt32 {
        var value: UInt32 = 0
        let last = min(position + 4, end)
        while position < last {
            value = value << 4 | UInt32(ASCII.hexValue(bytes[position]) ?? 0)
            position += 1
        }
        return value
    }

    /// The value at `position`, white space before it skipped; nil at the end of the enclosing one.
    private static func value(at position: inout Int, _ end: Int, _ bytes: [UInt8]) -> Value? {
        skipSpace(&position, end, bytes)
        guard position < end else { return nil }
        let start = position
        switch bytes[position] {
        case ASCII.quote:
            skipString(&position, end, bytes)
            return Value(range: start..<position, kind: .string)
        case 0x7B, 0x5B:
            let kind: JSONScanner.Kind = bytes[position] == 0x7B ? .object : .array
            var depth = 0
            while position < end {
                switch bytes[position] {
                case ASCII.quote:
                    skipString(&position, end, bytes)
                    continue
                case 0x7B, 0x5B: depth += 1
                case 0x7D, 0x5D: depth -= 1
                default: break
                }
                position += 1
                if depth == 0 { break }
            }
            return Value(range: start..<position, kind: kind)
        case 0x7D, 0x5D: return nil
        default:
            while position < end, !isDelimiter(bytes[position]) { position += 1 }
            guard position > start else { return nil }
            let kind: JSONScanner.Kind =
                switch bytes[start] {
                case 0x74: .true
                case 0x66: .false
                case 0x6E: .null
                default: .number
                }
            return Value(range: start..<position, kind: kind)
        }
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == ASCII.comma || byte == 0x7D || byte == 0x5D || byte == ASCII.colon
    }

    private static func skipString(_ position: inout Int, _ end: Int, _ bytes: [UInt8]) {
        position += 1
        while position < end {
            let byte = bytes[position]
            position += byte == ASCII.backslash ? 2 : 1
            if byte == ASCII.quote { break }
        }
        position = min(position, end)
    }

    private static func skipSpace(_ position: inout Int, _ end: Int, _ bytes: [UInt8]) {
        while position < end, bytes[position] <= 0x20 { position += 1 }
    }

    private static func skip(_ byte: UInt8, _ position: inout Int, _ end: Int, _ bytes: [UInt8]) {
        skipSpace(&position, end, bytes)
        if position < end, bytes[position] == byte { position += 1 }
    }
}
