internal import Shared

/// Whether a configuration that has just come into force is to blame for crashes. Pure.
///
/// Two workers of different slots, or three in a row, that crash within the probation of a generation, after five
/// minutes without a crash: then the former generation comes back.
struct Probation: Equatable {
    private var until: Instant?
    private var slots: Set<Int> = []
    private var crashes = 0
    private var lastCrash: Instant?

    static let calm = TimeSpan.seconds(300)

    /// A reload has put a new generation in force; `length` zero: without probation.
    mutating func committed(length: TimeSpan, now: Instant) {
        slots = []
        crashes = 0
        let isCalm = lastCrash.map { now - $0 >= Self.calm } ?? true
        until = isCalm && length.nanoseconds > 0 ? now + length : nil
    }

    /// A worker has crashed. True, once, when the former generation should come back.
    mutating func crashed(slot: Int, now: Instant) -> Bool {
        lastCrash = now
        guard let until, now <= until else { return false }
        slots.insert(slot)
        crashes += 1
        guard slots.count >= 2 || crashes >= 3 else { return false }
        self.until = nil
        return true
    }
}
