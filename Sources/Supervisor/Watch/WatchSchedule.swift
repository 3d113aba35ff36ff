internal import Shared

/// When to look at the files again. Pure.
///
/// A change is looked at once nothing has changed for a while, so that a file that is being written is read whole, but
/// not put off for ever by a directory that is never quiet. Between changes it is looked at now and then: an event can
/// be missed, and a network file system has none.
struct WatchSchedule {
    static let quiet = TimeSpan.milliseconds(500)
    static let longest = TimeSpan.seconds(5)
    static let poll = TimeSpan.seconds(15)

    private var firstChange: Instant?
    private(set) var nextLook = Instant.never

    var isOn: Bool { nextLook != .never }

    mutating func start(now: Instant) {
        firstChange = nil
        nextLook = now + Self.poll
    }

    mutating func stop() {
        firstChange = nil
        nextLook = .never
    }

    /// Something has happened in a directory.
    mutating func changed(now: Instant) {
        guard isOn else { return }
        let first = firstChange ?? now
        firstChange = first
        nextLook = min(now + Self.quiet, first + Self.longest)
    }

    /// Whether it is time to look; the next time is set then.
    mutating func isDue(now: Instant) -> Bool {
        guard isOn, nextLook <= now else { return false }
        start(now: now)
        return true
    }
}
