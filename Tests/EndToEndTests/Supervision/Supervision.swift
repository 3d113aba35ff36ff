import Foundation
import Synchronization
import Testing

/// Processes come and go; requests must not notice, or only those that were on a process that died.
///
/// The numbers are those of the specification. `make test` runs each test short, `make soak` in full and with release
/// builds; what is asserted is the same. One at a time: they put the machine under load.
@Suite(.serialized, .inTable) enum Supervision {
    /// Whether `make soak` runs.
    static let isSoak = ProcessInfo.processInfo.environment["TAGWAY_SOAK"] == "1"

    /// Tests that mostly wait. In `make soak` they run beside 72, those of balance in a lane of their own, and all others
    /// before them and alone; soak.sh.
    private static let besideLoad: Set<String> = ["11", "15", "23", "35", "37", "45", "51"]
    private static let balance: Set<String> = ["47", "48", "49"]

    /// Whether a test has its turn in the lane of `make soak` that runs, if one does.
    static func isDue(_ number: String) -> Bool {
        switch ProcessInfo.processInfo.environment["TAGWAY_SOAK_LANE"] {
        case "alone": number != "72" && !besideLoad.contains(number) && !balance.contains(number)
        case "beside": besideLoad.contains(number)
        case "balance": balance.contains(number)
        case "load": number == "72"
        default: true
        }
    }

    static func pick<Value>(_ short: Value, _ long: Value) -> Value { isSoak ? long : short }

    /// One model that answers itself, and one behind an upstream if there is one.
    static func configuration(
        _ settings: String = "", extra: String = "extra", upstream: UInt16? = nil, drainTimeout: Int = 60
    ) -> String {
        var text = """
            tagway: {drain_timeout: \(drainTimeout), access_log: false\(settings.isEmpty ? "" : ", " + settings)}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: quick
                litellm_params: {model: openai/quick, api_key: sk-upstream, mock_response: quick}
              - model_name: \(extra)
                litellm_params: {model: openai/extra, api_key: sk-upstream, mock_response: extra}

            """
        if let upstream {
            text += """
                  - model_name: slow
                    litellm_params: {model: openai/slow, api_key: sk-upstream, api_base: "http://127.0.0.1:\(upstream)/v1"}

                """
        }
        return text
    }

    static func wait(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }

    /// Why a connection cannot be made; nil when it can. What knocks while a listener is being left is not answered, and
    /// the kernel would knock again only after a second.
    static func refusal(_ port: UInt16) -> PlainClient.Failure? {
        do throws(PlainClient.Failure) {
            _ = try PlainClient(port: port, milliseconds: 100)
            return nil
        } catch {
            return error
        }
    }
}

/// A row of the table of `make soak` for each test: its number, name and figures, and whether it passed.
struct InTable: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    /// What the test under way has found out.
    final class Row: Sendable {
        let figures = Mutex<[String]>([])
        let issues = Atomic<Int>(0)
    }

    @TaskLocal static var row: Row?

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil, let path = ProcessInfo.processInfo.environment["TAGWAY_SOAK_TABLE"] else {
            return try await function()
        }
        let name = test.displayName ?? test.name
        let parts = name.split(separator: ". ", maxSplits: 1)
        let number = parts.count == 2 ? String(parts[0]) : ""
        guard Supervision.isDue(number) else { return }
        let row = Row()
        let begun = monotonicSeconds()
        defer {
            let isGood = row.issues.load(ordering: .relaxed) == 0
            let cells = [
                number, String(parts.last ?? ""),
                row.figures.withLock { $0.joined(separator: "; ") }, "\(Int(monotonicSeconds() - begun)) s",
                isGood ? "pass" : "FAIL",
            ]
            Self.append("| \(cells.joined(separator: " | ")) |\n", to: path)
        }
        let counting = IssueHandlingTrait.compactMapIssues { issue in
            row.issues.add(1, ordering: .relaxed)
            return issue
        }
        try await counting.provideScope(for: test, testCase: testCase) {
            try await Self.$row.withValue(row) {
                do {
                    try await function()
                } catch {
                    row.issues.add(1, ordering: .relaxed)
                    throw error
                }
            }
        }
    }

    private static func append(_ line: String, to path: String) {
        let number = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        guard number >= 0 else { return }
        let file = FileHandle(fileDescriptor: number, closeOnDealloc: true)
        file.write(Data(line.utf8))
    }
}

extension Trait where Self == InTable {
    static var inTable: InTable { InTable() }
}

/// Notes a figure of the test under way for the table.
func figure(_ text: String) {
    InTable.row?.figures.withLock { $0.append(text) }
}
