internal import Shared

/// The last deaths of workers and their last words, for `tagway ctl status`. Pure.
struct DeathLog: Equatable {
    struct Death: Equatable {
        var atMilliseconds: Int64
        var slot: Int
        var incarnation: Int
        var process: Int32
        var kind: Departure.Kind
        var reason: String
        var uptime: TimeSpan
        var generation: UInt64
        var lost: Int
        /// What it wrote that was no event.
        var output: [String]
    }

    static let most = 20
    private(set) var deaths: [Death] = []

    mutating func add(_ death: Death) {
        deaths.append(death)
        if deaths.count > Self.most { deaths.removeFirst(deaths.count - Self.most) }
    }
}
