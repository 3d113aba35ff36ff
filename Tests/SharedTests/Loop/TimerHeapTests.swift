import Testing

@testable import Shared

@Suite struct TimerHeapTests {
    @Test func answersInTheOrderOfDeadlines() {
        var heap = TimerHeap()
        for (number, at) in [5, 3, 9, 1, 7].enumerated() { heap.set(number, to: Instant(nanoseconds: Int64(at))) }
        heap.set(0, to: Instant(nanoseconds: 2))
        heap.remove(2)
        var order: [Int] = []
        while let number = heap.popDue(Instant(nanoseconds: 8)) { order.append(number) }
        #expect(order == [3, 0, 1, 4])
        #expect(heap.earliest == nil)
    }

    /// Against a plain dictionary, which is the whole specification.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func agreesWithADictionary(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var heap = TimerHeap()
        var model: [Int: Int64] = [:]
        for _ in 0..<5000 {
            let number = Int.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                heap.remove(number)
                model[number] = nil
            case 1:
                let now = Int64.random(in: 0..<1000, using: &random)
                if let due = heap.popDue(Instant(nanoseconds: now)) {
                    #expect(model[due] == model.values.min(), "seed \(seed)")
                    model[due] = nil
                } else {
                    #expect((model.values.min() ?? .max) > now, "seed \(seed)")
                }
            default:
                let at = Int64.random(in: 0..<1000, using: &random)
                heap.set(number, to: Instant(nanoseconds: at))
                model[number] = at
            }
            #expect(heap.count == model.count && heap.earliest?.nanoseconds == model.values.min(), "seed \(seed)")
        }
    }
}

/// SplitMix64: a test names its seed and can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
