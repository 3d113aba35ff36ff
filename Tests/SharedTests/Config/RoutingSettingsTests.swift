import Testing

@testable import Shared

/// Strategy, retries, cooldowns and fallbacks as they are written, and what is said of mistakes.
@Suite struct RoutingSettingsTests {
    private func router(_ text: String, section: String = "router_settings") -> RouterSettings {
        decode("model_list: []\n\(section): {\(text)}\n").configuration.router
    }

    @Test(arguments: [
        ("simple-shuffle", RoutingStrategy.simpleShuffle), ("least-busy", .leastBusy),
        ("latency-based-routing", .latencyBased), ("usage-based-routing-v2", .usageBased),
        ("usage-based-routing", .usageBased), ("cost-based-routing", .costBased),
    ])
    func strategies(_ name: String, _ strategy: RoutingStrategy) {
        #expect(router("routing_strategy: \(name)").strategy == strategy)
    }

    @Test func strategyArguments() {
        let found = router("routing_strategy_args: {lowest_latency_buffer: 0.5, ttl: 60}")
        #expect(found.latencyBuffer == 0.5 && found.latencyLifetime == 60)
    }

    @Test func retries() {
        let found = router(
            """
            num_retries: 7, retry_after: 1.5, retry_policy: {BadRequestErrorRetries: 1, TimeoutErrorRetries: 0},
              model_group_retry_policy: {m: {RateLimitErrorRetries: 4}}
            """
        ).retries
        #expect(found.count == 7 && found.minimumWait == 1.5)
        #expect(found.policy.counts == [1, nil, 0, nil, nil, nil])
        #expect(found.groupPolicies.map(\.group) == ["m"])
        #expect(found.groupPolicies.first?.policy.counts == [nil, nil, nil, 4, nil, nil])
    }

    @Test(arguments: ["router_settings", "litellm_settings"]) func cooldownsAndFallbacks(_ section: String) {
        let found = router(
            """
            allowed_fails: 9, fallbacks: [{a: [b, c]}, {"*": [d]}], default_fallbacks: [e],
              context_window_fallbacks: [{a: [f]}], content_policy_fallbacks: [{a: [g]}]
            """, section: section)
        #expect(found.cooldown.allowedFails == 9)
        #expect(found.fallbacks.rules == [.init(group: "a", targets: ["b", "c"]), .init(group: "*", targets: ["d"])])
        #expect(found.fallbacks.defaults == ["e"])
        #expect(found.fallbacks.contextWindow == [.init(group: "a", targets: ["f"])])
        #expect(found.fallbacks.contentPolicy == [.init(group: "a", targets: ["g"])])
    }

    @Test func theRoutersOwnCountBeforeTheOthers() {
        let text = """
            model_list: []
            router_settings: {allowed_fails: 1, default_fallbacks: [a]}
            litellm_settings: {allowed_fails: 2, default_fallbacks: [b], fallbacks: [{c: [d]}]}
            """
        for sections in [text, text.split(separator: "\n").reversed().joined(separator: "\n")] {
            let found = decode(sections).configuration.router
            #expect(found.cooldown.allowedFails == 1)
            #expect(found.fallbacks.defaults == ["a"])
            #expect(found.fallbacks.rules == [.init(group: "c", targets: ["d"])])
        }
    }

    @Test func cooldowns() {
        let found = router(
            "disable_cooldowns: true, cooldown_time: 0.5, allowed_fails_policy: {TimeoutErrorAllowedFails: 10}, max_fallbacks: 0"
        )
        #expect(found.cooldown.isDisabled && found.cooldown.time == 0.5)
        #expect(found.cooldown.allowedFailsPolicy.counts == [nil, nil, 10, nil, nil, nil])
        #expect(found.fallbacks.maximumDepth == 0)
        // 3 is how the reference knows that nobody has chosen.
        #expect(router("allowed_fails: 3").cooldown.allowedFails == nil)
        #expect(router("allowed_fails: 0").cooldown.allowedFails == 0)
    }

    @Test func emptyListsAreNone() {
        let found = router(
            "fallbacks: [], context_window_fallbacks: [], content_policy_fallbacks: ~, default_fallbacks: []")
        #expect(found.fallbacks == FallbackSettings())
    }

    static let problems: [(String, String)] = [
        ("routing_strategy: 3", "router_settings.routing_strategy: expected a string"),
        ("routing_strategy: least_busy", "unknown strategy least_busy (did you mean `least-busy`?)"),
        ("routing_strategy: zzz", "unknown strategy zzz (one of simple-shuffle, least-busy, "),
        ("routing_strategy: lar1", "lar1 is known to LiteLLM, but not served here (one of simple-shuffle, "),
        ("routing_strategy_args: 3", "error: router_settings.routing_strategy_args: expected a mapping"),
        ("routing_strategy_args: {ttl: 0}", "error: router_settings.routing_strategy_args.ttl: expected a number of"),
        ("routing_strategy_args: {ttll: 5}", "args.ttll: unknown key (did you mean `ttl`?)"),
        ("routing_strategy_args: {max_latency_list_size: 5}", "warning: router_settings.routing_strategy_args.max_"),
        ("num_retries: two", "error: router_settings.num_retries: expected a whole number"),
        ("num_retries: 101", "error: router_settings.num_retries: expected a whole number in 0...100"),
        ("retry_after: -1", "error: router_settings.retry_after: expected a number of at least 0"),
        ("retry_policy: [a]", "error: router_settings.retry_policy: expected a mapping"),
        ("retry_policy: {TimeoutErrorRetries: x}", "error: router_settings.retry_policy.TimeoutErrorRetries: expected"),
        (
            "retry_policy: {TimeoutErorRetries: 1}",
            "policy.TimeoutErorRetries: unknown key, without effect (did you mean `TimeoutErrorRetries`?)"
        ),
        ("retry_policy: {zzz: 1}", "retry_policy.zzz: unknown key, without effect (one of BadRequestErrorRetries, "),
        ("allowed_fails_policy: {TimeoutErrorRetries: 1}", "TimeoutErrorRetries: unknown key, without effect"),
        ("model_group_retry_policy: {a: 3}", "error: router_settings.model_group_retry_policy.a: expected a mapping"),
        ("model_group_retry_policy: {mm: {}}", "policy.mm: mm is no model name of this configuration"),
        ("disable_cooldowns: 1", "error: router_settings.disable_cooldowns: expected true or false"),
        ("cooldown_time: soon", "error: router_settings.cooldown_time: expected a number"),
        ("allowed_fails: 1.5", "error: router_settings.allowed_fails: expected a whole number"),
        ("max_fallbacks: 101", "error: router_settings.max_fallbacks: expected a whole number in 0...100"),
        ("fallbacks: {a: [b]}", "error: router_settings.fallbacks: expected a list of mappings (write [{group: "),
        ("fallbacks: [a]", "error: router_settings.fallbacks[0]: expected a mapping (write {group: [fallback]})"),
        ("fallbacks: [{model-a: b}]", "error: router_settings.fallbacks[0].model-a: expected a list of strings"),
        ("fallbacks: [{model-b: [model-a]}]", "model-b is no model name of this configuration (did you mean `model-a`"),
        ("fallbacks: [{model-a: [zzz]}]", "fallbacks[0].model-a[0]: zzz is no model name of this configuration (it"),
        ("context_window_fallbacks: 3", "error: router_settings.context_window_fallbacks: expected a list"),
        ("content_policy_fallbacks: 3", "error: router_settings.content_policy_fallbacks: expected a list"),
        ("default_fallbacks: a", "error: router_settings.default_fallbacks: expected a list of strings"),
        ("default_fallbacks: [zzz]", "warning: router_settings.default_fallbacks: zzz is no model name"),
    ]

    private static let models = """
        model_list:
        - {model_name: model-a, litellm_params: {model: openai/x}, model_info: {id: seven}}
        - {model_name: w/*, litellm_params: {model: openai/*}}

        """

    @Test(arguments: problems) func mistakesAreNamed(_ text: String, _ part: String) {
        let found = decode("\(Self.models)router_settings: {\(text)}\n").problems.map(\.description)
        #expect(found.contains { $0.contains(part) }, "\(found)")
    }

    @Test(arguments: ["model-a", "seven", "w/any", "alias", "\"*\""])
    func namesThatLeadSomewhereAreNoProblem(_ name: String) {
        let found = decode(
            "\(Self.models)router_settings: {model_group_alias: {alias: model-a}, fallbacks: [{\(name): [model-a]}]}\n")
        #expect(found.problems == [])
    }
}
