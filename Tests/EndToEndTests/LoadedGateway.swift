import Foundation
import load_generator

/// What the load generator is asked to do.
struct Load {
    var kept = 0
    var rate = 0
    var fresh = 0
    var streams = 0
    /// Of a thousand requests over kept-alive connections, those behind which the client closes and connects anew.
    var turnover = 0

    /// 64 kept-alive clients, 2,000 requests a second.
    static let k = Load(kept: 64, rate: Supervision.pick(500, 2000))
    /// The same with a new connection for each request.
    static let n = Load(fresh: Supervision.pick(300, 2000))
    /// 50 streams of numbered events, one every 100 ms.
    static let s = Load(streams: 50)

    static func + (left: Load, right: Load) -> Load {
        Load(
            kept: left.kept + right.kept, rate: left.rate + right.rate, fresh: left.fresh + right.fresh,
            streams: left.streams + right.streams, turnover: left.turnover + right.turnover)
    }

    var arguments: [String] {
        [
            "--kept", "\(kept)", "--rate", "\(rate)", "--fresh", "\(fresh)", "--streams", "\(streams)", "--turnover",
            "\(turnover)",
        ]
    }
}

/// The other end of the gateway's upstream connections, in a process of its own, gone at the end of the test.
final class NumberedUpstream {
    let port: Int
    private let process = Process()

    /// `events` of a stream, `pause` milliseconds between them, and `delay` before a whole answer.
    init(events: Int = 600, pause: Int = 100, delay: Int = 0) throws {
        process.executableURL = RunningLoad.generator
        process.arguments = ["upstream", "--events", "\(events)", "--pause", "\(pause)", "--delay", "\(delay)"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Has every stream under way end as it should.
    func endStreams() {
        kill(process.processIdentifier, SIGUSR1)
    }
}

/// A gateway with an upstream behind it, ready for a load in front.
final class LoadedGateway {
    let gateway: SupervisedGateway
    let upstream: NumberedUpstream
    private let settings: String

    init(
        workers: Int = 2, settings: String = "", events: Int = 600, pause: Int = 100, delay: Int = 0, port: UInt16 = 0,
        environment: [String: String] = [:], launcher: [String] = []
    ) throws {
        self.settings = settings
        upstream = try NumberedUpstream(events: events, pause: pause, delay: delay)
        gateway = try SupervisedGateway(
            Self.configuration(upstream.port, settings, "first"), workers: workers, port: port,
            environment: environment, launcher: launcher)
    }

    static func configuration(_ port: Int, _ settings: String, _ extra: String) -> String {
        let base = "api_key: sk-upstream, api_base: \"http://127.0.0.1:\(port)/v1\""
        return """
            tagway: {access_log: false\(settings.isEmpty ? "" : ", " + settings)}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - {model_name: quick, litellm_params: {model: openai/quick, \(base)}}
              - {model_name: slow, litellm_params: {model: openai/slow, \(base)}}
              - {model_name: \(extra), litellm_params: {model: openai/extra, \(base)}}

            """
    }

    func yaml(_ extra: String) -> String { Self.configuration(upstream.port, settings, extra) }

    /// Another configuration, with a model of that name.
    func write(_ extra: String) throws {
        try gateway.write(yaml(extra))
    }

    func start(_ load: Load) throws -> RunningLoad {
        try RunningLoad(load, port: gateway.port, upstream: upstream)
    }

    /// Puts it under `load` while `meanwhile` is done, and lets streams end then.
    func run(_ load: Load, _ meanwhile: () throws -> Void) throws -> LoadReport {
        let running = try start(load)
        try meanwhile()
        return try running.finish()
    }

    /// Waits until every slot has a ready worker, and no other is left.
    func settle(workers: Int = 2, within seconds: Double = 20) -> Bool {
        waitUntil(seconds: seconds) {
            let rows = (try? gateway.workerRows()) ?? []
            return rows.count == workers && rows.allSatisfy { $0["state"] as? String == "ready" }
        }
    }
}

/// The load generator at work.
final class RunningLoad {
    static let generator = SupervisedGateway.programs.appendingPathComponent("load-generator")

    struct NoReport: Error { let output: String }

    private let process = Process()
    private let output: EventFile
    private let upstream: NumberedUpstream?

    /// A file for what it prints, removed with this.
    private final class EventFile {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "tagway-load-\(UUID().uuidString.prefix(8))")

        deinit { try? FileManager.default.removeItem(at: url) }
    }

    /// Starts it and waits until it is connected and begins.
    init(_ load: Load, port: UInt16, upstream: NumberedUpstream? = nil) throws {
        self.upstream = upstream
        output = EventFile()
        try Data().write(to: output.url)
        process.executableURL = Self.generator
        // A machine that also compiles may hold up anything for seconds; in a soak nothing is excused.
        process.arguments =
            ["load", "--port", "\(port)", "--key", PlainClient.key, "--patience", "\(Supervision.pick(15, 5))"]
            + load.arguments
        process.standardOutput = try FileHandle(forWritingTo: output.url)
        try process.run()
        guard waitUntil(seconds: 15, { !text.isEmpty }) else { throw NoReport(output: "it has not begun") }
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    private var text: String { (try? String(contentsOf: output.url, encoding: .utf8)) ?? "" }

    /// Begins a phase with figures of its own.
    func beginPhase() {
        kill(process.processIdentifier, SIGUSR1)
    }

    /// Begins no more requests; what is under way ends, streams too unless they go on for as long as they are.
    func finish(endsStreams: Bool = true) throws -> LoadReport {
        kill(process.processIdentifier, SIGTERM)
        if endsStreams { upstream?.endStreams() }
        guard waitUntil(seconds: endsStreams ? 40 : 120, { !self.process.isRunning }) else {
            throw NoReport(output: "it does not end")
        }
        let report = text.split(separator: "\n").dropFirst().first ?? ""
        guard let decoded = try? JSONDecoder().decode(LoadReport.self, from: Data(report.utf8)) else {
            throw NoReport(output: text)
        }
        return decoded
    }
}
