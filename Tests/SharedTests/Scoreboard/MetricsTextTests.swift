import Testing

@testable import Shared

@Suite struct MetricsTextTests {
    private func text(_ write: (MetricsText) -> Void) -> [String] {
        let buffer = ByteBuffer(capacity: 1024)
        write(MetricsText(into: buffer))
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func answersAreCountedByStatusAndTime() throws {
        let scoreboard = try Scoreboard()
        scoreboard.prepare(0, slot: 0)
        let board = WorkerBoard(scoreboard, block: 0)
        let none = TimeSpan(nanoseconds: 0)
        board.countAnswer(
            status: 200, isCall: true, isStream: true, bytesSent: 10, duration: .milliseconds(30),
            upstream: .seconds(400))
        board.countAnswer(
            status: 401, isCall: true, isStream: false, bytesSent: 5, duration: .milliseconds(5), upstream: none)
        board.countAnswer(status: 200, isCall: false, isStream: false, bytesSent: 1, duration: none, upstream: none)
        // A status that is none changes no table.
        board.countAnswer(status: 0, isCall: true, isStream: false, bytesSent: 0, duration: none, upstream: none)
        let totals = try #require(scoreboard.totals())
        let lines = text { $0.append(totals) }
        for expected in [
            #"litellm_proxy_total_requests_metric_total{status_code="200"} 1"#,
            #"litellm_proxy_total_requests_metric_total{status_code="401"} 1"#,
            #"litellm_proxy_failed_requests_metric_total{exception_status="401"} 1"#,
            #"gateway_responses_total{kind="call",class="4xx"} 1"#,
            #"gateway_responses_total{kind="other",class="2xx"} 1"#,
            "gateway_streams_total 1", "gateway_response_bytes_total 16",
            #"litellm_request_total_latency_metric_bucket{le="0.005"} 2"#,
            #"litellm_request_total_latency_metric_bucket{le="0.05"} 3"#,
            #"litellm_request_total_latency_metric_bucket{le="+Inf"} 3"#,
            "litellm_request_total_latency_metric_sum 0.035000", "litellm_request_total_latency_metric_count 3",
            #"litellm_llm_api_latency_metric_bucket{le="300.0"} 0"#,
            #"litellm_llm_api_latency_metric_bucket{le="+Inf"} 1"#,
        ] { #expect(lines.contains(expected), "\(expected)") }
    }

    @Test(arguments: [(0, 0), (4_000_000_000, 1), (6_000_000_000, 2)] as [(Int64, Int)])
    func deploymentsAreToldWithTheirState(cooldownEnd: Int64, state: Int) {
        let figures = DeploymentFigures(
            attempts: 7, failures: 3, cooldowns: 2, inFlight: 1, cooldownEnd: Instant(nanoseconds: cooldownEnd))
        let lines = text {
            $0.append([(labels: [("model_id", "a\"b")], figures: figures)], at: Instant(nanoseconds: 5_000_000_000))
        }
        let labels = #"{model_id="a\"b"}"#
        #expect(
            lines.filter { !$0.hasPrefix("#") } == [
                "litellm_deployment_total_requests_total\(labels) 7",
                "litellm_deployment_failure_responses_total\(labels) 3",
                "litellm_deployment_cooled_down_total\(labels) 2", "litellm_deployment_state\(labels) \(state)",
                "gateway_deployment_in_flight\(labels) 1",
            ])
    }

    /// What makes a counter one: it never falls, whoever dies.
    @Test func whatADeadWorkerHasCountedStaysInTheSum() throws {
        let scoreboard = try Scoreboard()
        let id = Array("x".utf8)
        for round in 1...50 {
            scoreboard.prepare(round % 3, slot: round % 3)
            let board = WorkerBoard(scoreboard, block: round % 3)
            board.end(board.begin(id: id, 0..<1, now: Instant(nanoseconds: 1)))
            board.countAnswer(
                status: 200, isCall: true, isStream: false, bytesSent: 7, duration: .seconds(1), upstream: .seconds(1))
            board.accepted()
            #expect(scoreboard.totals()?.requests == round)
            scoreboard.retire(round % 3)
            let totals = try #require(scoreboard.totals())
            #expect(totals.requests == round)
            #expect(totals.calls[100] == round)
            #expect(totals.bytesSent == 7 * round)
            #expect(totals.accepts == round)
            #expect(totals.duration.count == round)
            #expect(totals.upstream.nanoseconds == round * 1_000_000_000)
        }
        #expect(scoreboard.workers().isEmpty)
    }

    @Test func aSlotIsOneSeriesHoweverManyWorkersDrainInIt() {
        var figures = WorkerFigures()
        figures.connections = 3
        figures.loopLag = .milliseconds(1500)
        let lines = text { $0.append([(slot: 1, figures: figures), (slot: 1, figures: figures)]) }
        #expect(lines.contains(#"gateway_connections{slot="1"} 6"#))
        #expect(lines.contains(#"gateway_worker_loop_lag_seconds{slot="1"} 1.500000"#))
        #expect(lines.count { $0.hasPrefix("gateway_connections{") } == 1)
    }

    @Test func labelsAreEscaped() {
        let lines = text { $0.sample("a", [("b", "c\"\\\nd")], 1) }
        #expect(lines == [#"a{b="c\"\\\nd"} 1"#])
    }

    @Test func theBucketsHaveTheBoundsThatTheyName() {
        #expect(LatencyCounts().buckets.count == LatencyCounts.bounds.count + 1)
        for (index, bound) in LatencyCounts.bounds.enumerated() {
            let memory = try? SharedMemory(named: "test", size: 4096)
            guard let memory, let seconds = Double("\(bound)") else { continue }
            LatencyCounts.count(.seconds(seconds), memory, 0)
            #expect(LatencyCounts(memory, 0).buckets[index] == 1, "\(bound)")
        }
    }
}
