import Foundation
import Testing

@testable import mock_upstream

/// How upstreams fail, and what a client of two workers sees of it: an outage looks like one, a refusal is told.
@Suite struct FailureScenarioTests {
    private typealias Member = FailingTier.Member

    // MARK: Nothing has been sent yet

    @Test(arguments: ["429", "500", "503", "reset", "malformed-json"])
    func anotherDeploymentStandsIn(preset: String) throws {
        let tier = try FailingTier()
        defer { tier.end() }
        tier.upstream.script("first", presets: [preset])
        let answer = try tier.ask()
        #expect(answer.status == 200 && answer.deployment == "second", "\(answer.body)")
        #expect(answer.retries == 1 && answer.fallbacks == 0)
        #expect(tier.count("first") == 1 && tier.count("second") == 1)
    }

    /// A deployment that is alone, so that none but the failure itself decides.
    @Test(arguments: [("429", 429), ("500", 500), ("503", 503), ("reset", 502), ("malformed-json", 502)])
    func aFailureWithoutASubstituteHasItsOwnStatus(preset: String, status: Int) throws {
        let tier = try FailingTier([.first], router: "num_retries: 0")
        defer { tier.end() }
        tier.upstream.script("first", presets: [preset])
        let answer = try tier.ask()
        #expect(answer.status == status, "\(answer.body)")
        #expect(answer.deployment == "first" && answer.errorType != nil)
        #expect(tier.count("first") == 1)
    }

    @Test func retryAfterIsTheLeastWaitForTheSameDeployment() throws {
        let tier = try FailingTier([.first])
        defer { tier.end() }
        tier.upstream.script("first", presets: ["429-after", "ok"])
        let answer = try tier.ask()
        #expect(answer.status == 200 && answer.retries == 1, "\(answer.body)")
        let times = tier.upstream.received("first").map(\.time)
        #expect(times.count == 2 && times[1] - times[0] >= 1)
    }

    @Test func aTierThatIsDownIsAnOutageThatSaysWhenItEnds() throws {
        let tier = try FailingTier()
        defer { tier.end() }
        let limited = Behaviour.error(429, "slow down", type: "rate_limit_error", headers: ["retry-after": "40"])
        tier.upstream.script("first", limited)
        tier.upstream.script("second", limited)
        let first = try tier.ask()
        #expect(first.status == 429 && first.retryAfter == 40 && first.retries == 1, "\(first)")
        for _ in 0..<8 {
            let answer = try tier.ask()
            #expect(answer.status == 429 && answer.errorType == "all_deployments_in_cooldown", "\(answer.body)")
            #expect((20...40).contains(answer.retryAfter ?? 0) && answer.deployment != nil)
        }
        #expect(tier.count("first") == 1 && tier.count("second") == 1)
    }

    /// Retries, higher orders and fallbacks only try to make the first failure good.
    @Test(arguments: ["retry", "order", "fallback"])
    func whenEverythingFailsTheFirstErrorIsTold(way: String) throws {
        let (group, order) = (way == "fallback" ? "other" : "main", way == "order" ? 2 : 1)
        let tier = try FailingTier(
            [
                Member(group: "main", id: "first", settings: "weight: 1, order: 1"),
                Member(group: group, id: "second", settings: "order: \(order)"),
            ], router: "num_retries: \(way == "retry" ? 1 : 0), fallbacks: [{main: [other]}]")
        defer { tier.end() }
        tier.upstream.script(
            "first",
            .error(
                429, "too many for first", type: "rate_limit_error",
                headers: ["retry-after": "7", "x-said-by": "first"]))
        tier.upstream.script("second", presets: ["503"])
        let answer = try tier.ask()
        #expect(tier.count("first") == 1 && tier.count("second") == 1)
        #expect(answer.status == 429 && answer.errorType == "throttling_error", "\(answer.body)")
        #expect(answer.body.contains("too many for first"))
        #expect(answer.deployment == "first" && answer.retryAfter == 7)
        #expect(answer.headers["llm_provider-x-said-by"] == "first")
        #expect(answer.headers["x-litellm-model-group"] == "main")
        #expect(answer.retries == (way == "retry" ? 1 : 0) && answer.fallbacks == (way == "retry" ? 0 : 1))
    }

    @Test func noAnswerAtAllIsBoundedByTheDeadlineOfTheRequest() throws {
        let tier = try FailingTier(
            router: "num_retries: 100, disable_cooldowns: true", process: "request_timeout: 0.7")
        defer { tier.end() }
        tier.upstream.script("first", presets: ["silent"])
        tier.upstream.script("second", presets: ["silent"])
        let begun = Received.now()
        let answer = try tier.ask()
        let took = Received.now() - begun
        #expect(answer.status == 504 && answer.errorType == "timeout_error", "\(answer.body)")
        #expect(took >= 0.7 && took < 5, "\(took)")
    }

    @Test func noAnswerInADeploymentsTimeIsRetriedElsewhere() throws {
        let tier = try FailingTier([
            Member(group: "main", id: "first", settings: "weight: 1, timeout: 0.2"), .second,
        ])
        defer { tier.end() }
        tier.upstream.script("first", presets: ["silent"])
        let answer = try tier.ask()
        #expect(answer.status == 200 && answer.deployment == "second" && answer.retries == 1)
    }

    /// Neither an impatient client nor one that asks for a model that does not exist takes a tier from the others.
    @Test func whatACallerBringsAboutIsNoFailureOfTheDeployment() throws {
        let tier = try FailingTier(
            [.first, .second, Member(group: "\"wild/*\"", id: "wild", model: "*")],
            router: "num_retries: 0, allowed_fails: 0")
        defer { tier.end() }
        var slow = Behaviour()
        slow.delay = 0.3
        tier.upstream.script("first", slow)
        let body = #"{"model":"main","messages":[],"timeout":0.05}"#
        for _ in 0..<6 {
            let answer = try PlainClient(port: tier.gateway.port).exchange(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n"
                    + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
            #expect(answer.status == 504 && answer.deployment == "first", "\(answer.body)")
        }
        #expect(try tier.ask().deployment == "first")
        tier.upstream.script("wild", .error(404, "no such model", type: "invalid_request_error"))
        #expect(try tier.ask("wild/none").status == 404)
        tier.upstream.script("wild", presets: ["ok"])
        #expect(try tier.ask("wild/some").status == 200)
        #expect(tier.gateway.events("cooldown").isEmpty)
    }

    // MARK: Streams

    /// Held back until there is content: silence, a role alone, an end before the first token.
    @Test(arguments: ["silent", "role", "cut", "unfinished", "malformed"])
    func aStreamWithoutItsFirstTokenIsTriedElsewhere(kind: String) throws {
        let tier = try FailingTier([
            Member(group: "main", id: "first", settings: "weight: 1, stream_timeout: 0.3"), .second,
        ])
        defer { tier.end() }
        tier.upstream.script(
            "first",
            Behaviour {
                switch kind {
                case "silent": $0.fault = .silent
                case "role": Self.nameOnlyTheRole(&$0)
                case "cut": $0.cutAfter = 0
                case "unfinished":
                    $0.framing = .close
                    $0.cutAfter = 0
                default: $0.malformedAfter = 0
                }
            })
        let (head, text) = try tier.stream()
        #expect(head.status == 200 && head.deployment == "second" && head.retries == 1, "\(head)")
        #expect(text.contains("[DONE]") && !text.contains("\"error\""), "\(text)")
        #expect(!text.contains("\"id\":\"r\""))
        #expect(tier.count("first") == 1 && tier.count("second") == 1)
    }

    /// Half of what it sends is an event without content; the other half never comes.
    private static func nameOnlyTheRole(_ behaviour: inout Behaviour) {
        let event = #"data: {"id":"r","choices":[{"index":0,"delta":{"role":"assistant"}}]}"# + "\n\n"
        behaviour.headers = ["content-type": "text/event-stream"]
        behaviour.body = event + ":" + String(repeating: ".", count: event.utf8.count - 1)
        behaviour.fault = .stall
    }

    /// Who wants to hear at once that an answer begins has nobody stand in for it; its first token is still waited for no
    /// longer than `stream_timeout`.
    @Test func aStreamThatIsNotHeldBeginsWithItsFirstEvent() throws {
        let tier = try FailingTier(
            [
                Member(group: "main", id: "first", settings: "weight: 1, stream_timeout: 0.3, stream_idle_timeout: 60"),
                .second,
            ], process: "workers: 2, hold_until_content: false")
        defer { tier.end() }
        tier.upstream.script("first", Behaviour { Self.nameOnlyTheRole(&$0) })
        let (head, text) = try tier.stream()
        #expect(head.status == 200 && head.deployment == "first" && head.retries == 0, "\(head)")
        #expect(text.contains("\"id\":\"r\"") && !text.contains("[DONE]"), "\(text)")
        #expect(text.components(separatedBy: "data: {\"error\":").count == 2, "\(text)")
        #expect(text.contains("timeout_error"), "\(text)")
        #expect(tier.count("first") == 1 && tier.count("second") == 0)
    }

    /// Where the setting is not there, a stream waits for content if something else is arranged that could bring it.
    @Test(arguments: [
        "alone", "retries", "fallback", "asks for retries", "asks for a fallback", "asks for no fallback", "no retries",
    ])
    func anOnlyDeploymentsStreamBeginsAtOnce(kind: String) throws {
        let timeout = "stream_timeout: 0.3, stream_idle_timeout: 60"
        var router = timeout
        var members = [Member(group: "main", id: "first")]
        var extra = ""
        switch kind {
        case "retries": router += ", num_retries: 1"
        case "fallback", "asks for no fallback":
            members.append(Member(group: "other", id: "second"))
            router += ", num_retries: 0, fallbacks: [{main: [other]}]"
            if kind != "fallback" { extra = #","disable_fallbacks":true"# }
        case "asks for retries": extra = #","num_retries":1"#
        case "asks for a fallback":
            members.append(Member(group: "other", id: "second"))
            extra = #","fallbacks":["other"]"#
        case "no retries":
            members.append(.second)
            members[0].settings = "weight: 1"
            router += ", num_retries: 0"
        default: break
        }
        let tier = try FailingTier(members, router: router)
        defer { tier.end() }
        tier.upstream.script("first", Behaviour { Self.nameOnlyTheRole(&$0) })
        let (head, text) = try tier.stream(more: extra)
        switch kind {
        case "alone", "asks for no fallback", "no retries":
            #expect(head.status == 200 && head.deployment == "first" && head.retries == 0, "\(head)")
            #expect(text.contains("\"id\":\"r\"") && text.contains("timeout_error"), "\(text)")
        case "retries", "asks for retries":
            #expect(head.status == 504 && !text.contains("\"id\":\"r\""), "\(head) \(text)")
            #expect(tier.count("first") == 2)
        default:
            #expect(head.status == 200 && head.deployment == "second", "\(head)")
            #expect(text.contains("[DONE]") && !text.contains("\"id\":\"r\""), "\(text)")
        }
    }

    /// What has reached the client cannot be taken back: one error event, no `[DONE]`, nobody else is asked.
    @Test(arguments: ["cut", "reset", "unfinished", "stalled", "malformed", "reported"])
    func aStreamThatBreaksBehindItsContentEndsWithOneError(kind: String) throws {
        let tier = try FailingTier(router: "num_retries: 1, stream_timeout: 60, stream_idle_timeout: 0.3")
        defer { tier.end() }
        tier.upstream.script(
            "first",
            Behaviour {
                // The first event has to be on its way before anything goes wrong behind it.
                $0.pace = 0.2
                switch kind {
                case "cut": $0.cutAfter = 1
                case "reset": $0.resetAfter = 1
                // A body that ends as HTTP allows, in the middle of the answer.
                case "unfinished":
                    $0.framing = .close
                    $0.cutAfter = 1
                case "stalled": $0.stallAfter = 1
                case "malformed": $0.malformedAfter = 1
                default: $0.errorAfter = 1
                }
            })
        let (head, text) = try tier.stream()
        #expect(head.status == 200 && head.deployment == "first" && head.retries == 0)
        #expect(text.contains("\"content\":\"ok\""))
        #expect(text.components(separatedBy: "data: {\"error\":").count == 2, "\(text)")
        #expect(!text.contains("[DONE]"))
        #expect(tier.count("second") == 0)
        #expect(waitUntil(seconds: 5) { tier.gateway.accessLines().count == 1 })
        let error = tier.gateway.accessLines().first?["error"] as? String
        let expected =
            switch kind {
            case "stalled": "timeout_error"
            case "reported": "upstream_error"
            case "reset": "upstream_connection_error"
            default: "upstream_protocol_error"
            }
        #expect(error == expected, "\(error ?? "none")")
    }

    // MARK: Refusals

    @Test(arguments: ["context", "content-filter"])
    func aRefusedPromptIsNotRoutedAround(preset: String) throws {
        let tier = try FailingTier(router: "num_retries: 3")
        defer { tier.end() }
        tier.upstream.script("first", presets: [preset])
        let answer = try tier.ask()
        #expect(answer.status == 400 && answer.deployment == "first" && answer.retries == 0, "\(answer.body)")
        #expect(tier.count("first") == 1 && tier.count("second") == 0)
        // It says nothing about the deployment, which stays in use.
        tier.upstream.script("first", presets: ["ok"])
        #expect(try tier.ask().deployment == "first")
    }

    @Test(arguments: [("context", "context_window_fallbacks"), ("content-filter", "content_policy_fallbacks")])
    func aRefusedPromptGoesWhereTheConfigurationSays(preset: String, key: String) throws {
        let tier = try FailingTier(
            [.first, .second, Member(group: "wide", id: "wide"), Member(group: "other", id: "other")],
            router: "num_retries: 3, fallbacks: [{main: [other]}], \(key): [{main: [wide]}]")
        defer { tier.end() }
        tier.upstream.script("first", presets: [preset])
        let answer = try tier.ask()
        #expect(answer.status == 200 && answer.deployment == "wide", "\(answer.body)")
        #expect(answer.retries == 0 && answer.fallbacks == 1)
        #expect(answer.headers["x-litellm-model-group"] == "wide")
        #expect(tier.count("second") == 0 && tier.count("other") == 0)
    }

    @Test func aRefusedPrefillIsToldToTheClient() throws {
        let tier = try FailingTier(router: "num_retries: 3")
        defer { tier.end() }
        tier.upstream.script("first", presets: ["prefill"])
        let body =
            #"{"model":"main","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"{"}]}"#
        let answer = try PlainClient(port: tier.gateway.port).exchange(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n"
                + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
        #expect(answer.status == 400 && answer.retries == 0, "\(answer.body)")
        #expect(answer.errorType == "invalid_request_error")
        #expect(answer.body.contains("does not support assistant message prefill"))
        #expect(tier.count("first") == 1 && tier.count("second") == 0)
    }

    // MARK: Recovery and accounts

    @Test func aFlappingPrimaryIsProbedByOneRequestAtATime() throws {
        let tier = try FailingTier(
            [Member(group: "main", id: "first", settings: "weight: 1, cooldown_time: 1"), .second])
        defer { tier.end() }
        var late = Behaviour()
        late.delay = 0.5
        // Whoever came while the last probe is under way would be answered before it.
        tier.upstream.script(
            "first", Behaviour.presets["429"] ?? late, Behaviour.presets["500"] ?? late, late, Behaviour())
        #expect(try tier.ask().deployment == "second")
        // Only the request that comes first after the cooldown gets there; its failure is another cooldown.
        #expect(try waitUntil(seconds: 10) { try tier.ask().status == 200 && tier.count("first") == 2 })
        for _ in 0..<8 { #expect(try tier.ask().deployment == "second") }
        #expect(tier.count("first") == 2)
        // While the next probe is under way, all others stay away, whichever worker has them.
        let port = tier.gateway.port
        let probe = Thread {
            while tier.count("first") == 2 {
                _ = try? PlainClient(port: port).exchange(PlainClient.chat("main"))
            }
        }
        probe.start()
        #expect(waitUntil(seconds: 10) { tier.count("first") == 3 })
        let begun = Received.now()
        let answers = FailingTier.inParallel(16) { _ in
            try? PlainClient(port: port).exchange(PlainClient.chat("main")).deployment
        }
        if Received.now() - begun < 0.4 {
            #expect(answers.allSatisfy { $0 == "second" }, "\(answers)")
            #expect(tier.count("first") == 3)
        }
        // It has succeeded: the primary is in use again.
        #expect(try waitUntil(seconds: 10) { try tier.ask().deployment == "first" })
        for _ in 0..<8 { #expect(try tier.ask().deployment == "first") }
        let cooldowns = tier.gateway.events("cooldown")
        #expect(cooldowns.map { $0["failure"] as? String } == ["status 429", "status 500"])
        #expect(cooldowns.allSatisfy { $0["deployment"] as? String == "first" && $0["cooldown_ms"] as? Int == 1000 })
        #expect(tier.gateway.events("recovered").map { $0["deployment"] as? String } == ["first"])
        let metrics = try PlainClient(port: port).exchange(
            "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n\r\n"
        ).body
        let base = FailingTier.base("first", tier.upstream.port)
        let labels = #"{requested_model="main",litellm_model_name="m",model_id="first",api_base="\#(base)"}"#
        #expect(metrics.contains("\nlitellm_deployment_cooled_down_total\(labels) 2\n"), "\(metrics)")
        #expect(metrics.contains("\nlitellm_deployment_failure_responses_total\(labels) 2\n"))
        #expect(metrics.contains("\nlitellm_deployment_state\(labels) 0\n"))
        #expect(metrics.contains("\nlitellm_deployment_total_requests_total\(labels) \(tier.count("first"))\n"))
    }

    @Test func aFallbackIsAccountedFor() throws {
        let tier = try FailingTier(
            [.first, .second, Member(group: "backup", id: "third")],
            router: "num_retries: 1, fallbacks: [{main: [backup]}]")
        defer { tier.end() }
        tier.upstream.script("first", presets: ["500"])
        tier.upstream.script("second", presets: ["503"])
        let answer = try tier.ask()
        #expect(answer.status == 200 && answer.deployment == "third", "\(answer.body)")
        #expect(answer.retries == 1 && answer.fallbacks == 1)
        #expect(answer.headers["x-litellm-model-group"] == "backup")
        #expect(answer.headers["x-litellm-model-api-base"] == FailingTier.base("third", tier.upstream.port))
        tier.upstream.script("third", presets: ["500"])
        let failed = try tier.ask()
        #expect(failed.status == 500 && failed.deployment == "first", "\(failed.body)")
        #expect(failed.headers["x-litellm-model-group"] == "main")
        #expect(failed.retries == 1 && failed.fallbacks == 1)
        #expect(waitUntil(seconds: 5) { tier.gateway.accessLines().count == 2 })
        let lines = tier.gateway.accessLines()
        #expect(lines.map { $0["status"] as? Int } == [200, failed.status])
        #expect(lines.map { $0["model"] as? String } == ["main", "main"])
        #expect(lines.map { $0["deployment"] as? String } == ["third", failed.deployment])
        #expect(lines.map { $0["retries"] as? Int } == [1, 1])
        #expect(lines.map { $0["fallbacks"] as? Int } == [1, 1])
    }
}
