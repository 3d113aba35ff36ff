import Testing

@testable import Shared

@Suite struct ByteWriterTests {
    private func text(_ buffer: ByteBuffer) -> String {
        String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    @Test func piecesFollowEachOther() {
        let buffer = ByteBuffer(capacity: 64)
        buffer.append("a " as StaticString)
        let bytes = Array("0123456789".utf8)
        buffer.write { line in
            line.put("text ")
            line.put(bytes, 3..<6)
            line.put(word: 0x6261, count: 2)
            line.put(bytes)
            line.put(bytes, 4..<4)
            line.put(decimal: 1_234_567_890_123)
            line.put(" ")
            line.put(milliseconds: 12_034_005)
        }
        #expect(text(buffer) == "a text 345ab01234567891234567890123 12034.005")
    }

    @Test(arguments: [0, 1, 7, 8, 15, 16, 63, 64])
    func whatDoesNotFitGetsItsRoom(capacity: Int) {
        let buffer = ByteBuffer(capacity: capacity)
        let piece = Array(repeating: UInt8(ascii: "x"), count: 13)
        for _ in 0..<40 {
            buffer.write { line in
                line.put(piece)
                _ = line.putPlain(piece, 0..<5)
                line.put("-")
            }
        }
        #expect(text(buffer) == String(repeating: String(repeating: "x", count: 18) + "-", count: 40))
    }

    /// The text between pieces of any length, wherever it begins and ends in its memory, with any room: the words that it is
    /// put as end there.
    @Test func piecesHaveATextBetweenThem() {
        let bytes = Array("0123456789".utf8)
        let bounds = [1, 4, 4, 4, 0, 10, 9, 10, 5, 7]
        for length in 0..<20 {
            for (before, behind) in [(0, 0), (0, 3), (5, 0), (9, 40)] {
                let name = ByteBuffer(capacity: before + length + behind)
                name.append([UInt8](repeating: 0x5F, count: before))
                name.append(Array((0..<UInt8(length)).map { 0x61 + $0 }))
                name.consume(before)
                let pieces = ["123", "", "0123456789", "9", "56"]
                for number in 0...pieces.count {
                    for capacity in 1..<64 {
                        let buffer = ByteBuffer(capacity: capacity)
                        buffer.write { line in
                            line.put("<")
                            line.put(bytes, pieces: bounds, number, between: name)
                            line.put(">")
                        }
                        #expect(text(buffer) == "<\(pieces.prefix(number).joined(separator: text(name)))>")
                    }
                }
            }
        }
    }

    @Test func whatIsFreedInFrontIsUsed() {
        let buffer = ByteBuffer(capacity: 32)
        buffer.append("0123456789012345678901234567" as StaticString)
        buffer.consume(20)
        buffer.write { $0.put("more") }
        #expect(text(buffer) == "01234567more")
    }

    @Test func plainIsWhatNeedsNoEscape() {
        let special: [UInt8] = [0x22, 0x5C, 0x7F]
        let plain = (UInt8(0x20)..<0x80).filter { !special.contains($0) }
        for length in [1, 7, 8, 9, 15, 16, 17, 32, 33, 47] {
            for position in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var bytes = Array(plain.prefix(length))
                    bytes[position] = byte
                    // Something behind it, or nothing.
                    for rest in ["", "\"\\\u{1}"] {
                        let buffer = ByteBuffer(capacity: 64)
                        buffer.append(0x3C)
                        var isPlain = false
                        buffer.write { isPlain = $0.putPlain(bytes + Array(rest.utf8), 0..<length) }
                        #expect(isPlain == plain.contains(byte))
                        let written = Array(buffer.storage[buffer.readable])
                        #expect(written == (isPlain ? [0x3C] + bytes : [0x3C]))
                    }
                }
            }
        }
    }
}
