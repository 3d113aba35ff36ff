import Testing

@testable import Shared

/// Numbers and short texts that are computed as words of eight bytes.
@Suite struct NumberWritingTests {
    private func text(_ write: (ByteBuffer) -> Void) -> String {
        // Too small for any of them, so that each has to make its room.
        let buffer = ByteBuffer(capacity: 1)
        write(buffer)
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    private static let numbers: [Int] =
        (0...20).flatMap { power -> [Int] in
            let (value, overflow) = (0..<power).reduce((1, false)) { partial, _ in
                let (product, overflow) = partial.0.multipliedReportingOverflow(by: 10)
                return (product, partial.1 || overflow)
            }
            return overflow ? [] : [value - 1, value, value + 1]
        } + [12_345_678, 123_456_789, .max]

    @Test(arguments: numbers) func writesDecimalDigits(_ value: Int) {
        #expect(text { $0.append(decimal: value) } == String(value))
    }

    @Test func writesEveryNumberOfFourDigits() {
        for value in 0..<10_000 { #expect(text { $0.append(decimal: value) } == String(value)) }
    }

    @Test(arguments: numbers) func writesMilliseconds(_ microseconds: Int) {
        let behind = String(microseconds % 1000)
        let expected = "\(microseconds / 1000).\(String(repeating: "0", count: 3 - behind.count))\(behind)"
        #expect(text { buffer in buffer.write { $0.put(milliseconds: microseconds) } } == expected)
    }

    /// Each digit in each place of eight, beside zeroes and beside others.
    @Test func writesEveryDigitInItsPlace() {
        var power = 1
        for _ in 0..<8 {
            for digit in 0..<10 {
                for value in [digit * power, 12_345_678 + digit * power - (12_345_678 / power % 10) * power] {
                    #expect(text { $0.append(decimal: value) } == String(value))
                    #expect(text { $0.append(decimal: value + 500_000_000) } == String(value + 500_000_000))
                }
            }
            power *= 10
        }
    }

    @Test func writesNegativeNumbersAsZero() {
        #expect(text { $0.append(decimal: -1) } == "0")
        #expect(text { $0.append(decimal: .min) } == "0")
    }

    @Test(arguments: 0..<64) func writesHexadecimalDigits(_ shift: Int) {
        let one = UInt64(1) << UInt64(shift)
        let values: [UInt64] = [one, one - 1, 0xFEDC_BA98_7654_3210 >> UInt64(shift)]
        for value in values {
            let digits = String(value, radix: 16)
            #expect(text { $0.append(hex: value) } == digits)
            for width in 1...16 {
                let padded = String(repeating: "0", count: max(0, width - digits.count)) + digits
                #expect(text { $0.append(hex: value, digits: width) } == padded)
            }
        }
    }

    @Test func appendsPartsOfAWord() {
        let word: UInt64 = 0x6867_6665_6463_6261
        for count in 0...8 { #expect(text { $0.append(word: word, count: count) } == "abcdefgh".prefix(count)) }
    }

    @Test(arguments: [
        ("", ""), ("plain", "plain"), ("a\"b\\c", #"a\"b\\c"#),
        ("\n\r\t\u{0}\u{1f}\u{7f}", #"\n\r\t\u0000\u001f\u007f"#),
        ("żółw 漢字 😀", "żółw 漢字 😀"),
        (String(repeating: "x", count: 100) + "\"", String(repeating: "x", count: 100) + #"\""#),
    ]) func writesTextAsJSON(_ plain: String, _ escaped: String) {
        #expect(text { $0.append(json: plain) } == "\"\(escaped)\"")
        let bytes = Array("<\(plain)>".utf8)
        #expect(text { $0.append(json: bytes, 1..<bytes.count - 1) } == "\"\(escaped)\"")
    }

    @Test func replacesWhatIsNoUTF8() {
        #expect(text { $0.append(json: [0x61, 0xFF, 0x22], 0..<3) } == "\"a\u{FFFD}\\\"\"")
    }
}
