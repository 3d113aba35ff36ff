import Foundation
import Synchronization

/// A `tagway serve` of its own, with a directory of its own, gone at the end of the test.
final class SupervisedGateway: Sendable {
    let directory: URL
    let port: UInt16
    let processID: Int32
    private let process: Mutex<Process>
    private let events: EventLog
    private let access: EventLog

    /// Where the programs under test lie: beside the tests, or in the directory that TAGWAY_PROGRAMS names.
    static let programs: URL = {
        if let named = ProcessInfo.processInfo.environment["TAGWAY_PROGRAMS"] { return URL(fileURLWithPath: named) }
        return besideTests
    }()

    static let besideTests: URL = {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own ?? CommandLine.arguments[0]).deletingLastPathComponent()
    }()
    static let executable = programs.appendingPathComponent("tagway")

    /// Whether this machine lets us mount in a namespace of ours; containers often do not.
    static let canMount: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: ownMounts[0])
        process.arguments = ownMounts.dropFirst() + ["mount", "--bind", "/etc", "/etc"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    /// Runs what follows in a mount namespace of its own; unshare(1).
    private static let ownMounts = ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"]

    struct NotReady: Error { let log: String }

    var configuration: URL { directory.appendingPathComponent("config.yaml") }
    var runDirectory: URL { directory.appendingPathComponent("run") }

    static func makeDirectory() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "tagway-e2e-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    /// Starts it, on a port that the kernel picks unless one is given, and waits until it is ready.
    ///
    /// `launcher` is a command that runs what follows it as itself, such as `env`; `options` are more words for `serve`.
    /// With `port` nil the configuration says where it listens. `mountedFile`: with the configuration mounted over itself, in a mount namespace of its own.
    init(
        _ yaml: String, workers: Int = 2, port wanted: UInt16? = 0, environment: [String: String] = [:],
        launcher: [String] = [], options: [String] = [], program: URL = executable, mountedFile: Bool = false
    ) throws {
        directory = try Self.makeDirectory()
        try Data(yaml.utf8).write(to: directory.appendingPathComponent("config.yaml"))
        let process = Process()
        var launcher = launcher
        if mountedFile {
            let script = #"file=$1 && shift && mount --bind "$file" "$file" && exec "$@""#
            launcher +=
                Self.ownMounts + ["sh", "-c", script, "sh", directory.appendingPathComponent("config.yaml").path]
        }
        let words =
            launcher + [
                program.path, "serve", "--config", directory.appendingPathComponent("config.yaml").path, "--workers",
                "\(workers)", "--run-dir", directory.appendingPathComponent("run").path,
            ] + (wanted.map { ["--port", "\($0)"] } ?? []) + options
        process.executableURL = URL(fileURLWithPath: words[0])
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let folder = directory
        func output(_ name: String) throws -> (EventLog, FileHandle) {
            let file = folder.appendingPathComponent(name)
            try Data().write(to: file)
            // Appended to, so that what several processes write is not written over each other.
            let number = open(file.path, O_WRONLY | O_APPEND | O_CLOEXEC)
            return (EventLog(file), FileHandle(fileDescriptor: number, closeOnDealloc: true))
        }
        let (events, standardError) = try output("log")
        let (access, standardOutput) = try output("access")
        process.standardError = standardError
        process.standardOutput = standardOutput
        try process.run()
        (self.events, self.access) = (events, access)
        processID = process.processIdentifier
        self.process = Mutex(process)
        let isReady = waitUntil(seconds: 20) { !events.named("ready").isEmpty }
        let found = Self.port(in: events)
        port = found ?? 0
        guard isReady, found != nil else {
            kill(processID, SIGKILL)
            throw NotReady(log: events.text)
        }
    }

    private static func port(in log: EventLog) -> UInt16? {
        log.named("listening").first.flatMap { $0["address"] as? String }
            .flatMap { UInt16($0.split(separator: ":").last ?? "") }
    }

    deinit {
        if isRunning { kill(processID, SIGKILL) }
        process.withLock { $0.waitUntilExit() }
        try? FileManager.default.removeItem(at: directory)
    }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    /// Waits for its end; nil when it takes longer.
    func exitStatus(within seconds: Double) -> Int32? {
        guard waitUntil(seconds: seconds, { !self.isRunning }) else { return nil }
        return process.withLock { $0.terminationStatus }
    }

    func write(_ yaml: String) throws {
        // Replaced in one step, as an editor does.
        try Data(yaml.utf8).write(to: configuration, options: .atomic)
    }

    func signal(_ number: Int32) {
        kill(processID, number)
    }

    // MARK: The log

    func events(_ name: String) -> [[String: Any]] { events.named(name) }

    /// One line for each request.
    func accessLines() -> [[String: Any]] { access.all }

    var log: String { events.text }

    // MARK: Its tools

    func control(_ words: String...) throws -> (status: Int32, output: String) {
        try Self.run(["ctl"] + words + ["--run-dir", runDirectory.path])
    }

    func status() throws -> [String: Any] {
        try ControlSocket(runDirectory).ask("status")?["data"] as? [String: Any] ?? [:]
    }

    /// What the status says of each worker, by slot.
    func workerRows() throws -> [[String: Any]] { try status()["workers"] as? [[String: Any]] ?? [] }

    /// Process numbers of the workers, by slot.
    func workers() throws -> [Int32] { try workerRows().compactMap { ($0["pid"] as? Int).map(Int32.init) } }

    /// Runs `tagway` to its end; what it printed on both streams.
    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> (
        status: Int32, output: String
    ) {
        try run(executable.path, arguments, environment: environment)
    }

    /// Runs a program to its end.
    static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) throws -> (
        status: Int32, output: String
    ) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}

/// Looks again and again, for at most `seconds`; whether it came true.
func waitUntil(seconds: Double, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = DispatchTime.now() + seconds
    while true {
        if try condition() { return true }
        if DispatchTime.now() > deadline { return false }
        usleep(2000)
    }
}

/// Seconds since an arbitrary moment.
func monotonicSeconds() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }
