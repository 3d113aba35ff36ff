import Foundation
import Testing

@testable import Shared
@testable import tagway

@Suite struct StatusReportTests {
    private var report: StatusReport {
        var figures = WorkerFigures()
        figures.connections = 3
        figures.inFlight = 2
        figures.requests = 12345
        figures.residentBytes = 9 << 20
        return StatusReport(
            state: "ready", version: "1", build: "b", process: 10, config: "c.yaml", hash: "h", hasDrifted: true,
            uptime: .seconds(3725), generation: 4, wanted: 2, configured: 3, ready: 1,
            listeners: [.init(address: "127.0.0.1:4000", queued: 7)],
            workers: [
                .init(
                    slot: 0, incarnation: 1, process: 11, state: "ready", generation: 4, uptime: .seconds(5), deaths: 0,
                    figures: figures, silence: .milliseconds(10)),
                .init(
                    slot: 1, incarnation: 2, process: 12, state: "ready", generation: 3, uptime: .seconds(5), deaths: 1,
                    figures: WorkerFigures(), silence: .seconds(4)),
            ],
            lastReload: FinishedReload(
                id: 2, triggers: ["ctl"], result: .failed(["c.yaml:1:1: error: no"]), generation: 4,
                took: .milliseconds(3)),
            deaths: [
                DeathLog.Death(
                    atMilliseconds: 1_700_000_000_000, slot: 1, incarnation: 1, process: 9, kind: .signal,
                    reason: "SIGSEGV", uptime: .seconds(90), generation: 3, lost: 2, output: ["Fatal error: x"])
            ], nowMilliseconds: 1_700_000_030_000)
    }

    @Test func peopleReadATable() {
        let text = StatusText(report, isColoured: false).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "ready, generation 4, 1/2 workers (configured: 3), up 1h02m")
        #expect(lines[2] == "listening on 127.0.0.1:4000 (7 waiting)")
        #expect(lines[3] == "the files are not what is in force")
        #expect(lines[4] == "last reload: failed: c.yaml:1:1: error: no")
        #expect(Set(lines[6...8].map(\.count)).count == 1)
        #expect(lines[8].contains("silent"))
        #expect(lines[10] == "last deaths:")
        #expect(lines[11] == "  30s ago, slot 1: SIGSEGV after 1m30s, generation 3, 2 requests lost")
        #expect(lines[12] == "    Fatal error: x")
        #expect(!text.contains("\u{1B}"))
    }

    @Test func coloursChangeNothingButColours() {
        let text = StatusText(report, isColoured: true).text
        #expect(text.contains("\u{1B}[31msilent\u{1B}[0m"))
        #expect(text.replacing(/\u{1B}\[[0-9]+m/, with: "") == StatusText(report, isColoured: false).text)
    }

    @Test(arguments: [(0, "0s"), (59, "59s"), (61, "1m01s"), (7384, "2h03m"), (180_000, "2d02h")])
    func anAgeIsShort(_ seconds: Int, _ text: String) {
        #expect(StatusText.short(.seconds(seconds)) == text)
    }

    @Test func programsReadJSON() throws {
        let data = Data(report.json)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["generation"] as? Int == 4)
        #expect(object["config_drift"] as? Bool == true)
        #expect(object["listener_queue"] as? Int == 7)
        let workers = try #require(object["workers"] as? [[String: Any]])
        #expect(workers.map { $0["pid"] as? Int } == [11, 12])
        #expect(workers.map { $0["silent"] as? Bool } == [false, true])
        #expect(workers[0]["requests"] as? Int == 12345)
        #expect((object["last_reload"] as? [String: Any])?["errors"] as? [String] == ["c.yaml:1:1: error: no"])
        let deaths = try #require(object["last_deaths"] as? [[String: Any]])
        #expect(deaths.first?["output"] as? [String] == ["Fatal error: x"])
        #expect(deaths.first?["at"] as? String == "2023-11-14T22:13:20.000Z")
    }
}
