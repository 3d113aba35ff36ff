import Testing

@testable import Shared

@Suite struct ASCIITests {
    @Test func knowsEveryByte() {
        for byte in UInt8.min...UInt8.max {
            let character = Character(Unicode.Scalar(byte))
            let isASCII = byte < 0x80
            #expect(ASCII.isDigit(byte) == (isASCII && character.isWholeNumber), "byte \(byte)")
            #expect(ASCII.hexValue(byte).map(Int.init) == (isASCII ? character.hexDigitValue : nil), "byte \(byte)")
            let lower = isASCII ? character.lowercased().utf8.first : byte
            #expect(ASCII.lowercased(byte) == lower, "byte \(byte)")
        }
    }

    @Test(arguments: [
        ("0", 0), ("7", 7), ("0012", 12), ("9223372036854775807", Int.max), ("9223372036854775808", nil),
        ("99999999999999999999999", nil), ("", nil), ("-1", nil), ("+1", nil), (" 1", nil), ("1 ", nil), ("1a", nil),
        ("0x1", nil), ("1,1", nil),
    ])
    func readsDecimalNumbers(_ text: String, _ value: Int?) {
        let bytes = Array("<\(text)>".utf8)
        #expect(ASCII.decimal(bytes, 1..<bytes.count - 1) == value)
    }

    @Test(arguments: [
        ("Chunked", "chunked", true), ("CHUNKED", "chunked", true), ("chunke", "chunked", false),
        ("chunkedd", "chunked", false), ("", "", true), ("a[", "a{", false), ("@", "`", false), ("é", "é", true),
    ])
    func comparesLettersInAnyCase(_ text: String, _ lower: String, _ isEqual: Bool) {
        let bytes = Array("<\(text)>".utf8)
        #expect(ASCII.equalsIgnoringCase(bytes, 1..<bytes.count - 1, Array(lower.utf8)) == isEqual)
    }

    @Test(arguments: [("  a b \t", "a b"), ("", ""), (" \t ", ""), ("a", "a"), ("\ta", "a"), ("\u{A0}a", "\u{A0}a")])
    func trimsBlanks(_ text: String, _ expected: String) {
        let bytes = Array("x\(text)x".utf8)
        #expect(String(decoding: bytes[ASCII.trimmed(bytes, 1..<bytes.count - 1)], as: UTF8.self) == expected)
    }

    @Test func writesDecimalNumbers() {
        for value in [0, 1, 9, 10, 99, 100, 12_345, 1_000_000, Int.max, Int.max - 1] {
            let buffer = ByteBuffer(capacity: 1)
            buffer.append(decimal: value)
            #expect(String(decoding: buffer.storage[buffer.readable], as: UTF8.self) == "\(value)")
        }
        let buffer = ByteBuffer(capacity: 1)
        buffer.append(decimal: -5)
        #expect(Array(buffer.storage[buffer.readable]) == [0x30])
    }

    @Test func writesHexadecimalNumbers() {
        for (value, digits) in [(0, 1), (1, 1), (15, 1), (16, 1), (0xABCDEF, 1), (UInt64.max, 1), (5, 4), (0x12345, 2)]
        {
            let buffer = ByteBuffer(capacity: 1)
            buffer.append(hex: value, digits: digits)
            let plain = String(value, radix: 16)
            let expected = String(repeating: "0", count: max(0, digits - plain.count)) + plain
            #expect(String(decoding: buffer.storage[buffer.readable], as: UTF8.self) == expected)
        }
    }
}
