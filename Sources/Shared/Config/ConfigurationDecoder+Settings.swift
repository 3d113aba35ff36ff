/// The sections beside the model list.
extension ConfigurationDecoder {
    mutating func decodeGeneral(_ node: YAMLNode) {
        guard let members = reader.section(node, "general_settings", KnownKeys.general) else { return }
        let permit = "dangerously_permit_weak_or_unset_master_key"
        if let value = members[permit] {
            configuration.general.permitsWeakMasterKey = reader.bool(value, "general_settings.\(permit)") ?? false
        }
        guard let value = members["master_key"] else { return }
        configuration.general.masterKeyPosition = value.position
        let key = reader.text(value, "general_settings.master_key", acceptingNumbers: true)
        if let key, !key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            reader.fail(
                value.position, "general_settings.master_key", "has characters that no header can carry",
                hint: "use visible ASCII characters")
        } else if let key, !key.isEmpty {
            configuration.general.masterKey = Secret(key)
        }
    }

    mutating func decodeLiteLLM(_ node: YAMLNode) {
        guard let members = reader.section(node, "litellm_settings", KnownKeys.litellm) else { return }
        if let value = members["request_timeout"] {
            configuration.router.timeout = reader.number(
                value, "litellm_settings.request_timeout", atLeast: 0.001)
        }
        if let value = members["num_retries"] {
            let path = "litellm_settings.num_retries"
            if let count = reader.integer(value, path, in: 0...100) { configuration.router.retries.count = count }
        }
        decodeFailureHandling(members, "litellm_settings")
        if let value = members["require_auth_for_metrics_endpoint"] {
            let path = "litellm_settings.require_auth_for_metrics_endpoint"
            configuration.general.metricsNeedKey = reader.bool(value, path) ?? true
        }
        guard let value = members["ssl_verify"], !reader.isNull(value) else { return }
        let path = "litellm_settings.ssl_verify"
        if case .scalar(let text, true) = value.value, case .bool(let verifies) = YAMLScalar(text) {
            configuration.tls.verification = verifies ? .system : .off
            if !verifies {
                reader.warn(
                    value.position, path, "certificates of upstreams are not verified",
                    hint: "anybody on the way can read keys and prompts; give the path of a CA file instead")
            }
        } else if let file = reader.text(value, path), let text = text(of: file, value.position, path) {
            if text.contains("-----BEGIN CERTIFICATE-----") {
                configuration.tls.verification = .authorities(text)
            } else {
                reader.fail(value.position, path, "\(file) holds no PEM certificate")
            }
        }
    }

    mutating func decodeRouter(_ node: YAMLNode) {
        guard let members = reader.section(node, "router_settings", KnownKeys.router) else { return }
        func path(_ key: String) -> String { "router_settings.\(key)" }
        func bool(_ key: String, _ reader: inout ConfigurationReader) -> Bool? {
            members[key].flatMap { reader.bool($0, path(key)) }
        }
        func seconds(_ key: String, _ reader: inout ConfigurationReader) -> Double? {
            members[key].flatMap { reader.number($0, path(key), atLeast: 0.001) }
        }
        if let value = bool("enable_tag_filtering", &reader) { configuration.router.enableTagFiltering = value }
        if let value = bool("tag_filtering_match_any", &reader) { configuration.router.matchAny = value }
        if let node = members["tag_routing_prefix"] {
            configuration.router.tagPrefix = reader.text(node, path("tag_routing_prefix")) ?? ""
        }
        if let node = members["tag_semantics"], let text = reader.text(node, path("tag_semantics")) {
            if let semantics = TagSemantics(rawValue: text) {
                configuration.router.semantics = semantics
            } else {
                reader.fail(node.position, path("tag_semantics"), "expected litellm or strict, found \(text)")
            }
        }
        if let value = seconds("timeout", &reader) { configuration.router.timeout = value }
        if let value = seconds("stream_timeout", &reader) { configuration.router.streamTimeout = value }
        if let value = seconds("stream_idle_timeout", &reader) { configuration.router.streamIdleTimeout = value }
        if let node = members["routing_strategy"] { decodeStrategy(node, path("routing_strategy")) }
        if let node = members["routing_strategy_args"] { decodeStrategyArguments(node, path("routing_strategy_args")) }
        decodeFailureHandling(members, "router_settings")
        decodeRetries(members, "router_settings")
        if let node = members["model_group_alias"] { decodeAliases(node, path("model_group_alias")) }
    }

    private mutating func decodeAliases(_ node: YAMLNode, _ path: String) {
        for (name, value) in reader.mapping(node, path) ?? [] {
            let place = "\(path).\(name)"
            var alias = ModelAlias(name: name, target: "", isHidden: false, position: value.position)
            if case .mapping = value.value {
                for (key, member) in reader.mapping(value, place) ?? [] {
                    switch key {
                    case "model": alias.target = reader.text(member, "\(place).model") ?? ""
                    case "hidden": alias.isHidden = reader.bool(member, "\(place).hidden") ?? false
                    default: reader.warn(member.position, "\(place).\(key)", "unknown key", hint: "model or hidden")
                    }
                }
            } else {
                alias.target = reader.text(value, place) ?? ""
            }
            if alias.target.isEmpty {
                reader.fail(value.position, place, "names no model")
            } else {
                configuration.router.aliases.append(alias)
            }
        }
    }

    mutating func decodeTagway(_ node: YAMLNode) {
        guard let members = reader.section(node, "tagway", KnownKeys.tagway) else { return }
        func path(_ key: String) -> String { "tagway.\(key)" }
        if let node = members["workers"] {
            if case .scalar("auto", _) = node.value {
                configuration.process.workers = nil
            } else {
                configuration.process.workers = reader.integer(node, path("workers"), in: 1...1024)
            }
        }
        if let node = members["header_bytes"],
            let value = reader.integer(node, path("header_bytes"), in: 1024...1_048_576)
        {
            configuration.process.headerBytes = value
        }
        if let node = members["body_bytes"], let value = reader.integer(node, path("body_bytes"), in: 1024...(1 << 30))
        {
            configuration.process.bodyBytes = value
        }
        func seconds(
            _ key: String, _ target: WritableKeyPath<ProcessSettings, Double>, _ decoder: inout ConfigurationDecoder
        ) {
            guard let node = members[key], let value = decoder.reader.number(node, path(key), atLeast: 0.001) else {
                return
            }
            decoder.configuration.process[keyPath: target] = value
        }
        seconds("client_idle_timeout", \.clientIdle, &self)
        seconds("client_header_timeout", \.clientHeader, &self)
        seconds("client_body_timeout", \.clientBody, &self)
        seconds("client_write_timeout", \.clientWrite, &self)
        seconds("connect_timeout", \.connectTimeout, &self)
        seconds("request_timeout", \.requestTimeout, &self)
        seconds("drain_timeout", \.drainTimeout, &self)
        decodeSupervision(members)
        if let node = members["access_log"], let value = reader.bool(node, path("access_log")) {
            configuration.process.accessLog = value
        }
        if let node = members["hold_until_content"], let value = reader.bool(node, path("hold_until_content")) {
            configuration.process.holdUntilContent = value
        }
        if let node = members["listen"] { decodeListen(node, path("listen")) }
        if let node = members["watch"], let value = reader.bool(node, path("watch")) {
            configuration.process.watch = value
        }
    }

    private mutating func decodeListen(_ node: YAMLNode, _ path: String) {
        guard let addresses = reader.strings(node, path) else { return }
        guard !addresses.isEmpty else {
            return reader.fail(node.position, path, "names no address", hint: "write [\"127.0.0.1:4000\"]")
        }
        var isGood = true
        for (index, text) in addresses.enumerated() where SocketAddress.listening(text) == nil {
            isGood = false
            reader.fail(
                node.position, "\(path)[\(index)]", "\(text) is no ADDRESS:PORT",
                hint: "an IPv4 address, an IPv6 address in brackets, localhost or *, and a port from 1 to 65535")
        }
        if isGood { configuration.process.listen = addresses }
    }
}
