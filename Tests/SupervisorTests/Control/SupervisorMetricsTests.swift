import Shared
import Testing

@testable import tagway

@Suite struct SupervisorMetricsTests {
    private func lines(_ metrics: SupervisorMetrics, _ now: SupervisorMetrics.Now) -> [String] {
        String(decoding: metrics.text(now), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// A series that is there from the start is one whose first increase can be seen.
    @Test func resultsAndStatesThatHaveNotBeenSeenAreZero() {
        let lines = lines(SupervisorMetrics(lastReloadSeconds: 7), .init(states: [.ready: 2], generation: 1))
        for expected in [
            #"gateway_workers{state="ready"} 2"#, #"gateway_workers{state="draining"} 0"#,
            #"gateway_reload_total{result="failed"} 0"#, "gateway_config_last_reload_success 1",
            "gateway_config_last_reload_timestamp_seconds 7", "gateway_degraded 0",
            #"gateway_requests_failed_total{reason="worker_death"} 0"#,
        ] { #expect(lines.contains(expected), "\(expected)") }
    }

    @Test func aFailedReloadKeepsTheTimeOfTheLastGoodOne() {
        var metrics = SupervisorMetrics(lastReloadSeconds: 7)
        metrics.count(.failed(["no"]), atSeconds: 8)
        metrics.restarts[.init(slot: 1, kind: .signal)] = 3
        let failed = lines(metrics, .init(generation: 1, isDegraded: true))
        #expect(failed.contains("gateway_config_last_reload_success 0"))
        #expect(failed.contains("gateway_config_last_reload_timestamp_seconds 7"))
        #expect(failed.contains(#"gateway_worker_restarts_total{slot="1",reason="signal"} 3"#))
        #expect(failed.contains("gateway_degraded 1"))
        metrics.count(.unchanged, atSeconds: 9)
        #expect(lines(metrics, .init()).contains("gateway_config_last_reload_success 1"))
        #expect(lines(metrics, .init()).contains("gateway_config_last_reload_timestamp_seconds 7"))
    }
}
