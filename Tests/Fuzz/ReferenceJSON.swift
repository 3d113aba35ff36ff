/// A second, simple reader of JSON to hold the scanner against: recursive, and written from RFC 8259 alone.
///
/// Keeps where members and elements lie; knows nothing of pieces.
struct ReferenceJSON {
    indirect enum Value: Equatable {
        case object([Member])
        case array([Element])
        case string, number, `true`, `false`, null
    }

    struct Member: Equatable {
        /// Between the quotes.
        var key: Range<Int>
        var range: Range<Int>
        var value: Value
    }

    struct Element: Equatable {
        var range: Range<Int>
        var value: Value
    }

    struct Invalid: Error {}

    private let bytes: [UInt8]
    private let end: Int
    private var position: Int
    private let maximumDepth: Int

    /// The value of a whole text; nil when it is invalid.
    static func read(_ bytes: [UInt8], _ range: Range<Int>, maximumDepth: Int = 256) -> Element? {
        var reader = ReferenceJSON(
            bytes: bytes, end: range.upperBound, position: range.lowerBound, maximumDepth: maximumDepth)
        do {
            let value = try reader.value(depth: 0)
            reader.skipSpace()
            return reader.position == reader.end ? value : nil
        } catch {
            return nil
        }
    }

    /// What a string says, its escapes resolved; `range` lies between its quotes.
    static func unescaped(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var units: [UInt16] = []
        var plain: [UInt8] = []
        func flush() {
            plain += Array(String(decoding: units, as: UTF16.self).utf8)
            units = []
        }
        var index = range.lowerBound
        while index < range.upperBound {
            guard bytes[index] == 0x5C else {
                flush()
                plain.append(bytes[index])
                index += 1
                continue
            }
            let names: [UInt8: UInt16] = [0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9]
            if bytes[index + 1] == 0x75 {
                units.append(UInt16(text(bytes[index + 2..<index + 6]), radix: 16) ?? 0)
                index += 6
            } else {
                units.append(names[bytes[index + 1]] ?? UInt16(bytes[index + 1]))
                index += 2
            }
        }
        flush()
        return plain
    }

    private mutating func value(depth: Int) throws -> Element {
        skipSpace()
        let start = position
        let value: Value
        switch peek {
        case 0x7B:
            guard depth < maximumDepth else { throw Invalid() }
            value = .object(try members(depth: depth + 1))
        case 0x5B:
            guard depth < maximumDepth else { throw Invalid() }
            value = .array(try elements(depth: depth + 1))
        case 0x22:
            _ = try string()
            value = .string
        case 0x74: value = try word("true", .true)
        case 0x66: value = try word("false", .false)
        case 0x6E: value = try word("null", .null)
        default: value = try number()
        }
        return Element(range: start..<position, value: value)
    }

    private var peek: UInt8? { position < end ? bytes[position] : nil }

    private mutating func take() throws -> UInt8 {
        guard position < end else { throw Invalid() }
        position += 1
        return bytes[position - 1]
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    private mutating func members(depth: Int) throws -> [Member] {
        position += 1
        var members: [Member] = []
        skipSpace()
        if take(0x7D) { return members }
        while true {
            skipSpace()
            let key = try string()
            skipSpace()
            guard take(0x3A) else { throw Invalid() }
            let value = try value(depth: depth)
            members.append(Member(key: key, range: value.range, value: value.value))
            skipSpace()
            if take(0x7D) { return members }
            guard take(0x2C) else { throw Invalid() }
        }
    }

    private mutating func elements(depth: Int) throws -> [Element] {
        position += 1
        var elements: [Element] = []
        skipSpace()
        if take(0x5D) { return elements }
        while true {
            elements.append(try value(depth: depth))
            skipSpace()
            if take(0x5D) { return elements }
            guard take(0x2C) else { throw Invalid() }
        }
    }

    private mutating func string() throws -> Range<Int> {
        guard take(0x22) else { throw Invalid() }
        let start = position
        var units: [UInt16] = []
        while true {
            let byte = try take()
            if byte == 0x22 { break }
            guard byte >= 0x20 else { throw Invalid() }
            guard byte == 0x5C else {
                try checkPairs(&units)
                continue
            }
            let escape = try take()
            if escape == 0x75 {
                var unit: UInt16 = 0
                for _ in 0..<4 {
                    guard let digit = Character(Unicode.Scalar(try take())).hexDigitValue else { throw Invalid() }
                    unit = unit << 4 | UInt16(digit)
                }
                units.append(unit)
            } else {
                try checkPairs(&units)
                guard Array(#""\/bfnrt"#.utf8).contains(escape) else { throw Invalid() }
            }
        }
        try checkPairs(&units)
        let range = start..<position - 1
        // Escapes are ASCII: the rest is UTF-8 exactly when the whole is.
        guard String(validating: bytes[range], as: UTF8.self) != nil else { throw Invalid() }
        return range
    }

    /// Escaped code units that stand together have to be UTF-16.
    private func checkPairs(_ units: inout [UInt16]) throws {
        guard units.isEmpty || String(validating: units, as: UTF16.self) != nil else { throw Invalid() }
        units = []
    }

    private mutating func word(_ word: String, _ value: Value) throws -> Value {
        for byte in word.utf8 { guard take(byte) else { throw Invalid() } }
        return value
    }

    private mutating func number() throws -> Value {
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
        func digits() throws {
            guard isDigit(peek) else { throw Invalid() }
            while isDigit(peek) { position += 1 }
        }
        _ = take(0x2D)
        if !take(0x30) { try digits() }
        if take(0x2E) { try digits() }
        if take(0x65) || take(0x45) {
            if !take(0x2B) { _ = take(0x2D) }
            try digits()
        }
        return .number
    }
}
