import Foundation
import Synchronization

/// A `tagway serve` of its own, with a directory of its own, gone at the end of the test.
final class SupervisedGateway: Sendable {
    let directory: URL
    let port: UInt16
    let processID: Int32
    private let process: Mutex<Process>

    static let executable: URL = {
        let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: own ?? CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("tagway")
    }()

    private static let unshare = URL(fileURLWithPath: "/usr/bin/unshare")

    /// Whether this machine lets us mount in a namespace of ours; containers often do not.
    static let canMount: Bool = {
        let process = Process()
        process.executableURL = unshare
        process.arguments = ["--user", "--map-root-user", "--mount", "mount", "--bind", "/etc", "/etc"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    struct NotReady: Error { let log: String }

    var configuration: URL { directory.appendingPathComponent("config.yaml") }
    private var logFile: URL { directory.appendingPathComponent("log") }

    static func makeDirectory() throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(
            "tagway-e2e-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        return url
    }

    /// Starts it on a port that the kernel picks, and waits until it is ready.
    ///
    /// `mountedFile`: with the configuration mounted over itself, in a mount namespace of its own; `unshare(1)`.
    init(
        _ yaml: String, workers: Int = 2, environment: [String: String] = [:], mountedFile: Bool = false
    ) throws {
        directory = try Self.makeDirectory()
        try Data(yaml.utf8).write(to: directory.appendingPathComponent("config.yaml"))
        let log = directory.appendingPathComponent("log")
        try Data().write(to: log)
        let process = Process()
        process.executableURL = Self.executable
        process.arguments = [
            "serve", "--config", directory.appendingPathComponent("config.yaml").path, "--port", "0", "--workers",
            "\(workers)", "--run-dir", directory.appendingPathComponent("run").path,
        ]
        if mountedFile {
            let script = #"file=$1 && shift && mount --bind "$file" "$file" && exec "$@""#
            process.arguments =
                ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
                + [directory.appendingPathComponent("config.yaml").path, Self.executable.path]
                + (process.arguments ?? [])
            process.executableURL = Self.unshare
        }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardError = try FileHandle(forWritingTo: log)
        let access = directory.appendingPathComponent("access")
        try Data().write(to: access)
        process.standardOutput = try FileHandle(forWritingTo: access)
        try process.run()
        processID = process.processIdentifier
        self.process = Mutex(process)
        var found: UInt16?
        let isReady = waitUntil(seconds: 20) {
            let lines = Self.events(in: log)
            found = lines.first { $0["event"] as? String == "listening" }
                .flatMap { $0["address"] as? String }.flatMap { UInt16($0.split(separator: ":").last ?? "") }
            return lines.contains { $0["event"] as? String == "ready" }
        }
        guard isReady, let found else {
            kill(processID, SIGKILL)
            throw NotReady(log: (try? String(contentsOf: log, encoding: .utf8)) ?? "")
        }
        port = found
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

    func events(_ name: String) -> [[String: Any]] {
        Self.events(in: logFile).filter { $0["event"] as? String == name }
    }

    /// One line for each request.
    func accessLines() -> [[String: Any]] {
        Self.events(in: directory.appendingPathComponent("access"))
    }

    var log: String { (try? String(contentsOf: logFile, encoding: .utf8)) ?? "" }

    private static func events(in file: URL) -> [[String: Any]] {
        guard let data = try? Data(contentsOf: file) else { return [] }
        return data.split(separator: 0x0A).compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0))) as? [String: Any]
        }
    }

    // MARK: Its tools

    func control(_ words: String...) throws -> (status: Int32, output: String) {
        try Self.run(["ctl"] + words + ["--run-dir", directory.appendingPathComponent("run").path])
    }

    func status() throws -> [String: Any] {
        let (_, output) = try control("status", "--json")
        let object = try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any]
        return object?["data"] as? [String: Any] ?? [:]
    }

    /// Process numbers of the workers, by slot.
    func workers() throws -> [Int32] {
        let workers = try status()["workers"] as? [[String: Any]] ?? []
        return workers.compactMap { ($0["pid"] as? Int).map(Int32.init) }
    }

    /// Runs `tagway` to its end; what it printed on both streams.
    static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> (
        status: Int32, output: String
    ) {
        let process = Process()
        process.executableURL = executable
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
