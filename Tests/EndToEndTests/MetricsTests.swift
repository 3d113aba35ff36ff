import Foundation
import Testing

/// What is counted, seen from outside, while workers come and go.
@Suite(.serialized) struct MetricsTests {
    private func metrics(_ gateway: SupervisedGateway) throws -> [String: Double] {
        let response = try PlainClient(port: gateway.port).exchange(
            "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n\r\n")
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        var values: [String: Double] = [:]
        for line in response.body.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return values
    }

    @Test func metricsNeedTheKeyUnlessTheConfigurationSaysOtherwise() throws {
        let gateway = try SupervisedGateway(SupervisionTests.configuration(), workers: 1)
        let request = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
        #expect(try PlainClient(port: gateway.port).exchange(request).status == 401)
        try gateway.write(
            SupervisionTests.configuration() + "litellm_settings: {require_auth_for_metrics_endpoint: false}\n")
        #expect(try gateway.control("reload", "--wait").status == 0)
        #expect(try PlainClient(port: gateway.port).exchange(request).status == 200)
    }

    @Test func reloadsAreCountedByResult() throws {
        let gateway = try SupervisedGateway(SupervisionTests.configuration(), workers: 1)
        try gateway.write("model_list: nonsense\n")
        #expect(try gateway.control("reload", "--wait").status != 0)
        let failed = try metrics(gateway)
        #expect(failed[#"gateway_reload_total{result="failed"}"#] == 1)
        #expect(failed["gateway_config_last_reload_success"] == 0)
        #expect(failed["gateway_config_generation"] == 1)
        try gateway.write(SupervisionTests.configuration(extra: "other"))
        #expect(try gateway.control("reload", "--wait").status == 0)
        let good = try metrics(gateway)
        #expect(good[#"gateway_reload_total{result="failed"}"#] == 1)
        #expect(good[#"gateway_reload_total{result="ok"}"#] == 1)
        #expect(good["gateway_config_last_reload_success"] == 1)
        #expect((good["gateway_config_generation"] ?? 0) > 1)
    }

    @Test func countersNeverFallAndSumUpOverDeaths() throws {
        let gateway = try SupervisedGateway(SupervisionTests.configuration(), workers: 2)
        let name = #"litellm_proxy_total_requests_metric_total{status_code="200"}"#
        var answered = 0
        var last: [String: Double] = [:]
        for round in 1...6 {
            for _ in 0..<20 {
                #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
                answered += 1
            }
            // An answer is counted just after its last byte has left.
            var now: [String: Double] = [:]
            let isWhole = waitUntil(seconds: 5) {
                now = (try? metrics(gateway)) ?? [:]
                return now[name] == Double(answered)
            }
            #expect(isWhole, "round \(round): \(now[name] ?? -1) of \(answered)")
            for (key, value) in last where key.contains("_total") || key.contains("_count") || key.contains("_bucket") {
                #expect((now[key] ?? -1) >= value, "\(key) fell from \(value) to \(now[key] ?? -1)")
            }
            last = now
            kill(try #require(try gateway.workers().randomElement()), SIGKILL)
            #expect(waitUntil(seconds: 20) { gateway.events("worker-exit").count == round })
        }
        let isWell = waitUntil(seconds: 20) {
            (try? metrics(gateway))?[#"gateway_workers{state="ready"}"#] == 2
        }
        #expect(isWell)
        let deaths = try metrics(gateway).filter { $0.key.hasPrefix("gateway_worker_restarts_total{") }
        #expect(deaths.values.reduce(0, +) == 6)
    }
}
