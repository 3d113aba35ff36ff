import Foundation
import Testing

/// HTTPS upstreams: who is trusted, what is refused, and what the upstream sees of the handshake.
@Suite struct TLSUpstreamTests {
    private static func configuration(_ port: UInt16, host: String = "localhost", verify: String? = nil) -> String {
        """
        tagway: {access_log: false}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {num_retries: 0, timeout: 10, disable_cooldowns: true}
        litellm_settings: {\(verify.map { "ssl_verify: \($0)" } ?? "")}
        model_list:
          - model_name: up
            litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "https://\(host):\(port)/v1"}
          - model_name: here
            litellm_params: {model: openai/m, api_key: sk-upstream, mock_response: still here}

        """
    }

    private static func server(_ leaf: (certificate: String, key: String), version: String...) throws -> PythonServer {
        try PythonServer("tls-upstream.py", [leaf.certificate, leaf.key] + version)
    }

    private static func expectServed(_ gateway: SupervisedGateway, times: Int = 1) throws {
        let client = try PlainClient(port: gateway.port)
        for _ in 0..<times {
            let answer = try client.exchange(PlainClient.chat("up"))
            #expect(answer.status == 200 && answer.body.contains("over tls"), "\(answer.body)")
        }
    }

    @Test(arguments: ["1.2", "1.3"])
    func anAuthorityOfTheConfigurationIsTrustedAndSessionsAreUsedAgain(version: String) throws {
        let certificates = try Certificates()
        let upstream = try Self.server(certificates.leaf(), version: version)
        let gateway = try SupervisedGateway(
            Self.configuration(upstream.port, verify: certificates.authority), workers: 1)
        // The upstream closes after each answer, so that each request has a handshake of its own.
        try Self.expectServed(gateway, times: 2)
        let handshakes = upstream.lines()
        try #require(handshakes.count == 2, "\(handshakes)")
        for handshake in handshakes {
            #expect(handshake["name"] as? String == "localhost", "\(handshake)")
            #expect(handshake["protocol"] as? String == "http/1.1", "\(handshake)")
            #expect(handshake["version"] as? String == "TLSv\(version)", "\(handshake)")
        }
        #expect(handshakes.map { $0["reused"] as? Bool } == [false, true])
    }

    @Test func anAuthorityOfTheEnvironmentIsTrusted() throws {
        let certificates = try Certificates()
        let upstream = try Self.server(certificates.leaf())
        let gateway = try SupervisedGateway(
            Self.configuration(upstream.port), workers: 1, environment: ["SSL_CERT_FILE": certificates.authority])
        try Self.expectServed(gateway)
    }

    @Test func withoutVerificationEverythingIsTrustedAndAWarningSaysSo() throws {
        let certificates = try Certificates()
        let upstream = try Self.server(certificates.leaf(days: -1))
        let gateway = try SupervisedGateway(
            Self.configuration(upstream.port, host: "127.0.0.1", verify: "false"), workers: 1)
        try Self.expectServed(gateway)
        #expect(gateway.log.contains("ssl_verify"), "\(gateway.log)")
    }

    enum Defect: CaseIterable { case wrongName, untrusted, expired, oldVersion }

    @Test(arguments: Defect.allCases)
    func aBadUpstreamIsRefusedAndTheWorkerServesOn(defect: Defect) throws {
        let certificates = try Certificates()
        let other = try Certificates()
        let leaf = try certificates.leaf(days: defect == .expired ? -1 : 2)
        let upstream = defect == .oldVersion ? try Self.server(leaf, version: "1.1") : try Self.server(leaf)
        let gateway = try SupervisedGateway(
            Self.configuration(
                upstream.port, host: defect == .wrongName ? "127.0.0.1" : "localhost",
                verify: defect == .untrusted ? other.authority : certificates.authority), workers: 1)
        let workers = try gateway.workers()
        let client = try PlainClient(port: gateway.port)
        let refusal = try client.exchange(PlainClient.chat("up"))
        #expect(refusal.status == 502, "\(refusal.body)")
        #expect(refusal.body.contains(#""type":"upstream_connection_error""#), "\(refusal.body)")
        let next = try client.exchange(PlainClient.chat("here"))
        #expect(next.status == 200 && next.body.contains("still here"), "\(next.body)")
        #expect(try gateway.workers() == workers)
        // It was the handshake that failed, not the way there.
        #expect(waitUntil(seconds: 5) { upstream.lines().contains { $0["failure"] is String } }, "\(upstream.lines())")
    }
}
