internal import Shared

/// When memory that a peak has left behind goes back to the kernel. Pure.
///
/// What is freed is kept for the next use (`CurrentProcess.keepFreedMemory`), which saves a busy worker the kernel's
/// zeroing of pages. What nobody has needed for some seconds is not worth that: it is somebody else's memory.
struct IdleMemory {
    /// How many looks, one a second where they are cheap, have to find it unused.
    static let looks = 5
    /// Less than that is not worth a walk over all of it.
    private static let enough = 2 << 20

    /// A look takes at most one part in so many of a worker's time, where requests are under way and where none is: malloc
    /// counts its free pieces one by one, 0.6 to 1.0 ms of the loop after twice 1000 streams.
    private static let share = (busy: Int64(20_000), quiet: Int64(5_000))
    /// The longest time between looks: one that was long because the process did not run says nothing of the next.
    private static let longest = TimeSpan.seconds(60)

    private var count = 0
    private var least = Int.max
    /// What has gone back already, and was not needed since.
    private var returned = 0
    private var lastLook = Instant(nanoseconds: 0)
    /// How long it took.
    private var cost = TimeSpan(nanoseconds: 0)

    enum Step {
        case wait
        /// Pools let go of what they have not needed since the last time.
        case shrink
        /// And what was freed goes back.
        case giveBack
    }

    /// Whether to look; `isBusy` when requests are under way, which would wait for it.
    func isDue(_ now: Instant, isBusy: Bool) -> Bool {
        let pause = TimeSpan(nanoseconds: cost.nanoseconds * (isBusy ? Self.share.busy : Self.share.quiet))
        return now - lastLook >= min(pause, Self.longest)
    }

    /// A look that took from `start` to `end`: the next one comes later the longer it was.
    mutating func looked(from start: Instant, to end: Instant) {
        lastLook = end
        cost = min(end - start, Self.longest)
    }

    /// Takes a look: `freed` bytes of what the process was given are not in use.
    mutating func look(_ freed: Int) -> Step {
        returned = min(returned, freed)
        least = min(least, freed)
        count += 1
        guard count == Self.looks else { return .wait }
        let unused = least
        count = 0
        least = .max
        guard unused - returned >= Self.enough else { return .shrink }
        returned = unused
        return .giveBack
    }
}
