import Foundation
import Synchronization

/// A program of `Python/` that says its port in its first line and then one JSON object a line; ended with its owner.
final class PythonServer: Sendable {
    let port: UInt16
    private let output: URL
    private let process: Mutex<Process>

    struct NotReady: Error { let program: String }

    init(_ program: String, _ arguments: [String] = []) throws {
        output = FileManager.default.temporaryDirectory.appendingPathComponent("tagway-py-\(UUID().uuidString)")
        try Data().write(to: output)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Python")
        process.arguments = ["python3", folder.appendingPathComponent(program).path] + arguments
        process.standardOutput = try FileHandle(forWritingTo: output)
        try process.run()
        self.process = Mutex(process)
        var found: UInt16?
        let output = output
        _ = waitUntil(seconds: 20) {
            let text = (try? String(contentsOf: output, encoding: .utf8)) ?? ""
            found = text.contains("\n") ? UInt16(text.prefix { $0 != "\n" }) : nil
            return found != nil
        }
        guard let found else {
            kill(process.processIdentifier, SIGKILL)
            throw NotReady(program: program)
        }
        port = found
    }

    deinit {
        process.withLock {
            kill($0.processIdentifier, SIGKILL)
            $0.waitUntilExit()
        }
        try? FileManager.default.removeItem(at: output)
    }

    /// What it said after the port.
    func lines() -> [[String: Any]] {
        guard let data = try? Data(contentsOf: output) else { return [] }
        return data.split(separator: 0x0A).dropFirst().compactMap {
            (try? JSONSerialization.jsonObject(with: Data($0))) as? [String: Any]
        }
    }
}
