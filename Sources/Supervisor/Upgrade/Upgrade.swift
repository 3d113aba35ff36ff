internal import Shared

/// Where the upgrade of the running binary stands.
///
///     none ──asked──▶ probing ──fit──▶ waiting ──nothing else under way──▶ (exec: the new image)
///                        └──unfit──▶ none                                        │
///     none ◀──all workers are of the new build── replacing ◀─────────────────────┘
///                                                   └──no worker of it gets ready──▶ (exec: the former image) none
enum Upgrade {
    case none
    /// The new image is tried, as a child.
    case probing(UpgradeProbe)
    /// It is fit, and takes over once no reload and no other replacement of workers is under way.
    case waiting(path: String, begun: Instant)
    /// This is the new image; workers of the former one are replaced.
    case replacing(Former)

    /// The image before this one.
    struct Former {
        let inheritance: Inheritance
        /// Its workers, by number.
        let workers: Set<Int>
        /// Whether a worker of this build serves already: from then on there is no way back.
        var isProven = false

        init(_ inheritance: Inheritance, workers: Set<Int>) {
            self.inheritance = inheritance
            self.workers = workers
        }
    }

    /// For `tagway ctl status`.
    var isUnderWay: Bool {
        if case .none = self { return false }
        return true
    }

    /// Whether the workers are being replaced by those of a new build.
    var isReplacing: Bool {
        if case .replacing = self { return true }
        return false
    }
}
