import Testing

@testable import Shared

@Suite struct ByteSearchTests {
    private func endOfPlainText(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
        ByteSearch.endOfPlainText(bytes.span, from: start, to: end)
    }

    /// Each special byte at each place, behind and before others, at every offset within a word and a block.
    @Test func findsTheEndOfPlainText() {
        let special: [UInt8] = [0x00, 0x1F, 0x22, 0x5C, 0x80, 0xC3, 0xFF]
        let plain: [UInt8] = [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x61, 0x7E, 0x7F]
        for length in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 113] {
            for filler in plain {
                var bytes = [UInt8](repeating: filler, count: length + 8)
                for start in 0..<8 {
                    #expect(endOfPlainText(bytes, start, start + length) == start + length)
                }
                for place in 0..<length {
                    for byte in special {
                        let kept = bytes[3 + place]
                        bytes[3 + place] = byte
                        #expect(endOfPlainText(bytes, 3, 3 + length) == 3 + place, "\(byte) at \(place) of \(length)")
                        bytes[3 + place] = kept
                    }
                }
            }
        }
    }

    @Test func everyByteIsToldApart() {
        for byte in UInt8.min...UInt8.max {
            let isPlain = byte >= 0x20 && byte < 0x80 && byte != 0x22 && byte != 0x5C
            for place in [0, 5, 8, 20, 33, 39] {
                var bytes = [UInt8](repeating: 0x61, count: 40)
                bytes[place] = byte
                #expect(endOfPlainText(bytes, 0, 40) == (isPlain ? 40 : place), "byte \(byte)")
            }
        }
    }

    @Test func findsAByteLikeASimpleLoop() {
        var random = FastRandom(seed: 5)
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...100, using: &random)).map { _ in
                [0x00, 0x0A, 0x0B, 0x61, 0x80, 0xFF][Int.random(in: 0..<6, using: &random)] as UInt8
            }
            let start = Int.random(in: 0...bytes.count, using: &random)
            let end = Int.random(in: start...bytes.count, using: &random)
            for byte in [0x00, 0x0A, 0x61, 0x80, 0xFF] as [UInt8] {
                #expect(ByteSearch.first(byte, bytes, in: start..<end) == bytes[start..<end].firstIndex(of: byte))
            }
        }
    }

    /// Several marks in one block, of which the first counts, tabs among them.
    @Test func findsTheFirstOfSeveralLikeASimpleLoop() {
        var random = FastRandom(seed: 9)
        let marks: [UInt8] = [0x00, 0x09, 0x1F, 0x22, 0x5C, 0x7F, 0x80, 0xFF]
        for _ in 0..<4000 {
            let spread = Int.random(in: 1...60, using: &random)
            let bytes = (0..<Int.random(in: 0...180, using: &random)).map { _ -> UInt8 in
                let isMark = Int.random(in: 0..<spread, using: &random) == 0
                return isMark ? marks.randomElement(using: &random)! : UInt8.random(in: 0x23...0x5B, using: &random)
            }
            let start = Int.random(in: 0...bytes.count, using: &random)
            let end = Int.random(in: start...bytes.count, using: &random)
            let plain = bytes[start..<end].firstIndex { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C || $0 >= 0x80 }
            #expect(endOfPlainText(bytes, start, end) == plain ?? end, "\(bytes[start..<end])")
            let field = bytes[start..<end].firstIndex { !isFieldByte($0) }
            let found = ByteSearch.endOfFieldText(bytes.span, from: start, to: end)
            #expect(found == field ?? end, "\(bytes[start..<end])")
        }
    }

    @Test func looksAtNothingOutsideOfItsRange() {
        let bytes = Array("\"aaaaaaaa\"".utf8)
        #expect(endOfPlainText(bytes, 1, 5) == 5)
        #expect(ByteSearch.first(0x22, bytes, in: 1..<9) == nil)
        #expect(endOfPlainText(bytes, 4, 4) == 4)
        let long = [UInt8](repeating: 0x61, count: 70) + [0x22]
        for end in 0...70 { #expect(endOfPlainText(long, 0, end) == end) }
    }

    /// Wherever the only difference is, among bytes that lie anywhere; what lies around them does not matter.
    @Test func seesEachDifference() {
        for count in 0...200 {
            let left = [1, 2, 3] + (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) } + [4]
            var right = [9] + left[3..<3 + count] + [8, 8]
            #expect(same(left, right, count) == (true, count))
            for place in 0..<count {
                right[1 + place] ^= 0x80
                #expect(same(left, right, count) == (false, place), "\(count) bytes, the difference at \(place)")
                right[1 + place] ^= 0x80
            }
        }
    }

    private func same(_ left: [UInt8], _ right: [UInt8], _ count: Int) -> (Bool, Int) {
        let isSame = ByteSearch.areSame(left.span, at: 3, right.span, at: 1, count: count)
        return (isSame, ByteSearch.commonLength(left, at: 3, right.span, at: 1, upTo: count))
    }

    /// Also where fewer than eight bytes are left, and where there are fewer in all.
    @Test(arguments: 0...20) func aWordHasTheBytesOfItsPlaceAndNoOthers(length: Int) {
        let bytes = (0..<length).map { UInt8(0xF0 - 7 * $0) }
        for position in 0...length {
            for count in 0...min(8, length - position) {
                let wanted = bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
                #expect(ByteSearch.word(bytes.span, at: position, count: count) == wanted)
            }
        }
    }
}
