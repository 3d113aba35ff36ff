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
            "--last-good", "--ready-fd", "--help",
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
            case "--last-good": options.lastGood = try flags.value(.serve)
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
