internal import Shared

/// What `tagway ctl` asks. Pure.
struct ControlRequest: Equatable {
    var action: ControlOptions.Action
    var waits: Bool
    var flags: ControlOptions.Flags = []
    var number: Int?
    var word: String?

    init(_ action: ControlOptions.Action, waits: Bool) {
        self.action = action
        self.waits = waits
    }

    init(_ options: ControlOptions) {
        self.init(options.action, waits: options.waits)
        flags = options.flags
        number = options.number
        word = options.word
    }

    func encoded() -> [UInt8] {
        let buffer = ByteBuffer(capacity: 64)
        var object = JSONObject(in: buffer)
        object.member("command", action.rawValue)
        object.member("wait", waits)
        for known in Self.flagNames where flags.contains(known.flag) { object.member(known.name, true) }
        if let number { object.member("number", number) }
        if let word { object.member("word", word) }
        object.end()
        buffer.append(ASCII.lineFeed)
        return Array(buffer.storage[buffer.readable])
    }

    /// Nil for anything that is no request.
    init?(_ line: [UInt8]) {
        guard let fields = try? JSONFields(line), let name = fields.text("command"),
            let action = ControlOptions.Action(rawValue: name)
        else { return nil }
        self.init(action, waits: fields.bool("wait") ?? false)
        for known in Self.flagNames where fields.bool(known.name) == true { flags.insert(known.flag) }
        number = fields.integer("number")
        word = fields.text("word")
    }

    private static var flagNames: [(name: String, flag: ControlOptions.Flags)] {
        ControlOptions.Flags.names.map { ($0.name, $0.flag) } + [("colour", .colour)]
    }
}

/// What it is told. Pure.
struct ControlAnswer: Equatable {
    /// For the exit status of `tagway ctl`.
    var exit: Int32
    /// To print.
    var text: String
    /// The same for programs.
    var data: [UInt8]?

    init(exit: Int32 = ExitCode.done, text: String, data: [UInt8]? = nil) {
        self.exit = exit
        self.text = text
        self.data = data
    }

    func encoded() -> [UInt8] {
        let buffer = ByteBuffer(capacity: 256)
        var object = JSONObject(in: buffer)
        object.member("ok", exit == ExitCode.done)
        object.member("exit", Int(exit))
        object.member("text", text)
        if let data { object.member("data", raw: data) }
        object.end()
        buffer.append(ASCII.lineFeed)
        return Array(buffer.storage[buffer.readable])
    }

    init?(_ line: [UInt8]) {
        guard let fields = try? JSONFields(line), let exit = fields.integer("exit"), let text = fields.text("text")
        else { return nil }
        self.init(exit: Int32(clamping: exit), text: text)
    }
}
