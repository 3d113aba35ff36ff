/// What supervisor and worker say to each other: one JSON object per packet. Pure.
///
///     supervisor                                worker
///     prepare 1 (+ the configuration) ───────▶  builds the generation
///             ◀───────────────────────────────  prepared 1, or refused 1
///     commit 1 ──────────────────────────────▶  serves with it
///             ◀───────────────────────────────  committed 1, and ready the first time
///     drain ─────────────────────────────────▶  takes no new connection, ends the open ones
///             ◀───────────────────────────────  drained, then exits
///
/// Both sides are the same executable but for the moments of a binary upgrade: unknown types and versions are errors.
public enum ControlMessage: Equatable, Sendable {
    // MARK: From the supervisor

    /// Build this generation beside the one in force. The packet carries its encoded configuration as a sealed file.
    case prepare(generation: UInt64)
    /// Serve with the generation that was prepared.
    case commit(generation: UInt64)
    /// Forget the generation that was prepared.
    case abort(generation: UInt64)
    /// Listen on this address, too. The packet carries the socket.
    case open(address: String)
    /// Take what is queued at this address, then leave it.
    case close(address: String)
    /// Try to accept now: another worker may have died with a wake-up that was meant for the next one.
    case poke
    /// Say that the end is near: the probe for readiness fails, responses close their connection, all else goes on.
    case lameDuck
    /// Accept nothing new and exit when the open connections have ended.
    case drain
    /// End what is still open, in its own format, and exit.
    case finish

    /// Log events from this level on.
    case logLevel(Log.Level)

    // MARK: From a worker

    case prepared(generation: UInt64)
    /// `reason` is for the operator.
    case refused(generation: UInt64, reason: String)
    case committed(generation: UInt64)
    /// Accepts connections from now on.
    case ready(generation: UInt64)
    /// Was told to end by somebody else (SIGTERM): replace me, then let me drain.
    case leaving
    /// Everything has ended; `cut` requests did not end by themselves. The process exits next.
    case drained(cut: Int)

    public struct ProtocolError: Error, Equatable, Sendable {
        public let reason: String
    }

    /// Counts changes that the other side could not understand.
    static let version = 1
    /// Bytes of a reason beyond which it is cut, so that a message fits a packet even when each is escaped.
    static let longestReason = 8 << 10

    public func encoded() -> [UInt8] {
        let buffer = ByteBuffer(capacity: 96)
        var object = JSONObject(in: buffer)
        object.member("v", Self.version)
        object.member("t", type)
        switch self {
        case .prepare(let generation), .commit(let generation), .abort(let generation), .prepared(let generation),
            .committed(let generation), .ready(let generation):
            object.member("generation", Int(clamping: generation))
        case .refused(let generation, let reason):
            object.member("generation", Int(clamping: generation))
            object.member("reason", String(decoding: reason.utf8.prefix(Self.longestReason), as: UTF8.self))
        case .drained(let cut):
            object.member("cut", cut)
        case .open(let address), .close(let address):
            object.member("address", address)
        case .logLevel(let level):
            object.member("level", "\(level.name)")
        case .poke, .lameDuck, .drain, .finish, .leaving: break
        }
        object.end()
        return Array(buffer.storage[buffer.readable])
    }

    private var type: String {
        switch self {
        case .prepare: "prepare"
        case .commit: "commit"
        case .abort: "abort"
        case .open: "open"
        case .close: "close"
        case .poke: "poke"
        case .lameDuck: "lame-duck"
        case .drain: "drain"
        case .finish: "finish"
        case .logLevel: "log-level"
        case .prepared: "prepared"
        case .refused: "refused"
        case .committed: "committed"
        case .ready: "ready"
        case .leaving: "leaving"
        case .drained: "drained"
        }
    }

    public init(_ bytes: [UInt8]) throws(ProtocolError) {
        let fields: JSONFields
        do throws(JSONError) {
            fields = try JSONFields(bytes)
        } catch {
            throw ProtocolError(reason: "not a JSON object: \(error.message)")
        }
        guard fields.integer("v") == Self.version else { throw ProtocolError(reason: "another protocol version") }
        guard let type = fields.text("t") else { throw ProtocolError(reason: "a message without a type") }
        func generation() throws(ProtocolError) -> UInt64 {
            guard let number = fields.integer("generation"), number >= 0 else {
                throw ProtocolError(reason: "\(type) names no generation")
            }
            return UInt64(number)
        }
        switch type {
        case "prepare": self = .prepare(generation: try generation())
        case "commit": self = .commit(generation: try generation())
        case "abort": self = .abort(generation: try generation())
        case "open", "close":
            guard let address = fields.text("address") else {
                throw ProtocolError(reason: "\(type) names no address")
            }
            self = type == "open" ? .open(address: address) : .close(address: address)
        case "poke": self = .poke
        case "lame-duck": self = .lameDuck
        case "drain": self = .drain
        case "finish": self = .finish
        case "log-level":
            guard let level = fields.text("level").flatMap({ Log.Level(name: $0) }) else {
                throw ProtocolError(reason: "\(type) names no level")
            }
            self = .logLevel(level)
        case "prepared": self = .prepared(generation: try generation())
        case "refused":
            self = .refused(generation: try generation(), reason: fields.text("reason") ?? "no reason given")
        case "committed": self = .committed(generation: try generation())
        case "ready": self = .ready(generation: try generation())
        case "leaving": self = .leaving
        case "drained": self = .drained(cut: max(0, fields.integer("cut") ?? 0))
        default: throw ProtocolError(reason: "unknown message \(type)")
        }
    }
}
