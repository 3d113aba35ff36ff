internal import Shared

struct ServeOptions: Equatable {
    var config = ""
    /// Empty: 127.0.0.1.
    var hosts: [String] = []
    var port: UInt16 = 4000
    var isPortGiven = false
    /// Nil: what the configuration says.
    var workers: WorkerCount?
    var isStrict = false
    var environmentFile: String?
    var runDirectory: String?
    /// Where the files of the last good configuration are kept; nil: nowhere.
    var lastGood: String?
    /// Where to write a line once all workers serve.
    var readyDescriptor: Int32?
}

enum WorkerCount: Equatable {
    /// One for each processor that this process may use.
    case automatic
    case exactly(Int)
}

struct CheckOptions: Equatable {
    var config = ""
    var isStrict = false
    var environmentFile: String?
    /// Whether to say how long who stops the service has to wait.
    var saysGrace = false
    /// Where a running supervisor shows what it would hand over to us.
    var upgradeProbe: Int32?
}

struct ExplainOptions: Equatable {
    var config = ""
    var environmentFile: String?
    var isStrict = false
    /// Nil: the body's.
    var model: String?
    /// As in a body; nil for none.
    var tags: [String]?
    var headers: [String] = []
    var path = "/v1/chat/completions"
    /// A file with a whole body, `-` for standard input.
    var body: String?
    /// A file with the key of the caller; nil: one that may call.
    var keyFile: String?
    var isStream = false
    var isJSON = false
}

struct ControlOptions: Equatable {
    enum Action: String, CaseIterable {
        case status, workers, reload, drain, scale, stop, upgrade, logLevel = "log-level", events, version

        /// What has to follow it on the command line.
        enum Operand: Equatable {
            case none
            case number(String, ClosedRange<Int>)
            case word(String)
            /// A path, or nothing.
            case path
        }

        var operand: Operand {
            switch self {
            case .status, .workers, .reload, .stop, .events, .version: .none
            case .drain: .number("SLOT", 0...1023)
            case .scale: .number("N", 1...WorkerCount.most)
            case .logLevel: .word("LEVEL")
            case .upgrade: .path
            }
        }
    }

    /// What may be said to some of the actions.
    struct Flags: OptionSet {
        let rawValue: Int

        static let dryRun = Flags(rawValue: 1)
        static let force = Flags(rawValue: 2)
        static let respawn = Flags(rawValue: 4)
        static let now = Flags(rawValue: 8)
        static let follow = Flags(rawValue: 16)
        /// By `ctl` itself: the answer goes to a terminal.
        static let colour = Flags(rawValue: 32)

        static let names: [(name: String, flag: Flags, action: Action)] = [
            ("dry-run", .dryRun, .reload), ("force", .force, .reload), ("respawn", .respawn, .reload),
            ("now", .now, .stop), ("follow", .follow, .events),
        ]
    }

    var action = Action.status
    var flags: Flags = []
    var number: Int?
    var word: String?
    /// Whether to wait for the result and answer it as the exit status.
    var waits = false
    var isJSON = false
    var port: UInt16 = 4000
    var runDirectory: String?
}

extension WorkerCount {
    /// Leaves half of the scoreboard to workers that drain.
    static let most = Scoreboard.mostWorkers / 2
}
