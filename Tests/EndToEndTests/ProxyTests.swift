import Foundation
import Testing

@testable import mock_upstream

/// Upstreams behind a proxy of the environment, and those that are reached over IPv6.
@Suite struct ProxyTests {
    private static func configuration(_ base: String, verify: String? = nil) -> String {
        """
        tagway: {access_log: false}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {num_retries: 0, timeout: 10, disable_cooldowns: true}
        litellm_settings: {\(verify.map { "ssl_verify: \($0)" } ?? "")}
        model_list:
          - model_name: up
            litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "\(base)"}

        """
    }

    /// What the proxies of the environment of the tests say must not count.
    private static func environment(_ changes: [String: String]) -> [String: String] {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"]
        return Dictionary(uniqueKeysWithValues: names.map { ($0, "") }).merging(changes) { $1 }
    }

    private static func ask(_ gateway: SupervisedGateway) throws -> PlainClient.Response {
        try PlainClient(port: gateway.port).exchange(PlainClient.chat("up"))
    }

    @Test func anHTTPSUpstreamIsReachedThroughATunnel() throws {
        let certificates = try Certificates()
        let leaf = try certificates.leaf()
        let upstream = try PythonServer("tls-upstream.py", [leaf.certificate, leaf.key])
        let proxy = try PythonServer("proxy.py")
        let gateway = try SupervisedGateway(
            Self.configuration("https://localhost:\(upstream.port)/v1", verify: certificates.authority), workers: 1,
            environment: Self.environment(["HTTPS_PROXY": "http://user:pass@127.0.0.1:\(proxy.port)"]))
        let answer = try Self.ask(gateway)
        #expect(answer.status == 200 && answer.body.contains("over tls"), "\(answer.body)")
        let request = try #require(proxy.lines().first)
        #expect(request["line"] as? String == "CONNECT localhost:\(upstream.port) HTTP/1.1")
        #expect(request["authorization"] as? String == "Basic dXNlcjpwYXNz")
        // Inside the tunnel the name is the upstream's.
        #expect(upstream.lines().first?["name"] as? String == "localhost")
    }

    @Test func anHTTPUpstreamIsAskedForInAbsoluteForm() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let proxy = try PythonServer("proxy.py")
        let gateway = try SupervisedGateway(
            Self.configuration("http://127.0.0.1:\(upstream.port)/up/v1"), workers: 1,
            environment: Self.environment(["HTTP_PROXY": "http://user:pass@127.0.0.1:\(proxy.port)"]))
        let answer = try Self.ask(gateway)
        #expect(answer.status == 200 && answer.body.contains("ok:up"), "\(answer.body)")
        let request = try #require(proxy.lines().first)
        #expect(
            request["line"] as? String
                == "POST http://127.0.0.1:\(upstream.port)/up/v1/chat/completions HTTP/1.1")
        #expect(request["host"] as? String == "127.0.0.1:\(upstream.port)")
        #expect(request["authorization"] as? String == "Basic dXNlcjpwYXNz")
    }

    @Test(arguments: ["127.0.0.1", "*", "example.org, 127.0.0.1"])
    func anExceptionIsReachedDirectly(exceptions: String) throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let proxy = try PythonServer("proxy.py")
        let gateway = try SupervisedGateway(
            Self.configuration("http://127.0.0.1:\(upstream.port)/up/v1"), workers: 1,
            environment: Self.environment([
                "HTTP_PROXY": "http://127.0.0.1:\(proxy.port)", "NO_PROXY": exceptions,
            ]))
        #expect(try Self.ask(gateway).status == 200)
        #expect(proxy.lines().isEmpty)
    }

    private static let hasIPv6 = ((try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)) ?? "")
        .contains("00000000000000000000000000000001 ")

    @Test(.enabled(if: hasIPv6, "the kernel has no ::1"))
    func anUpstreamIsReachedOverIPv6() throws {
        let upstream = try MockUpstream(ipv6: true)
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(
            Self.configuration("http://[::1]:\(upstream.port)/up/v1"), workers: 1, environment: Self.environment([:]))
        let answer = try Self.ask(gateway)
        #expect(answer.status == 200 && answer.body.contains("ok:up"), "\(answer.body)")
        #expect(upstream.received().first?.headers["host"] == "[::1]:\(upstream.port)")
    }
}
