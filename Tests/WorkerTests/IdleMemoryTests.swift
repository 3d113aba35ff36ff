import Shared
import Testing

@testable import Worker

@Suite struct IdleMemoryTests {
    private static let megabyte = 1 << 20

    /// What it says at the end of each window of looks.
    private func steps(_ windows: [[Int]]) -> [IdleMemory.Step] {
        var memory = IdleMemory()
        return windows.map { window in
            var last = IdleMemory.Step.wait
            for index in 0..<IdleMemory.looks {
                last = memory.look(window[index % window.count] * Self.megabyte)
                #expect((last == .wait) == (index < IdleMemory.looks - 1))
            }
            return last
        }
    }

    @Test func whatIsUnusedForAWholeWindowGoesBack() {
        #expect(steps([[20]]) == [.giveBack])
        #expect(steps([[20, 20, 20, 1, 20]]) == [.shrink])
        #expect(steps([[1], [30, 1], [30, 29]]) == [.shrink, .shrink, .giveBack])
    }

    @Test func itGoesBackOnce() {
        // Free memory stays counted when it has gone back.
        #expect(steps([[20], [20], [21], [23]]) == [.giveBack, .shrink, .shrink, .giveBack])
    }

    @Test func whatWasUsedMeanwhileIsNewAgain() {
        #expect(steps([[20], [20, 3], [20]]) == [.giveBack, .shrink, .giveBack])
    }

    @Test(arguments: [(false, 6_000), (true, 21_000)])
    func expensiveLooksAreRare(isBusy: Bool, due: Int64) {
        var memory = IdleMemory()
        func isDue(_ milliseconds: Int64) -> Bool {
            memory.isDue(Instant(nanoseconds: milliseconds * 1_000_000), isBusy: isBusy)
        }
        #expect(isDue(0))
        memory.looked(from: Instant(nanoseconds: 999_000_000), to: Instant(nanoseconds: 1_000_000_000))
        #expect(!isDue(due - 1))
        #expect(isDue(due))
    }

    @Test(arguments: [false, true])
    func aLookThatStoodStillDelaysTheNextByAMinute(isBusy: Bool) {
        var memory = IdleMemory()
        let end = Instant(nanoseconds: 0) + .seconds(100_000)
        memory.looked(from: Instant(nanoseconds: 0), to: end)
        #expect(!memory.isDue(end + .seconds(59), isBusy: isBusy))
        #expect(memory.isDue(end + .seconds(60), isBusy: isBusy))
    }
}
