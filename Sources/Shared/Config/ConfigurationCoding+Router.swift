/// The router's settings as bytes, and back. Pure.
extension RouterSettings {
    func encode(into out: inout BinaryEncoder) {
        out.put(enableTagFiltering)
        out.put(matchAny)
        out.put(tagPrefix)
        out.put(semantics == .strict)
        out.put(timeout)
        out.put(streamTimeout)
        out.put(streamIdleTimeout)
        out.put(aliases) { out, alias in
            out.put(alias.name)
            out.put(alias.target)
            out.put(alias.isHidden)
        }
        out.put(strategy.rawValue)
        out.put(latencyBuffer)
        out.put(latencyLifetime)
        retries.encode(into: &out)
        cooldown.encode(into: &out)
        fallbacks.encode(into: &out)
    }

    init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        enableTagFiltering = try input.bool()
        matchAny = try input.bool()
        tagPrefix = try input.string()
        semantics = try input.bool() ? .strict : .litellm
        timeout = try input.optionalDouble()
        streamTimeout = try input.optionalDouble()
        streamIdleTimeout = try input.optionalDouble()
        aliases = try input.array { (input) throws(Configuration.CodingError) in
            ModelAlias(name: try input.string(), target: try input.string(), isHidden: try input.bool())
        }
        guard let strategy = RoutingStrategy(rawValue: try input.string()) else { throw Configuration.CodingError() }
        self.strategy = strategy
        latencyBuffer = try input.double()
        latencyLifetime = try input.double()
        retries = try RetrySettings(from: &input)
        cooldown = try CooldownSettings(from: &input)
        fallbacks = try FallbackSettings(from: &input)
    }
}

extension FailurePolicy {
    fileprivate func encode(into out: inout BinaryEncoder) {
        for count in counts { out.put(count) }
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        for index in counts.indices { counts[index] = try input.optionalInt() }
    }
}

extension RetrySettings {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(count)
        out.put(minimumWait)
        policy.encode(into: &out)
        out.put(groupPolicies) { out, item in
            out.put(item.group)
            item.policy.encode(into: &out)
        }
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        count = try input.optionalInt()
        minimumWait = try input.double()
        policy = try FailurePolicy(from: &input)
        groupPolicies = try input.array { (input) throws(Configuration.CodingError) in
            GroupPolicy(group: try input.string(), policy: try FailurePolicy(from: &input))
        }
    }
}

extension CooldownSettings {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(isDisabled)
        out.put(time)
        out.put(allowedFails)
        allowedFailsPolicy.encode(into: &out)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        isDisabled = try input.bool()
        time = try input.double()
        allowedFails = try input.optionalInt()
        allowedFailsPolicy = try FailurePolicy(from: &input)
    }
}

extension FallbackRule {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(group)
        out.put(targets) { $0.put($1) }
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init(
            group: try input.string(),
            targets: try input.array { (input) throws(Configuration.CodingError) in try input.string() })
    }

    fileprivate static func list(
        from input: inout BinaryDecoder
    ) throws(Configuration.CodingError) -> [FallbackRule] {
        try input.array { (input) throws(Configuration.CodingError) in try FallbackRule(from: &input) }
    }
}

extension FallbackSettings {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(rules) { $1.encode(into: &$0) }
        out.put(defaults) { $0.put($1) }
        out.put(contextWindow) { out, rules in out.put(rules) { $1.encode(into: &$0) } }
        out.put(contentPolicy) { out, rules in out.put(rules) { $1.encode(into: &$0) } }
        out.put(maximumDepth)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        rules = try FallbackRule.list(from: &input)
        defaults = try input.array { (input) throws(Configuration.CodingError) in try input.string() }
        contextWindow = try input.optional { (input) throws(Configuration.CodingError) in
            try FallbackRule.list(from: &input)
        }
        contentPolicy = try input.optional { (input) throws(Configuration.CodingError) in
            try FallbackRule.list(from: &input)
        }
        maximumDepth = try input.int()
    }
}
