import Testing

@testable import Shared
@testable import Worker

/// What `tagway explain` is told; that it is what a gateway does, `ExplainTests` of the end-to-end tests show.
@Suite struct ExplanationTests {
    private static func configuration(_ change: (inout Configuration) -> Void = { _ in }) -> Configuration {
        var configuration = Configuration()
        configuration.router.enableTagFiltering = true
        configuration.general.masterKey = Secret("sk-key")
        for (name, id, tags) in [
            ("main", "a", ["free"]), ("main", "b", ["free"]), ("main", "c", ["paid"]), ("next", "d", ["paid"]),
            ("last", "e", ["free"]), ("w/*", "f", ["free"]),
        ] {
            var deployment = Deployment()
            deployment.modelName = name
            deployment.id = id
            deployment.tags = tags
            deployment.upstreamModel = name == "w/*" ? "x-*" : "up"
            configuration.deployments.append(deployment)
        }
        configuration.router.fallbacks.rules = [
            FallbackRule(group: "main", targets: ["next", "w/y"]),
            FallbackRule(group: "next", targets: ["main", "last"]),
        ]
        configuration.router.fallbacks.contextWindow = [FallbackRule(group: "main", targets: ["last"])]
        change(&configuration)
        return configuration
    }

    private func explain(
        _ body: String, path: String = "/v1/chat/completions", headers: String = "authorization: Bearer sk-key\r\n",
        method: String = "POST", _ configuration: Configuration = Self.configuration()
    ) -> Explanation {
        let text =
            "\(method) \(path) HTTP/1.1\r\nhost: x\r\n\(headers)content-length: \(body.utf8.count)\r\n\r\n\(body)"
        return Explanation(of: Array(text.utf8), configuration)
    }

    private func body(_ model: String, _ more: String = "") -> String {
        #"{"model":"\#(model)","messages":[]\#(more)}"#
    }

    @Test func theWayGoesThroughTheFallbacks() throws {
        let explanation = explain(body("main", #","tags":["free"],"num_retries":4"#))
        let group = try #require(explanation.group)
        #expect(group.name == "main" && group.modelName == "main" && group.isFiltered && group.reason == "tags match")
        #expect(group.members.map(\.isAllowed) == [true, true, false])
        #expect(group.members.map(\.share) == [0.5, 0.5, nil])
        #expect(explanation.retries == 4)
        // `next` refuses the tags, and what stands in for it is asked then.
        #expect(explanation.fallbacks.map(\.name) == ["next", "last", "w/y"])
        #expect(explanation.fallbacks.map(\.canServe) == [false, true, true])
        #expect(explanation.fallbacks[2].modelName == "w/*" && explanation.fallbacks[2].members[0].model == "x-y")
        #expect(explanation.contextWindowFallbacks.map(\.name) == ["last"])
        #expect(explanation.contentPolicyFallbacks == explanation.fallbacks)
        #expect(explanation.refusal == nil)
    }

    @Test func tagsAreToldWithTheirPlace() {
        let headers = "authorization: Bearer sk-key\r\nx-litellm-tags: free, eu\r\n"
        let member = #","metadata":{"tags":["!paid"]},"litellm_metadata":{"tags":["&free"]}"#
        func tags(_ more: String) -> [String] {
            explain(body("main", more), headers: headers).tags.map { "\($0.text)<\($0.source)" }
        }
        #expect(
            tags(member) == [
                "free<x-litellm-tags", "eu<x-litellm-tags", "!paid<metadata.tags", "&free<litellm_metadata.tags",
            ])
        #expect(tags(#","tags":["a"]"#) == ["a<tags"])
    }

    @Test func ordersHaveSharesOfTheirOwn() {
        let explanation = explain(
            body("main", #","tags":["free","paid"]"#),
            Self.configuration {
                $0.deployments[0].order = 1
                $0.deployments[1].order = 1
                $0.deployments[1].weight = 3
                $0.deployments[2].unconfigured = "KEY is not set"
            })
        #expect(explanation.group?.members.map(\.share) == [0, 1, nil])
        #expect(explanation.group?.members.map(\.isAllowed) == [true, true, true])
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var testDescription: String { "\(status) \(type) for \(body)" }
        var body: String
        var status: Int
        var type: String
        var path = "/v1/chat/completions"
        var headers = "authorization: Bearer sk-key\r\n"
        var method = "POST"
        var change: @Sendable (inout Configuration) -> Void = { _ in }
    }

    @Test(arguments: [
        Refused(body: #"{"model":"gone","messages":[]}"#, status: 400, type: "invalid_request_error"),
        Refused(body: #"{"messages":[]}"#, status: 400, type: "invalid_request_error"),
        Refused(body: #"{"model":"#, status: 400, type: "invalid_request_error"),
        Refused(body: #"{"model":"main"}"#, status: 400, type: "invalid_request_error"),
        Refused(body: #"{"model":"main,next","messages":[]}"#, status: 400, type: "invalid_request_error"),
        Refused(body: #"{"model":"main","messages":[],"tags":"x"}"#, status: 400, type: "invalid_request_error"),
        Refused(
            body: #"{"model":"main","messages":[],"tags":["nope"],"fallbacks":[]}"#, status: 401,
            type: "internal_server_error"),
        Refused(
            body: #"{"model":"main","messages":[],"tags":["nope"],"fallbacks":[]}"#, status: 403,
            type: "internal_server_error", change: { $0.router.semantics = .strict }),
        Refused(
            body: #"{"model":"last","messages":[],"tags":["free"]}"#, status: 503, type: "deployment_unconfigured",
            change: { $0.deployments[4].unconfigured = "KEY is not set" }),
        Refused(body: "{}", status: 401, type: "auth_error", headers: ""),
        Refused(body: "{}", status: 401, type: "auth_error", headers: "authorization: Bearer other\r\n"),
        Refused(body: "{}", status: 404, type: "not_found_error", path: "/v2/chat"),
        Refused(body: "{}", status: 405, type: "invalid_request_error", method: "GET"),
        Refused(body: "{}", status: 400, type: "invalid_request_error", headers: "host: y\r\n"),
        Refused(body: "{}", status: 431, type: "invalid_request_error", change: { $0.process.headerBytes = 20 }),
        Refused(body: "{\"a\":1}", status: 413, type: "invalid_request_error", change: { $0.process.bodyBytes = 3 }),
    ])
    func whatIsRefusedIsToldAsTheGatewayTellsIt(_ c: Refused) {
        let explanation = explain(
            c.body, path: c.path, headers: c.headers, method: c.method, Self.configuration(c.change))
        #expect(explanation.refusal?.status == c.status, "\(explanation)")
        #expect(explanation.refusal?.type == c.type)
    }

    @Test func aFallbackMayServeWhatTheGroupRefuses() {
        let explanation = explain(body("next", #","tags":["free"]"#))
        #expect(explanation.group?.canServe == false)
        #expect(explanation.fallbacks.map(\.name) == ["main", "w/y", "last"])
        #expect(explanation.refusal == nil)
    }

    @Test func aModelInThePathCounts() {
        let explanation = explain(body("gone"), path: "/openai/deployments/w%2Fx/chat/completions")
        #expect(explanation.model == "w/x" && explanation.group?.modelName == "w/*")
    }
}
