import Foundation
import Testing

@testable import mock_upstream

/// The `openai` package from PyPI against a gateway: what it returns and what it raises.
@Suite struct SDKTests {
    private static let version = "3.57.0"
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// A Python with the package, made once and kept beside the build; nil when the machine has no Python or no PyPI.
    private static let python: URL? = {
        let build = root.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(".build")
        let home = build.appendingPathComponent("sdk-\(version)")
        let python = home.appendingPathComponent("bin/python")
        let done = home.appendingPathComponent("complete")
        if FileManager.default.fileExists(atPath: done.path) { return python }
        guard run("/usr/bin/env", ["python3", "-m", "venv", "--clear", home.path]).status == 0,
            run(python.path, ["-m", "pip", "install", "--quiet", "openai==\(version)"]).status == 0,
            FileManager.default.createFile(atPath: done.path, contents: nil)
        else { return nil }
        return python
    }()

    private static let mayBeMissing = ProcessInfo.processInfo.environment["CI"] == nil

    @Test(.enabled(if: python != nil || !mayBeMissing, "needs python3 with venv, and PyPI"))
    func thePackageGetsItsAnswersAndItsExceptions() throws {
        let python = try #require(Self.python, "no python3 with venv, or no PyPI")
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        var text = """
            tagway: {access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            router_settings: {enable_tag_filtering: true, num_retries: 0, disable_cooldowns: true}
            model_list:

            """
        func add(_ model: String, _ name: String, _ more: String = "") {
            text +=
                "  - {model_name: \(model), litellm_params: {model: openai/upstream-name, api_key: sk-upstream, "
                + "api_base: \"http://127.0.0.1:\(upstream.port)/\(name)/v1\"\(more)}}\n"
        }
        for tag in ["free", "paid"] { add("up", tag, ", tags: [\(tag)]") }
        for status in [400, 401, 404, 429, 500, 503] { add("fails-\(status)", "up--\(status)") }
        let gateway = try SupervisedGateway(text, workers: 1)
        let script = Self.root.appendingPathComponent("SDK/sdk.py").path
        let result = Self.run(python.path, [script, "\(gateway.port)"])
        #expect(result.status == 0 && result.output.hasSuffix("passed\n"), "\(result.output)")
    }

    private static func run(_ program: String, _ arguments: [String]) -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        guard (try? process.run()) != nil else { return (127, "cannot run \(program)") }
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
