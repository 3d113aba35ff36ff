internal import Shared

/// When the next process of a slot may start after a death. Pure.
///
/// The first death costs nothing: the successor starts at once. Deaths that follow wait 0.1 s, doubling up to 10 s,
/// a fifth more or less so that slots do not march in step. Thirty seconds of health make up for everything.
struct Backoff: Equatable {
    /// Deaths in a row.
    private(set) var failures = 0

    init(failures: Int = 0) {
        self.failures = failures
    }

    static let first = TimeSpan.milliseconds(100)
    static let longest = TimeSpan.seconds(10)
    static let healthy = TimeSpan.seconds(30)

    /// How long to wait after a death; `life` is how long the process was ready before.
    mutating func delay(
        afterLife life: TimeSpan?, using random: inout some RandomNumberGenerator
    ) -> TimeSpan {
        if let life, life >= Self.healthy { failures = 0 }
        failures += 1
        guard failures > 1 else { return TimeSpan(nanoseconds: 0) }
        let doubled = Self.first.nanoseconds << Int64(min(failures - 2, 10))
        let base = min(doubled, Self.longest.nanoseconds)
        let share = Int64.random(in: 800...1200, using: &random)
        return TimeSpan(nanoseconds: base / 1000 * share)
    }
}

/// A generator that repeats its numbers for the same seed (SplitMix64), for decisions that tests look at.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
