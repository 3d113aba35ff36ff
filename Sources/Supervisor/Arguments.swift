internal import Shared
internal import Worker

/// What the command line asks for. Pure.
enum Command: Equatable {
    case serve(ServeOptions)
    /// Internal: started by a supervisor.
    case worker(WorkerMain.Arguments)
    case check(CheckOptions)
    case explain(ExplainOptions)
    case control(ControlOptions)
    case version
    case help(Help.Topic)
}

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

/// A command line that says nothing we know.
struct UsageError: Error, Equatable {
    let message: String
    var hint: String?
    var topic = Help.Topic.general
}

extension Command {
    private static let names = ["serve", "check", "explain", "ctl", "version", "help"]

    /// `arguments` without the name of the program.
    init(_ arguments: [String]) throws(UsageError) {
        guard let name = arguments.first else {
            throw UsageError(message: "what should be done?", hint: "tagway serve --config FILE")
        }
        var flags = Flags(Array(arguments.dropFirst()))
        switch name {
        case "serve": self = try Self.serve(&flags)
        case "worker": self = .worker(try Self.worker(&flags))
        case "check": self = try Self.check(&flags)
        case "explain": self = try Self.explain(&flags)
        case "ctl": self = try Self.control(&flags)
        case "version", "--version", "-V": self = .version
        case "help", "--help", "-h":
            self = .help(flags.next().flatMap(Help.Topic.init) ?? .general)
        default:
            if name.hasPrefix("-") {
                throw UsageError(message: "a command comes first, not \(name)", hint: "tagway serve --config FILE")
            }
            let nearest = NearestWord.of(name, among: Self.names)
            throw UsageError(message: "unknown command \(name)", hint: nearest.map { "did you mean `tagway \($0)`?" })
        }
    }

    private static func serve(_ flags: inout Flags) throws(UsageError) -> Command {
        let known = [
            "--config", "--host", "--port", "--workers", "--num_workers", "--strict-config", "--env-file", "--run-dir",
            "--ready-fd", "--help",
        ]
        var options = ServeOptions()
        while let name = flags.next() {
            switch name {
            case "--config", "-c": options.config = try flags.value(.serve)
            case "--host": options.hosts += try flags.value(.serve).split(separator: ",").map(String.init)
            case "--port", "-p":
                options.port = try flags.port(.serve)
                options.isPortGiven = true
            case "--workers", "--num_workers": options.workers = try flags.workers(.serve)
            case "--strict-config": options.isStrict = true
            case "--env-file": options.environmentFile = try flags.value(.serve)
            case "--run-dir": options.runDirectory = try flags.value(.serve)
            case "--ready-fd": options.readyDescriptor = Int32(try flags.integer(.serve, in: 3...1023))
            case "--help", "-h": return .help(.serve)
            default: throw unknown(name, known, .serve)
            }
            try flags.expectUsed(.serve)
        }
        guard !options.config.isEmpty else {
            throw UsageError(message: "serve needs --config FILE", topic: .serve)
        }
        return .serve(options)
    }

    private static func check(_ flags: inout Flags) throws(UsageError) -> Command {
        let known = ["--config", "--strict-config", "--env-file", "--container", "--help"]
        var options = CheckOptions()
        while let name = flags.next() {
            switch name {
            case "--config", "-c": options.config = try flags.value(.check)
            case "--strict-config": options.isStrict = true
            case "--env-file": options.environmentFile = try flags.value(.check)
            case "--container": options.saysGrace = true
            case "--upgrade-probe": options.upgradeProbe = Int32(try flags.integer(.check, in: 3...Int(Int32.max)))
            case "--help", "-h": return .help(.check)
            default:
                guard !name.hasPrefix("-"), options.config.isEmpty else { throw unknown(name, known, .check) }
                options.config = name
            }
            try flags.expectUsed(.check)
        }
        guard !options.config.isEmpty else { throw UsageError(message: "check needs a file", topic: .check) }
        return .check(options)
    }

    private static func explain(_ flags: inout Flags) throws(UsageError) -> Command {
        let known = [
            "--config", "--model", "--tags", "--header", "--path", "--body", "--key-file", "--stream", "--json",
            "--strict-config", "--env-file", "--help",
        ]
        var options = ExplainOptions()
        while let name = flags.next() {
            switch name {
            case "--config", "-c": options.config = try flags.value(.explain)
            case "--model", "-m": options.model = try flags.value(.explain)
            case "--tags", "-t":
                options.tags = try (options.tags ?? []) + flags.value(.explain).split(separator: ",").map(String.init)
            case "--header": options.headers.append(try flags.value(.explain))
            case "--path": options.path = try flags.value(.explain)
            case "--body": options.body = try flags.value(.explain)
            case "--key-file": options.keyFile = try flags.value(.explain)
            case "--stream": options.isStream = true
            case "--json": options.isJSON = true
            case "--strict-config": options.isStrict = true
            case "--env-file": options.environmentFile = try flags.value(.explain)
            case "--help", "-h": return .help(.explain)
            default: throw unknown(name, known, .explain)
            }
            try flags.expectUsed(.explain)
        }
        guard !options.config.isEmpty else {
            throw UsageError(message: "explain needs --config FILE", topic: .explain)
        }
        if options.body == nil {
            guard options.model != nil || options.path != ExplainOptions().path else {
                throw UsageError(message: "explain needs --model NAME or --body FILE", topic: .explain)
            }
        } else if options.model != nil || options.tags != nil || options.isStream {
            throw UsageError(message: "a --body has its own model, tags and stream", topic: .explain)
        } else if options.body == "-", options.keyFile == "-" {
            throw UsageError(message: "standard input can be read once", topic: .explain)
        }
        return .explain(options)
    }

    private static func control(_ flags: inout Flags) throws(UsageError) -> Command {
        let known =
            ["--wait", "--json", "--port", "--run-dir", "--help"] + ControlOptions.Flags.names.map { "--\($0.name)" }
        var options = ControlOptions()
        var action: ControlOptions.Action?
        var operand: String?
        while let name = flags.next() {
            switch name {
            case "--wait": options.waits = true
            case "--json": options.isJSON = true
            case "--port", "-p": options.port = try flags.port(.control)
            case "--run-dir": options.runDirectory = try flags.value(.control)
            case "--help", "-h": return .help(.control)
            default:
                if let flag = ControlOptions.Flags.names.first(where: { "--\($0.name)" == name }) {
                    options.flags.insert(flag.flag)
                    break
                }
                guard !name.hasPrefix("-"), operand == nil else { throw unknown(name, known, .control) }
                guard action == nil else {
                    operand = name
                    break
                }
                guard let known = ControlOptions.Action(rawValue: name) else {
                    let nearest = NearestWord.of(name, among: ControlOptions.Action.allCases.map(\.rawValue))
                    throw UsageError(
                        message: "unknown action \(name)", hint: nearest.map { "did you mean `tagway ctl \($0)`?" },
                        topic: .control)
                }
                action = known
            }
            try flags.expectUsed(.control)
        }
        guard let action else {
            let names = ControlOptions.Action.allCases.map(\.rawValue).joined(separator: ", ")
            throw UsageError(message: "ctl needs an action: \(names)", topic: .control)
        }
        options.action = action
        for flag in ControlOptions.Flags.names where options.flags.contains(flag.flag) && flag.action != action {
            throw UsageError(message: "--\(flag.name) belongs to `ctl \(flag.action.rawValue)`", topic: .control)
        }
        try take(operand, for: action, into: &options)
        return .control(options)
    }

    private static func take(
        _ operand: String?, for action: ControlOptions.Action, into options: inout ControlOptions
    ) throws(UsageError) {
        switch action.operand {
        case .none:
            if let operand { throw UsageError(message: "unexpected argument \(operand)", topic: .control) }
        case .number(let name, let range):
            guard let number = operand.flatMap({ Int($0) }), range.contains(number) else {
                throw UsageError(
                    message: "ctl \(action.rawValue) needs \(name), a whole number from \(range.lowerBound) to "
                        + "\(range.upperBound)", topic: .control)
            }
            options.number = number
        case .word(let name):
            guard let operand else {
                throw UsageError(message: "ctl \(action.rawValue) needs \(name)", topic: .control)
            }
            guard Log.Level(name: operand) != nil else {
                throw UsageError(
                    message: "unknown level \(operand)", hint: "debug, info, warn or error", topic: .control)
            }
            options.word = operand
        case .path: options.word = operand.map(File.absolute)
        }
    }

    private static func worker(_ flags: inout Flags) throws(UsageError) -> WorkerMain.Arguments {
        var numbers: [String: Int] = [:]
        while let name = flags.next() {
            numbers[name] = try flags.integer(.general, in: 0...Int(Int32.max))
        }
        guard let parent = numbers["--parent"], let slot = numbers["--slot"],
            let incarnation = numbers["--incarnation"], let block = numbers["--block"],
            let listeners = numbers["--listeners"], listeners < 1024
        else { throw UsageError(message: "a worker is started by `tagway serve` only") }
        return WorkerMain.Arguments(
            parent: Int32(parent), slot: slot, incarnation: incarnation, block: block, listeners: listeners)
    }

    private static func unknown(_ name: String, _ known: [String], _ topic: Help.Topic) -> UsageError {
        guard name.hasPrefix("-") else { return UsageError(message: "unexpected argument \(name)", topic: topic) }
        let nearest = NearestWord.of(name, among: known)
        return UsageError(
            message: "unknown option \(name)", hint: nearest.map { "did you mean `\($0)`?" }, topic: topic)
    }
}

/// The words behind a command, one after the other: `--name value` and `--name=value` alike.
private struct Flags {
    private var words: ArraySlice<String>
    private var name = ""
    private var attached: String?

    init(_ words: [String]) {
        self.words = words[...]
    }

    mutating func next() -> String? {
        guard let word = words.popFirst() else { return nil }
        attached = nil
        name = word
        if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
            name = String(word[..<equals])
            attached = String(word[word.index(after: equals)...])
        }
        return name
    }

    mutating func value(_ topic: Help.Topic) throws(UsageError) -> String {
        let value = attached ?? words.popFirst()
        attached = nil
        guard let value, !value.isEmpty else { throw UsageError(message: "\(name) needs a value", topic: topic) }
        return value
    }

    mutating func integer(_ topic: Help.Topic, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        let text = try value(topic)
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(
                message: "\(name) needs a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)",
                topic: topic)
        }
        return number
    }

    mutating func port(_ topic: Help.Topic) throws(UsageError) -> UInt16 {
        UInt16(try integer(topic, in: 0...65535))
    }

    mutating func workers(_ topic: Help.Topic) throws(UsageError) -> WorkerCount {
        if attached == "auto" || attached == nil && words.first == "auto" {
            _ = try value(topic)
            return .automatic
        }
        return .exactly(try integer(topic, in: 1...WorkerCount.most))
    }

    /// A value attached to an option that takes none.
    mutating func expectUsed(_ topic: Help.Topic) throws(UsageError) {
        guard attached == nil else { throw UsageError(message: "\(name) takes no value", topic: topic) }
    }
}

extension WorkerCount {
    /// Leaves half of the scoreboard to workers that drain.
    static let most = Scoreboard.mostWorkers / 2
}
