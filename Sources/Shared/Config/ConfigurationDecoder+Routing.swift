/// Strategy, retries, cooldowns and fallbacks.
extension ConfigurationDecoder {
    // MARK: Strategy

    mutating func decodeStrategy(_ node: YAMLNode, _ path: String) {
        guard let name = reader.text(node, path) else { return }
        if let strategy = RoutingStrategy.named(name) {
            configuration.router.strategy = strategy
            return
        }
        let known = RoutingStrategy.allCases.map(\.rawValue)
        if ["lar1", "provider-budget-routing"].contains(name) {
            reader.fail(
                node.position, path, "\(name) is known to LiteLLM, but not served here",
                hint: "one of \(known.joined(separator: ", "))")
        } else {
            let nearest = NearestWord.of(name, among: known)
            reader.fail(
                node.position, path, "unknown strategy \(name)",
                hint: nearest.map { "did you mean `\($0)`?" } ?? "one of \(known.joined(separator: ", "))")
        }
    }

    mutating func decodeStrategyArguments(_ node: YAMLNode, _ path: String) {
        for (key, value) in reader.mapping(node, path) ?? [] {
            let place = "\(path).\(key)"
            switch key {
            case "lowest_latency_buffer":
                if let number = reader.number(value, place) { configuration.router.latencyBuffer = number }
            case "ttl":
                if let number = reader.number(value, place, atLeast: 1) {
                    configuration.router.latencyLifetime = number
                }
            case "max_latency_list_size":
                reader.warn(value.position, place, "known to LiteLLM, without effect in Tagway, which keeps 10")
            default:
                let nearest = NearestWord.of(key, among: ["lowest_latency_buffer", "ttl", "max_latency_list_size"])
                reader.warn(value.position, place, "unknown key", hint: nearest.map { "did you mean `\($0)`?" })
            }
        }
    }

    // MARK: Retries

    mutating func decodeRetries(_ members: [String: YAMLNode], _ section: String) {
        func path(_ key: String) -> String { "\(section).\(key)" }
        if let node = members["num_retries"], let count = reader.integer(node, path("num_retries"), in: 0...100) {
            configuration.router.retries.count = count
        }
        if let node = members["retry_after"], let wait = reader.number(node, path("retry_after")) {
            configuration.router.retries.minimumWait = wait
        }
        if let node = members["retry_policy"] {
            configuration.router.retries.policy = policy(node, path("retry_policy"), suffix: "Retries")
        }
        guard let node = members["model_group_retry_policy"] else { return }
        for (group, value) in reader.mapping(node, path("model_group_retry_policy")) ?? [] {
            let policy = policy(value, "\(path("model_group_retry_policy")).\(group)", suffix: "Retries")
            configuration.router.retries.groupPolicies.append(.init(group: group, policy: policy))
            mentioned.append((group, value.position, "\(path("model_group_retry_policy")).\(group)"))
        }
    }

    /// `{TimeoutErrorRetries: 2}`, `{TimeoutErrorAllowedFails: 10}`.
    private mutating func policy(_ node: YAMLNode, _ path: String, suffix: String) -> FailurePolicy {
        var policy = FailurePolicy()
        let known = FailureClass.allCases.map { $0.name + suffix }
        for (key, value) in reader.mapping(node, path) ?? [] {
            guard let failure = FailureClass.allCases.first(where: { $0.name + suffix == key }) else {
                let nearest = NearestWord.of(key, among: known)
                reader.warn(
                    value.position, "\(path).\(key)", "unknown key, without effect",
                    hint: nearest.map { "did you mean `\($0)`?" } ?? "one of \(known.joined(separator: ", "))")
                continue
            }
            policy[failure] = reader.integer(value, "\(path).\(key)", in: 0...1_000_000)
        }
        return policy
    }

    // MARK: Cooldowns and fallbacks

    /// What `router_settings` and `litellm_settings` both may hold; the former counts.
    mutating func decodeFailureHandling(_ members: [String: YAMLNode], _ section: String) {
        func path(_ key: String) -> String { "\(section).\(key)" }
        if let node = members["disable_cooldowns"], let value = reader.bool(node, path("disable_cooldowns")) {
            configuration.router.cooldown.isDisabled = value
        }
        if let node = members["cooldown_time"], let value = reader.number(node, path("cooldown_time")) {
            configuration.router.cooldown.time = value
        }
        if let node = members["allowed_fails"],
            let count = reader.integer(node, path("allowed_fails"), in: 0...1_000_000)
        {
            // 3 is the reference's default, by which it knows that nobody has chosen.
            configuration.router.cooldown.allowedFails = count == 3 ? nil : count
        }
        if let node = members["allowed_fails_policy"] {
            configuration.router.cooldown.allowedFailsPolicy = policy(
                node, path("allowed_fails_policy"), suffix: "AllowedFails")
        }
        if let node = members["max_fallbacks"], let depth = reader.integer(node, path("max_fallbacks"), in: 0...100) {
            configuration.router.fallbacks.maximumDepth = depth
        }
        if let node = members["fallbacks"], let rules = rules(node, path("fallbacks")) {
            configuration.router.fallbacks.rules = rules
        }
        if let node = members["context_window_fallbacks"], let rules = rules(node, path("context_window_fallbacks")) {
            configuration.router.fallbacks.contextWindow = rules.isEmpty ? nil : rules
        }
        if let node = members["content_policy_fallbacks"], let rules = rules(node, path("content_policy_fallbacks")) {
            configuration.router.fallbacks.contentPolicy = rules.isEmpty ? nil : rules
        }
        if let node = members["default_fallbacks"], let names = reader.strings(node, path("default_fallbacks")) {
            configuration.router.fallbacks.defaults = names
            for name in names { mentioned.append((name, node.position, path("default_fallbacks"))) }
        }
    }

    /// `[{group: [other, another]}]`.
    private mutating func rules(_ node: YAMLNode, _ path: String) -> [FallbackRule]? {
        if reader.isNull(node) { return [] }
        guard case .sequence(let items) = node.value else {
            reader.fail(
                node.position, path, "expected a list of mappings", hint: "write [{group: [fallback]}]")
            return nil
        }
        var rules: [FallbackRule] = []
        for (index, item) in items.enumerated() {
            let place = "\(path)[\(index)]"
            guard case .mapping = item.value else {
                reader.fail(item.position, place, "expected a mapping", hint: "write {group: [fallback]}")
                continue
            }
            for (group, value) in reader.mapping(item, place) ?? [] {
                let place = "\(place).\(group)"
                if group != "*" { mentioned.append((group, value.position, place)) }
                guard let targets = reader.strings(value, place) else { continue }
                for (index, target) in targets.enumerated() {
                    mentioned.append((target, value.position, "\(place)[\(index)]"))
                }
                rules.append(FallbackRule(group: group, targets: targets))
            }
        }
        return rules
    }

    /// Names of model groups outside of the model list: each has to lead somewhere.
    mutating func checkMentioned(_ sizes: [String: Int], _ owners: [String: IDOwner]) {
        let names = Set(sizes.keys).union(configuration.router.aliases.map(\.name))
        let wildcards = names.filter { $0.contains("*") }
        for (name, position, path) in mentioned where !names.contains(name) && owners[name] == nil {
            if wildcards.contains(where: { Glob($0).matches(name) }) { continue }
            if configuration.leftOut.contains(where: { $0.modelName == name }) { continue }
            reader.warn(
                position, path, "\(name) is no model name of this configuration",
                hint: NearestWord.of(name, among: names).map { "did you mean `\($0)`?" }
                    ?? "it can never be asked for")
        }
    }
}
