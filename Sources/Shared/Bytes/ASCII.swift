/// Byte classes, case folding, decimal and hexadecimal numbers. Pure.
public enum ASCII {
    @inline(__always) public static var carriageReturn: UInt8 { 0x0D }
    @inline(__always) public static var lineFeed: UInt8 { 0x0A }
    @inline(__always) public static var space: UInt8 { 0x20 }
    @inline(__always) public static var tab: UInt8 { 0x09 }
    @inline(__always) public static var colon: UInt8 { 0x3A }
    @inline(__always) public static var comma: UInt8 { 0x2C }
    @inline(__always) public static var quote: UInt8 { 0x22 }
    @inline(__always) public static var backslash: UInt8 { 0x5C }
    @inline(__always) public static var slash: UInt8 { 0x2F }

    @inline(__always)
    public static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    /// Eight bytes at once.
    @inline(__always)
    public static func lowercased(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        // The high bit of each byte that is at least "A" and not beyond "Z", and is ASCII; no sum carries over.
        let low = word & (ones &* 0x7F)
        let capitals = (low &+ ones &* (0x80 - 0x41)) & ~(low &+ ones &* (0x80 - 0x5B)) & ~word & (ones &* 0x80)
        return word | capitals >> 2
    }

    @inline(__always)
    public static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    public static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Whether `range` of `bytes` equals `text`, which is given in lower case, letters compared in any case.
    public static func equalsIgnoringCase(_ bytes: [UInt8], _ range: Range<Int>, _ text: [UInt8]) -> Bool {
        guard range.count == text.count else { return false }
        let (given, wanted) = (bytes.span, text.span)
        var done = 0
        while done < wanted.count {
            let count = min(8, wanted.count &- done)
            let word = ByteSearch.word(given, at: range.lowerBound &+ done, count: count)
            guard lowercased(word) == ByteSearch.word(wanted, at: done, count: count) else { return false }
            done &+= count
        }
        return true
    }

    /// Decimal digits only, no sign, no blanks; nil when empty, malformed or beyond `Int`.
    public static func decimal(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        var value = 0
        for index in range {
            let byte = bytes[index]
            guard isDigit(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int(byte - 0x30))
            guard !overflow, !carried else { return nil }
            value = sum
        }
        return value
    }

    /// `range` without blanks and tabs at either end (OWS of RFC 9110 §5.6.3).
    public static func trimmed(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, bytes[lower] == space || bytes[lower] == tab { lower += 1 }
        while upper > lower, bytes[upper - 1] == space || bytes[upper - 1] == tab { upper -= 1 }
        return lower..<upper
    }
}

extension ByteBuffer {
    /// Appends `value` in decimal digits; a negative one counts as zero.
    public func append(decimal value: Int) {
        write { $0.put(decimal: value) }
    }

    /// Appends `value` in lower-case hexadecimal digits, at least `digits` of them, of which there are at most 16.
    public func append(hex value: UInt64, digits: Int = 1) {
        write { $0.put(hex: value, digits: digits) }
    }

    /// Appends a UUID, the first half of its bits in `high`, as text (RFC 9562 §4).
    public func append(uuid high: UInt64, _ low: UInt64) {
        write { $0.put(uuid: high, low) }
    }
}

extension ByteWriter {
    /// Puts `value` in decimal digits; a negative one counts as zero.
    public mutating func put(decimal value: Int) {
        let rest = UInt64(max(0, value))
        if rest < 10_000 {
            // Most are. Without a loop: two numbers below 100 side by side, of each its tens, then what these leave.
            let pairs = rest / 100 | (rest % 100) << 16
            let tens = (pairs &* 103) >> 10 & 0x000F_000F
            let digits = tens | (pairs &- tens &* 10) << 8
            let zeroes = min(3, digits.trailingZeroBitCount / 8)
            return put(word: (digits | 0x3030_3030) >> UInt64(8 &* zeroes), count: 4 &- zeroes)
        }
        let isLong = rest >= 100_000_000
        if isLong { put(decimal: Int(rest / 100_000_000)) }
        let digits = Self.eightDigits(isLong ? rest % 100_000_000 : rest)
        let zeroes = isLong ? 0 : digits.trailingZeroBitCount / 8
        put(word: (digits | 0x3030_3030_3030_3030) >> UInt64(8 &* zeroes), count: 8 &- zeroes)
    }

    /// The eight digits of `value`, which is less than 100,000,000, as bytes from 0 to 9, the first one lowest. Halves, then
    /// quarters of it side by side, then tens and ones of all four.
    @inline(__always)
    private static func eightDigits(_ value: UInt64) -> UInt64 {
        let halves = value / 10_000 | (value % 10_000) << 32
        let hundreds = (halves &* 5243) >> 19 & 0x0000_007F_0000_007F
        let quarters = hundreds | (halves &- hundreds &* 100) << 16
        let tens = (quarters &* 103) >> 10 & 0x000F_000F_000F_000F
        return tens | (quarters &- tens &* 10) << 8
    }

    /// Puts three digits of `value`, which is less than 1000.
    @inline(__always)
    public mutating func put(threeDigits value: Int) {
        put(word: Self.threeDigits(value), count: 3)
    }

    /// Puts milliseconds with three digits behind the point; a negative time counts as zero.
    public mutating func put(milliseconds microseconds: Int) {
        let microseconds = max(0, microseconds)
        if microseconds < 100_000_000 {
            let digits = Self.eightDigits(UInt64(microseconds))
            // At least one in front of the point, of five.
            let zeroes = min(4, digits.trailingZeroBitCount / 8)
            let word = digits | 0x3030_3030_3030_3030
            put(word: word >> UInt64(8 &* zeroes), count: 5 &- zeroes)
            return put(word: (word >> 40) << 8 | 0x2E, count: 4)
        }
        put(decimal: microseconds / 1000)
        put(word: 0x2E | Self.threeDigits(microseconds % 1000) << 8, count: 4)
    }

    @inline(__always)
    private static func threeDigits(_ value: Int) -> UInt64 {
        let value = UInt64(max(0, value))
        return 0x30_3030 + value / 100 + (value / 10 % 10) << 8 + (value % 10) << 16
    }

    fileprivate mutating func put(hex value: UInt64, digits: Int) {
        let significant = (67 - max(1, value).leadingZeroBitCount) / 4
        let count = min(16, max(digits, significant))
        let low = Self.hexDigits(UInt32(truncatingIfNeeded: value))
        if count > 8 {
            put(word: Self.hexDigits(UInt32(value >> 32)) >> UInt64(8 * (16 - count)), count: count - 8)
            put(word: low, count: 8)
        } else {
            put(word: low >> UInt64(8 * (8 - count)), count: count)
        }
    }

    fileprivate mutating func put(uuid high: UInt64, _ low: UInt64) {
        let hyphen: UInt64 = 0x2D
        let second = Self.hexDigits(UInt32(truncatingIfNeeded: high))
        let third = Self.hexDigits(UInt32(low >> 32))
        put(word: Self.hexDigits(UInt32(high >> 32)), count: 8)
        put(word: hyphen | (second & 0xFFFF_FFFF) << 8 | hyphen << 40 | (second >> 32) << 48, count: 8)
        put(word: second >> 48 | hyphen << 16 | (third & 0xFFFF_FFFF) << 24 | hyphen << 56, count: 8)
        put(word: third >> 32, count: 4)
        put(word: Self.hexDigits(UInt32(truncatingIfNeeded: low)), count: 8)
    }

    /// The eight hexadecimal digits of `value` as bytes, the first one lowest. All eight at once.
    static func hexDigits(_ value: UInt32) -> UInt64 {
        var nibbles = UInt64(value.byteSwapped)
        nibbles = (nibbles | nibbles << 16) & 0x0000_FFFF_0000_FFFF
        nibbles = (nibbles | nibbles << 8) & 0x00FF_00FF_00FF_00FF
        // Each byte becomes two: its high half first.
        nibbles = (nibbles >> 4 | nibbles << 8) & 0x0F0F_0F0F_0F0F_0F0F
        let letters = (nibbles &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 0x27
    }
}
