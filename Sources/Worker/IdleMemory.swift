internal import Shared

/// When memory that a peak has left behind goes back to the kernel. Pure.
///
/// What is freed is kept for the next use (`CurrentProcess.keepFreedMemory`), which saves a busy worker the kernel's
/// zeroing of pages. What nobody has needed for some seconds is not worth that: it is somebody else's memory.
struct IdleMemory {
    /// How many looks, one a second, have to find it unused.
    static let looks = 5
    /// Less than that is not worth a walk over all of it.
    private static let enough = 2 << 20

    private var count = 0
    private var least = Int.max
    /// What has gone back already, and was not needed since.
    private var returned = 0

    enum Step {
        case wait
        /// Pools let go of what they have not needed since the last time.
        case shrink
        /// And what was freed goes back.
        case giveBack
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
