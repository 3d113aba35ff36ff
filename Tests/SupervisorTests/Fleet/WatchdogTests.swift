import Testing

@testable import Shared
@testable import tagway

@Suite struct WatchdogTests {
    /// Workers as the supervisor sees them from tick to tick.
    struct Driven {
        var watchdog = Watchdog()
        var now = Instant(nanoseconds: 1_000_000_000)
        var turns: [Int: Int] = [1: 0, 2: 0, 3: 0]
        var stopped: Set<Int> = []
        var dying: Set<Int> = []
        var lag = TimeSpan(nanoseconds: 0)

        mutating func tick(_ count: Int = 1) -> [Watchdog.Finding] {
            var findings: [Watchdog.Finding] = []
            for _ in 0..<count {
                for id in turns.keys where !stopped.contains(id) { turns[id]? += 1 }
                let observed = turns.map {
                    Watchdog.Observation(id: $0.key, turns: $0.value, lag: lag, isDying: dying.contains($0.key))
                }
                findings += watchdog.tick(observed, limit: .seconds(10), now: now)
                now = now + Watchdog.tick
            }
            return findings
        }
    }

    @Test func whoTurnsIsLeftAloneAndWhoDoesNotIsFoundAfterTheLimit() {
        var driven = Driven()
        #expect(driven.tick(200).isEmpty)
        driven.stopped = [2]
        #expect(driven.tick(39).isEmpty)
        #expect(driven.tick() == [.hung(2, silence: .seconds(10))])
    }

    /// A supervisor that was stopped itself has seen no silence.
    @Test func aGapBetweenTicksStartsAnew() {
        var driven = Driven()
        _ = driven.tick(5)
        driven.stopped = [1, 2, 3]
        #expect(driven.tick(39).isEmpty)
        driven.now = driven.now + .seconds(15)
        #expect(driven.tick(39).isEmpty)
        driven.stopped = []
        #expect(driven.tick(50).isEmpty)
    }

    @Test func oneIsKilledAtATimeUnlessAllHang() {
        var driven = Driven()
        _ = driven.tick(5)
        driven.stopped = [1, 2]
        let found = driven.tick(40)
        #expect(found.count == 1)
        guard case .hung(let first, _)? = found.first else {
            Issue.record("nobody was found")
            return
        }
        driven.dying = [first]
        #expect(driven.tick(4).isEmpty)
        driven.turns[first] = nil
        driven.dying = []
        #expect(driven.tick().count == 1)
        var all = Driven()
        _ = all.tick(5)
        all.stopped = [1, 2, 3]
        #expect(all.tick(40).count == 3)
    }

    @Test func aSlowLoopIsToldOfOnceAndNotKilled() {
        var driven = Driven()
        driven.lag = .milliseconds(1500)
        #expect(driven.tick(19).isEmpty)
        #expect(driven.tick(400).count == 3)
        driven.lag = .milliseconds(10)
        #expect(driven.tick(4).isEmpty)
        driven.lag = .milliseconds(1500)
        #expect(driven.tick(20).count == 3)
    }
}
