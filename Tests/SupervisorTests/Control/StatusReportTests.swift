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
            state: "ready", version: "1", process: 10, config: "c.yaml", uptime: .seconds(5), generation: 4, wanted: 2,
            ready: 1, listeners: ["127.0.0.1:4000"],
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
                took: .milliseconds(3)))
    }

    @Test func peopleReadATable() {
        let lines = report.text.split(separator: "\n")
        #expect(lines[0] == "ready, generation 4, 1/2 workers, up 5 s")
        #expect(lines[3] == "last reload: failed: c.yaml:1:1: error: no")
        #expect(Set(lines[4...].map(\.count)).count == 1)
        #expect(lines[6].contains("silent"))
    }

    @Test func programsReadJSON() throws {
        let data = Data(report.json)
        let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["generation"] as? Int == 4)
        let workers = try #require(object["workers"] as? [[String: Any]])
        #expect(workers.map { $0["pid"] as? Int } == [11, 12])
        #expect(workers[0]["requests"] as? Int == 12345)
        #expect((object["last_reload"] as? [String: Any])?["errors"] as? [String] == ["c.yaml:1:1: error: no"])
    }
}
