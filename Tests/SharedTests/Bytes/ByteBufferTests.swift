import Testing

@testable import Shared

@Suite struct ByteBufferTests {
    private func text(_ buffer: ByteBuffer) -> String {
        String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    @Test func appendsEveryKind() {
        let buffer = ByteBuffer(capacity: 0)
        buffer.append(0x61)
        buffer.append(Array("bc".utf8))
        buffer.append(Array("xdex".utf8), 1..<3)
        buffer.append("fg" as StaticString)
        buffer.append("hé" as String)
        buffer.append([])
        #expect(text(buffer) == "abcdefghé")
        #expect(buffer.count == 10)
    }

    @Test func anEmptyBufferStartsOverAtTheFront() {
        let buffer = ByteBuffer(capacity: 8)
        buffer.append("abcd" as StaticString)
        buffer.consume(2)
        #expect(buffer.readable == 2..<4)
        buffer.consume(2)
        #expect(buffer.readable == 0..<0)
    }

    @Test func roomIsMadeByMovingWhereThatIsEnough() {
        let buffer = ByteBuffer(capacity: 8)
        buffer.append("abcdefgh" as StaticString)
        buffer.consume(6)
        buffer.makeRoom(6)
        #expect(buffer.capacity == 8)
        #expect(text(buffer) == "gh")
        #expect(buffer.readable == 0..<2)
    }

    @Test func roomIsMadeByDoublingElse() {
        let buffer = ByteBuffer(capacity: 8)
        buffer.append("abcdefgh" as StaticString)
        buffer.makeRoom(1)
        #expect(buffer.capacity == 16)
        buffer.makeRoom(100)
        #expect(buffer.room >= 100)
        #expect(text(buffer) == "abcdefgh")
    }

    /// n bytes in small pieces move O(n) bytes in all: the capacity at least doubles whenever it grows.
    @Test func growsInFewSteps() {
        let buffer = ByteBuffer(capacity: 16)
        var growths = 0
        var capacity = buffer.capacity
        for _ in 0..<100_000 {
            buffer.append("0123456789" as StaticString)
            if buffer.capacity != capacity {
                growths += 1
                #expect(buffer.capacity >= 2 * capacity)
                capacity = buffer.capacity
            }
        }
        #expect(buffer.count == 1_000_000)
        #expect(growths <= 17)
    }

    @Test func compactMovesToTheFront() {
        let buffer = ByteBuffer(capacity: 8)
        buffer.append("abcdef" as StaticString)
        buffer.consume(4)
        buffer.compact()
        #expect(buffer.readable == 0..<2)
        #expect(text(buffer) == "ef")
    }

    @Test func shrinksOnlyWhenEmpty() {
        let buffer = ByteBuffer(capacity: 64)
        buffer.append(0x61)
        buffer.shrink(to: 8)
        #expect(buffer.capacity == 64)
        buffer.removeAll()
        buffer.shrink(to: 8)
        #expect(buffer.capacity == 8)
        buffer.shrink(to: 16)
        #expect(buffer.capacity == 8)
    }

    @Test func whatWasLentIsGivenBack() {
        let pool = BufferPool(size: 32)
        let buffer = ByteBuffer(from: pool)
        #expect(buffer.capacity == 0)
        buffer.append("abc" as StaticString)
        #expect(buffer.capacity == 32)
        buffer.rest()
        #expect(text(buffer) == "abc")
        buffer.release()
        #expect(buffer.capacity == 0 && buffer.isEmpty)
        // What has grown is no piece, and not kept.
        for _ in 0..<100 { buffer.append(0x61) }
        buffer.release()
        #expect(buffer.capacity == 0)
        var piece: [UInt8] = []
        pool.lend(to: &piece)
        #expect(piece.count == 32)
    }

    @Test func aPoolLetsGoOfWhatNobodyNeeds() {
        let pool = BufferPool(size: 32, keeping: 8)
        let buffers = (0..<8).map { _ in ByteBuffer(from: pool) }
        func use(_ count: Int) {
            for (index, buffer) in buffers.prefix(count).enumerated() { buffer.append(UInt8(index)) }
            #expect(buffers.prefix(count).map { $0.capacity } == Array(repeating: 32, count: count))
            for buffer in buffers { buffer.release() }
        }
        #expect(pool.held == 0)
        use(6)
        #expect(pool.held == 6)
        // They were all needed once since the beginning.
        pool.releaseUnused()
        #expect(pool.held == 6)
        use(2)
        pool.releaseUnused()
        #expect(pool.held == 2)
        pool.releaseUnused()
        #expect(pool.held == 0)
        use(8)
        #expect(pool.held == 8)
    }

    @Test func whatStaysForAWhileSettlesInASmallerPiece() {
        let (large, small) = (BufferPool(size: 64), BufferPool(size: 16))
        let buffer = ByteBuffer(from: large)
        for length in [1, 15, 16] {
            for byte in 0..<length { buffer.append(UInt8(byte)) }
            buffer.settle(in: small)
            #expect(buffer.capacity == 16)
            #expect(Array(buffer.storage[buffer.readable]) == (0..<length).map { UInt8($0) })
            // More comes meanwhile.
            buffer.append("more than fits a small piece" as StaticString)
            #expect(text(buffer).hasSuffix("more than fits a small piece"))
            #expect(buffer.count == length + 28)
            buffer.release()
            #expect(buffer.capacity == 0)
            buffer.append(0x61)
            buffer.settle(in: small)
            buffer.consume(1)
            buffer.rest()
            #expect(buffer.capacity == 0)
        }
        buffer.append("seventeen letters" as StaticString)
        buffer.settle(in: small)
        #expect(buffer.capacity == 64)
        buffer.consume(5)
        buffer.settle(in: small)
        #expect(buffer.capacity == 64 && text(buffer) == "teen letters")
    }

    @Test func editsInPlace() {
        let buffer = ByteBuffer(capacity: 8)
        buffer.append("abcdef" as StaticString)
        buffer.move(4..<6, to: 1)
        buffer.truncate(to: 3)
        #expect(text(buffer) == "aef")
    }

    @Test func joinsPieces() {
        let buffer = ByteBuffer(capacity: 20)
        buffer.append("..abc..d....efgh" as StaticString)
        func join(_ pieces: [Range<Int>], gap: Int) -> [Int] {
            var left = pieces[...]
            let before = buffer.storage
            let (joined, end) = buffer.join(gap: gap) { bytes, position in
                #expect(bytes[position] == before[position] && bytes.count == 16)
                return left.popFirst()
            }
            return [joined.lowerBound, joined.upperBound, end]
        }
        #expect(join([], gap: 1) == [0, 0, 0])
        #expect(join([2..<5], gap: 2) == [2, 5, 7] && text(buffer) == "..abc..d....efgh")
        #expect(join([2..<5, 7..<8, 8..<8, 12..<15], gap: 0) == [2, 9, 15])
        #expect(text(buffer).hasPrefix("..abcdefg"))
    }

    @Test func overlappingMovesKeepTheBytes() {
        for length in 0...20 {
            for position in 0...(20 - length) {
                for target in 0...position {
                    var bytes = (0..<20).map { UInt8($0) }
                    var expected = bytes
                    for index in 0..<length { expected[target + index] = bytes[position + index] }
                    bytes.move(position..<position + length, to: target)
                    #expect(bytes == expected, "\(position)..<\(position + length) to \(target)")
                }
            }
        }
    }

    @Test func lendsItsRoom() {
        let buffer = ByteBuffer(capacity: 2)
        let written = buffer.fill(atLeast: 5) { (storage: inout [UInt8], range: Range<Int>) in
            #expect(range.count >= 5)
            storage[range.lowerBound] = 0x61
            storage[range.lowerBound + 1] = 0x62
            return 2
        }
        #expect(written == 2)
        #expect(text(buffer) == "ab")
    }

    /// Against a plain array, with random edits.
    @Test func holdsWhatAnArrayWouldHold() {
        var random = FastRandom(seed: 11)
        for _ in 0..<200 {
            let buffer = ByteBuffer(capacity: Int.random(in: 0...16, using: &random))
            var model: [UInt8] = []
            for _ in 0..<100 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    let byte = UInt8.random(in: 0...255, using: &random)
                    buffer.append(byte)
                    model.append(byte)
                case 1, 2:
                    let bytes = (0..<Int.random(in: 0...40, using: &random)).map { UInt8($0) }
                    buffer.append(bytes)
                    model += bytes
                case 3:
                    let count = Int.random(in: 0...model.count, using: &random)
                    buffer.consume(count)
                    model.removeFirst(count)
                case 4: buffer.makeRoom(Int.random(in: 0...64, using: &random))
                default: buffer.compact()
                }
                #expect(Array(buffer.storage[buffer.readable]) == model)
            }
        }
    }
}

@Suite struct ByteMapTests {
    @Test func findsWhatWasPutIn() {
        let words = (0..<1000).map { "key-\($0)" } + ["", "a", "ab", "\u{0}"]
        let map = ByteMap(words.enumerated().map { (key: Array($0.element.utf8), value: $0.offset) })
        #expect(map.count == words.count)
        for (index, word) in words.enumerated() {
            #expect(map[Array(word.utf8)] == index)
            let inside = Array("<<\(word)>>".utf8)
            #expect(map[inside, 2..<inside.count - 2] == index)
        }
        for other in ["key-1000", "key", "b", "\u{0}\u{0}"] { #expect(map[Array(other.utf8)] == nil) }
    }

    @Test func theLastOfEqualKeysCounts() {
        let map = ByteMap([(key: [1], value: "a"), (key: [2], value: "b"), (key: [1], value: "c")])
        #expect(map[[1]] == "c")
        #expect(map.count == 2)
    }

    /// Against a dictionary and the order in which its keys came.
    @Test(arguments: [1, 2, 3] as [UInt64]) func changesAgreeWithADictionary(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var map = ByteMap<Int>()
        var model: [[UInt8]: Int] = [:]
        var order: [[UInt8]] = []
        for round in 0..<3000 {
            let key = (0..<Int.random(in: 0...3, using: &random)).map { _ in UInt8.random(in: 0...9, using: &random) }
            if model[key] == nil { order.append(key) }
            let number = map.change(key, from: -1) { value in
                #expect(value == model[key, default: -1], "seed \(seed)")
                value = round
            }
            model[key] = round
            #expect(order[number] == key && Array(map.key(number)) == key, "seed \(seed)")
        }
        #expect(map.count == model.count)
        for (key, value) in model { #expect(map[key] == value, "seed \(seed)") }
    }

    @Test func anEmptyMapHoldsNothing() {
        let map = ByteMap<Int>([])
        #expect(map[[]] == nil)
        #expect(map[[1, 2, 3]] == nil)
    }

    /// Of so many keys of one length some have the same 32 bits of hash, on which a map compares first.
    @Test func keysWithTheSameHashAreToldApart() {
        var map = ByteMap<Int>()
        func key(_ number: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: number >> (4 * $0)) & 15 } }
        for number in 0..<300_000 { map.change(key(number), from: -1) { $0 = number } }
        #expect(map.count == 300_000)
        #expect((0..<300_000).allSatisfy { map[key($0)] == $0 })
    }
}
