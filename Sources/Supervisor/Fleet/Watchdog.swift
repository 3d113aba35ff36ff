internal import Shared

/// Which workers have stopped turning their loop. Pure: one tick after the other in, findings out.
///
/// Time is counted in ticks of the supervisor, not of a clock: while the supervisor itself is stopped, or the machine
/// sleeps, no tick passes and nobody grows silent. A worker that is slow but turns is never found hung.
struct Watchdog {
    struct Observation: Equatable {
        var id: Int
        /// Any number that changes whenever its loop turns.
        var turns: Int
        var lag: TimeSpan
        /// It was found hung and is being killed.
        var isDying = false
    }

    enum Finding: Equatable {
        case hung(Int, silence: TimeSpan)
        /// Its loop serves timers this late, for seconds already.
        case lagging(Int, TimeSpan)
    }

    private struct Pulse {
        var turns: Int
        var silentTicks = 0
        var lagTicks = 0
        var isLagTold = false
    }

    static let tick = TimeSpan.milliseconds(250)
    /// A gap this long between ticks means that we were stopped.
    static let gap = TimeSpan.seconds(2)
    static let lagLimit = TimeSpan.seconds(1)
    static let lagPatience = TimeSpan.seconds(5)

    private var pulses: [Int: Pulse] = [:]
    private var lastTick: Instant?

    /// `limit`: the longest silence.
    mutating func tick(_ observed: [Observation], limit: TimeSpan, now: Instant) -> [Finding] {
        if let lastTick, now - lastTick > Self.gap { pulses = [:] }
        lastTick = now
        var findings: [Finding] = []
        var silent: [(id: Int, silence: TimeSpan)] = []
        var next: [Int: Pulse] = [:]
        for one in observed where !one.isDying {
            var pulse = pulses[one.id] ?? Pulse(turns: one.turns)
            pulse.silentTicks = pulse.turns == one.turns ? pulse.silentTicks + 1 : 0
            pulse.turns = one.turns
            pulse.lagTicks = one.lag >= Self.lagLimit ? pulse.lagTicks + 1 : 0
            if pulse.lagTicks == 0 { pulse.isLagTold = false }
            if !pulse.isLagTold, Self.span(pulse.lagTicks) >= Self.lagPatience {
                pulse.isLagTold = true
                findings.append(.lagging(one.id, one.lag))
            }
            if Self.span(pulse.silentTicks) >= limit { silent.append((one.id, Self.span(pulse.silentTicks))) }
            next[one.id] = pulse
        }
        pulses = next
        // One at a time, for what hangs several at once may pass; but if nobody turns, nothing is left to lose.
        let isOneDying = observed.contains(where: \.isDying)
        let areAllSilent = !silent.isEmpty && silent.count == observed.count(where: { !$0.isDying })
        if areAllSilent {
            findings += silent.map { .hung($0.id, silence: $0.silence) }
        } else if !isOneDying, let first = silent.max(by: { $0.silence < $1.silence }) {
            findings.append(.hung(first.id, silence: first.silence))
        }
        return findings
    }

    private static func span(_ ticks: Int) -> TimeSpan {
        TimeSpan(nanoseconds: Int64(ticks) * tick.nanoseconds)
    }
}
