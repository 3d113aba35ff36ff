/// Byte classes, case folding, decimal and hexadecimal numbers. Pure.
package enum ASCII {
    package static let carriageReturn: UInt8 = 0x0D
    package static let lineFeed: UInt8 = 0x0A
    package static let space: UInt8 = 0x20
    package static let tab: UInt8 = 0x09
    package static let colon: UInt8 = 0x3A
    package static let comma: UInt8 = 0x2C
    package static let quote: UInt8 = 0x22
    package static let backslash: UInt8 = 0x5C
    package static let slash: UInt8 = 0x2F

    @inline(__always)
    package static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 0x41 < 26 ? byte | 0x20 : byte
    }

    @inline(__always)
    package static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always)
    package static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    /// Whether `range` of `bytes` equals `text`, which is given in lower case, letters compared in any case.
    package static func equalsIgnoringCase(_ bytes: [UInt8], _ range: Range<Int>, _ text: [UInt8]) -> Bool {
        guard range.count == text.count else { return false }
        var index = range.lowerBound
        for byte in text {
            guard lowercased(bytes[index]) == byte else { return false }
            index += 1
        }
        return true
    }

    /// Decimal digits only, no sign, no blanks; nil when empty, malformed or beyond `Int`.
    package static func decimal(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
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
    package static func trimmed(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, bytes[lower] == space || bytes[lower] == tab { lower += 1 }
        while upper > lower, bytes[upper - 1] == space || bytes[upper - 1] == tab { upper -= 1 }
        return lower..<upper
    }
}

extension ByteBuffer {
    /// Appends `value` in decimal digits; a negative one counts as zero.
    package func append(decimal value: Int) {
        var rest = max(0, value)
        var divisor = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(0x30 + rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// Appends `value` in lower-case hexadecimal digits, at least `digits` of them.
    package func append(hex value: UInt64, digits: Int = 1) {
        var shift = 60
        while shift > 0, shift / 4 >= digits, value >> UInt64(shift) == 0 { shift -= 4 }
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
            append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            shift -= 4
        }
    }
}
