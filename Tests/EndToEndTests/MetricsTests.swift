import Foundation
import Testing

/// What is counted, seen from outside, while workers come and go.
@Suite(.serialized) struct MetricsTests {
    @Test func metricsNeedTheKeyUnlessTheConfigurationSaysOtherwise() throws {
        let gateway = try SupervisedGateway(Supervision.configuration(), workers: 1)
        let request = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
        #expect(try PlainClient(port: gateway.port).exchange(request).status == 401)
        try gateway.write(
            Supervision.configuration() + "litellm_settings: {require_auth_for_metrics_endpoint: false}\n")
        #expect(try gateway.control("reload", "--wait").status == 0)
        #expect(try PlainClient(port: gateway.port).exchange(request).status == 200)
    }

    @Test func reloadsAreCountedByResult() throws {
        let gateway = try SupervisedGateway(Supervision.configuration(), workers: 1)
        try gateway.write("model_list: nonsense\n")
        #expect(try gateway.control("reload", "--wait").status != 0)
        let failed = try Metrics(gateway)
        #expect(failed[#"gateway_reload_total{result="failed"}"#] == 1)
        #expect(failed["gateway_config_last_reload_success"] == 0)
        #expect(failed["gateway_config_generation"] == 1)
        try gateway.write(Supervision.configuration(extra: "other"))
        #expect(try gateway.control("reload", "--wait").status == 0)
        let good = try Metrics(gateway)
        #expect(good[#"gateway_reload_total{result="failed"}"#] == 1)
        #expect(good[#"gateway_reload_total{result="ok"}"#] == 1)
        #expect(good["gateway_config_last_reload_success"] == 1)
        #expect((good["gateway_config_generation"] ?? 0) > 1)
    }
}
