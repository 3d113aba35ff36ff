/// The value of `Host`: `uri-host [ ":" port ]`; RFC 9110 §7.2, RFC 3986 §3.2.2. Pure.
///
/// Nothing here looks at the name; who forwards by it, in front of us, must not read another one than we would.
enum HostField {
    static func isValid(_ bytes: [UInt8], _ value: Range<Int>) -> Bool {
        var position = value.lowerBound
        if position < value.upperBound, bytes[position] == 0x5B {
            guard let end = endOfLiteral(bytes, value) else { return false }
            position = end
        } else {
            while position < value.upperBound {
                let byte = bytes[position]
                if byte == 0x25 {
                    guard value.upperBound - position > 2, ASCII.hexValue(bytes[position + 1]) != nil,
                        ASCII.hexValue(bytes[position + 2]) != nil
                    else { return false }
                    position += 3
                } else if isNameByte(byte) {
                    position += 1
                } else {
                    break
                }
            }
        }
        guard position < value.upperBound else { return true }
        return bytes[position] == ASCII.colon && bytes[position + 1..<value.upperBound].allSatisfy(ASCII.isDigit)
    }

    /// Behind the `]` of an address in brackets.
    private static func endOfLiteral(_ bytes: [UInt8], _ value: Range<Int>) -> Int? {
        let inside = value.lowerBound + 1..<value.upperBound
        guard let end = bytes[inside].firstIndex(of: 0x5D), end > inside.lowerBound,
            bytes[inside.lowerBound..<end].allSatisfy({ isNameByte($0) || $0 == ASCII.colon })
        else { return nil }
        return end + 1
    }

    /// unreserved and sub-delims of RFC 3986 §2, as two words of bits.
    @inline(__always)
    private static func isNameByte(_ byte: UInt8) -> Bool {
        let low: UInt64 = 0x2BFF_7FD2_0000_0000
        let high: UInt64 = 0x47FF_FFFE_87FF_FFFE
        return byte < 64 ? low >> UInt64(byte) & 1 == 1 : byte < 128 && high >> UInt64(byte - 64) & 1 == 1
    }
}
