internal import Shared

/// What one image of the supervisor leaves to the next one in the same process: numbers of descriptors that survive
/// the exec(2), and all that it knows and cannot find out again. Pure.
///
/// Written to sealed memory whose number is in the environment. A format of another version is refused by the probe
/// of the new image, before anything has changed.
struct Handover: Equatable {
    static let version: UInt64 = 1

    /// The image that leaves it.
    struct Image: Equatable {
        var version: String
        var build: String

        static var own: Image { Image(version: Main.version, build: BuildID.own) }
    }

    struct Listener: Equatable {
        var descriptor: Int32
        var origin: ListenerSet.Origin
        var storedAs: String?
    }

    struct Worker: Equatable {
        /// As the fleet knows it.
        var worker: Fleet.Worker
        var process: Int32
        var channel: Int32
        var errors: Int32
        var block: Int
    }

    var image: Image
    /// The executable of `image`, open, for the way back.
    var executable: Int32
    /// Where `image` looks for the executable of an upgrade unless told otherwise.
    var path: String
    var startedAt: Instant
    /// When the upgrade was asked for.
    var begun: Instant
    var runDirectory: String
    var lock: Int32
    var control: Int32
    /// Clients of the control socket that wait for the end of the upgrade.
    var clients: [Int32] = []
    var scoreboard: Int32
    var listeners: [Listener] = []
    var generation: UInt64
    var lastGeneration: UInt64
    /// Number of the last reload that has begun.
    var lastReload: Int
    /// In force, encoded, and what must not come into force again by itself.
    var configuration: [UInt8]
    /// As they were when they were last read, and whether they say something else.
    var files: [String: ConfigurationSource.FileState] = [:]
    var hasDrifted = false
    var startedFromKept: Int?
    var condemned: [UInt8]?
    var size: Int
    var cut: Int
    var workers: [Worker] = []
    var slots: [Int: Fleet.Slot] = [:]
    var metrics: SupervisorMetrics
    var logLevel: Log.Level

    /// Every descriptor that has to outlive the exec.
    var descriptors: [Int32] {
        [executable, lock, control, scoreboard] + clients + listeners.map(\.descriptor)
            + workers.flatMap { [$0.channel, $0.errors] }
    }

    // MARK: Where it lies

    /// In the environment of the new image: `DESCRIPTOR`, or `DESCRIPTOR:REASON` where an image comes back to its
    /// predecessor. Workers and the service manager never see it.
    static let variable = "TAGWAY_HANDOVER"

    struct Place: Equatable {
        var descriptor: Int32
        /// Why the newer image has given up.
        var reason: String?

        init(descriptor: Int32, reason: String? = nil) {
            self.descriptor = descriptor
            self.reason = reason
        }

        init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, let number = Int32(first), number > 2 else { return nil }
            self.init(descriptor: number, reason: parts.count > 1 ? String(parts[1]) : nil)
        }

        var text: String { reason.map { "\(descriptor):\($0)" } ?? "\(descriptor)" }
    }
}
