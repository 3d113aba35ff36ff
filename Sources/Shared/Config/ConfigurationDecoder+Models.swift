/// The model list: deployments, one by one.
extension ConfigurationDecoder {
    mutating func decodeModels(_ node: YAMLNode, of file: ReadFile) {
        guard case .sequence(let items) = node.value else {
            if !reader.isNull(node) { reader.fail(node.position, "model_list", "expected a list of models") }
            return
        }
        if memory != nil, file.hasForItself(node) {
            decodeModels(items, node, of: file)
        } else {
            for (index, item) in items.enumerated() { decodeModel(item, index) }
        }
    }

    /// One item of a list, and its number there.
    mutating func decodeModel(_ node: YAMLNode, _ number: Int) {
        let path = "model_list[\(number)]"
        let before = reader.problems.count
        idPosition = nil
        guard let members = reader.section(node, path, KnownKeys.model) else { return }
        var deployment = Deployment()
        if let name = members["model_name"] {
            deployment.modelName = reader.text(name, "\(path).model_name") ?? ""
            if deployment.modelName.isEmpty, reader.problems.count == before {
                reader.fail(name.position, "\(path).model_name", "is empty")
            }
            checkStars(deployment.modelName, name.position, "\(path).model_name")
        } else {
            reader.fail(node.position, "\(path).model_name", "is missing")
        }
        if let info = members["model_info"] { decodeInfo(info, "\(path).model_info", into: &deployment) }
        guard let parameters = members["litellm_params"] else {
            reader.fail(node.position, "\(path).litellm_params", "is missing")
            return
        }
        decodeParameters(parameters, "\(path).litellm_params", into: &deployment)
        if let problem = reader.problems[before...].first(where: { $0.severity == .error }) {
            // The deployment does not count. Errors that stop a start are said anyway; the others leave it out.
            configuration.leftOut.append(
                LeftOutGroup(
                    modelName: deployment.modelName,
                    reason: "\(problem.position.file):\(problem.position.line): \(problem.path): \(problem.message)"))
            return
        }
        configuration.deployments.append(deployment)
        ids.append(
            IDOrigin(
                place: idPosition.map { IDPlace(position: $0, number: number) },
                made: deployment.id.isEmpty ? MadeID(for: deployment) : nil))
    }

    private mutating func decodeInfo(_ node: YAMLNode, _ path: String, into deployment: inout Deployment) {
        guard let members = reader.section(node, path, KnownKeys.info) else { return }
        if let id = members["id"] {
            deployment.id = reader.text(id, "\(path).id", acceptingNumbers: true) ?? ""
            idPosition = id.position
        }
        if let value = members["enable_tag_filtering"] {
            deployment.enableTagFiltering = reader.bool(value, "\(path).enable_tag_filtering")
        }
        if let value = members["allow_fail_open"] {
            deployment.allowFailOpen = reader.bool(value, "\(path).allow_fail_open") ?? false
        }
        if let value = members["input_cost_per_token"] {
            deployment.inputCost = reader.number(value, "\(path).input_cost_per_token")
        }
        if let value = members["output_cost_per_token"] {
            deployment.outputCost = reader.number(value, "\(path).output_cost_per_token")
        }
        deployment.infoJSON = reader.isNull(node) ? "{}" : reader.json(node, path) ?? "{}"
    }

    private mutating func decodeParameters(_ node: YAMLNode, _ path: String, into deployment: inout Deployment) {
        guard let members = reader.section(node, path, KnownKeys.parameters) else { return }
        var missing: [String] = []
        func place(_ key: String) -> String { "\(path).\(key)" }
        func value(_ key: String, _ reader: inout ConfigurationReader) -> String? {
            guard let node = members[key] else { return nil }
            return reader.text(node, place(key), acceptingNumbers: key == "api_key") { name in
                missing.append("\(name) is not set (\(node.position.file):\(node.position.line))")
            }
        }
        let model = value("model", &reader)
        deployment.apiKey = value("api_key", &reader).map(Secret.init)
        let base = value("api_base", &reader) ?? value("base_url", &reader)
        deployment.mockResponse = value("mock_response", &reader)
        // A mock has its answer without an upstream, so it can do without what an upstream needs.
        if !missing.isEmpty, deployment.mockResponse == nil || model == nil {
            deployment.unconfigured = missing.joined(separator: ", ")
        }
        if let model, !model.isEmpty {
            decodeModelName(model, hasBase: base != nil, members["model"] ?? node, place("model"), into: &deployment)
        } else if missing.isEmpty {
            reader.fail(members["model"]?.position ?? node.position, place("model"), "is missing")
        }
        decodeBase(base, members["api_base"] ?? members["base_url"] ?? node, place("api_base"), into: &deployment)
        decodeTags(members, path, into: &deployment)
        decodeNumbers(members, path, into: &deployment)
        if let headers = members["extra_headers"] { decodeHeaders(headers, place("extra_headers"), into: &deployment) }
        for (key, node) in reader.mapping(node, path) ?? []
        where !KnownKeys.parameters.honoured.contains(key) && !KnownKeys.parameters.ignored.contains(key) {
            guard let json = reader.json(node, place(key), resolving: true) else {
                reader.fail(node.position, place(key), "is too large")
                continue
            }
            deployment.defaults.append(DefaultParameter(name: key, json: json))
        }
        deployment.parametersJSON = publicParameters(node, path)
    }

    /// `provider/name`: the provider is cut off, for it names the API, which is OpenAI's throughout.
    private mutating func decodeModelName(
        _ model: String, hasBase: Bool, _ node: YAMLNode, _ path: String, into deployment: inout Deployment
    ) {
        deployment.model = model
        deployment.upstreamModel = model
        guard let slash = model.firstIndex(of: "/") else { return }
        let provider = String(model[..<slash])
        deployment.upstreamModel = String(model[model.index(after: slash)...])
        if deployment.upstreamModel.isEmpty {
            reader.fail(node.position, path, "names no model behind the provider")
        } else if !KnownKeys.compatibleProviders.contains(provider) {
            reader.fail(
                node.position, path, "the provider \(provider) is not served here",
                hint: "only OpenAI-compatible APIs are: write openai/\(deployment.upstreamModel) and its api_base",
                isConfined: true)
        } else if provider != "openai", !hasBase, deployment.unconfigured == nil {
            reader.fail(
                node.position, path, "the provider \(provider) needs an api_base", hint: "add api_base: https://…/v1")
        }
    }

    private mutating func decodeBase(
        _ base: String?, _ node: YAMLNode, _ path: String, into deployment: inout Deployment
    ) {
        guard let base else {
            // The header names the host alone then, as the reference's does.
            deployment.apiBase = "https://api.openai.com"
            deployment.origin = Origin(isSecure: true, host: "api.openai.com", port: 443)
            deployment.basePath = "/v1"
            return
        }
        // Most deployments are asked at few places.
        if let known = bases[base] {
            (deployment.apiBase, deployment.origin, deployment.basePath) = known
            return
        }
        deployment.apiBase = String(base.prefix { $0 != "?" && $0 != "#" })
        guard let (origin, basePath) = Self.url(deployment.apiBase) else {
            reader.fail(
                node.position, path, "expected a URL like https://host:port/v1",
                hint: "it has to begin with http:// or https://")
            return
        }
        deployment.origin = origin
        deployment.basePath = basePath
        bases[base] = (deployment.apiBase, origin, basePath)
    }

    /// Scheme, host, port and path (without a trailing slash) of a base URL; RFC 3986 without user information.
    static func url(_ text: String) -> (Origin, String)? {
        var origin = Origin()
        let rest: Substring
        if text.lowercased().hasPrefix("https://") {
            rest = text.dropFirst(8)
        } else if text.lowercased().hasPrefix("http://") {
            rest = text.dropFirst(7)
            origin.isSecure = false
        } else {
            return nil
        }
        let authority = rest.prefix { $0 != "/" }
        var path = String(rest[authority.endIndex...])
        while path.hasSuffix("/") { path.removeLast() }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        var host = authority
        origin.port = origin.isSecure ? 443 : 80
        func port(_ text: Substring) -> UInt16? {
            text.utf8.allSatisfy(ASCII.isDigit) ? UInt16(text).flatMap { $0 > 0 ? $0 : nil } : nil
        }
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let behind = authority[authority.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return nil }
            if !behind.isEmpty {
                guard let number = port(behind.dropFirst()) else { return nil }
                origin.port = number
            }
            guard host.utf8.allSatisfy({ ASCII.hexValue($0) != nil || $0 == ASCII.colon || $0 == 0x2E }) else {
                return nil
            }
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            guard let number = port(authority[authority.index(after: colon)...]) else { return nil }
            origin.port = number
        }
        guard !host.isEmpty, host.utf8.count < 254,
            authority.hasPrefix("[") || host.utf8.allSatisfy({ isTokenByte($0) })
        else { return nil }
        origin.host = host.lowercased()
        return (origin, path)
    }

    private mutating func decodeTags(_ members: [String: YAMLNode], _ path: String, into deployment: inout Deployment) {
        reader.isConfined = true
        defer { reader.isConfined = false }
        if let node = members["tags"] {
            deployment.tags = reader.strings(node, "\(path).tags") ?? []
            checkTags(deployment.tags, node.position, "\(path).tags")
        }
        guard let node = members["tag_regex"] else { return }
        deployment.tagPatterns = reader.strings(node, "\(path).tag_regex") ?? []
        for (index, pattern) in deployment.tagPatterns.enumerated() {
            do throws(TagPattern.SyntaxError) {
                _ = try TagPattern(pattern)
            } catch {
                reader.fail(
                    node.position, "\(path).tag_regex[\(index)]", "\(error.reason) at character \(error.offset + 1)")
            }
        }
    }

    private mutating func decodeNumbers(
        _ members: [String: YAMLNode], _ path: String, into deployment: inout Deployment
    ) {
        func number(_ key: String, _ reader: inout ConfigurationReader, atLeast minimum: Double = 0) -> Double? {
            members[key].flatMap { reader.number($0, "\(path).\(key)", atLeast: minimum) }
        }
        deployment.weight = number("weight", &reader)
        deployment.rpm = number("rpm", &reader)
        deployment.tpm = number("tpm", &reader)
        deployment.timeout = number("timeout", &reader, atLeast: 0.001)
        deployment.streamTimeout = number("stream_timeout", &reader, atLeast: 0.001)
        deployment.streamIdleTimeout = number("stream_idle_timeout", &reader, atLeast: 0.001)
        deployment.cooldownTime = number("cooldown_time", &reader)
        deployment.inputCost = number("input_cost_per_token", &reader) ?? deployment.inputCost
        deployment.outputCost = number("output_cost_per_token", &reader) ?? deployment.outputCost
        if let node = members["order"] {
            deployment.order = reader.integer(node, "\(path).order", in: -1_000_000...1_000_000)
        }
        if let node = members["num_retries"] {
            deployment.numRetries = reader.integer(node, "\(path).num_retries", in: 0...100)
        }
    }

    private mutating func decodeHeaders(_ node: YAMLNode, _ path: String, into deployment: inout Deployment) {
        for (name, value) in reader.mapping(node, path) ?? [] {
            guard let text = reader.text(value, "\(path).\(name)", acceptingNumbers: true) else { continue }
            let framing = ["host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade"]
            if name.isEmpty || !name.utf8.allSatisfy(isTokenByte) {
                reader.fail(value.position, "\(path).\(name)", "is no valid header name")
            } else if framing.contains(name.lowercased()) {
                reader.fail(value.position, "\(path).\(name)", "is set by the gateway itself")
            } else if !text.utf8.allSatisfy(isFieldByte) {
                reader.fail(value.position, "\(path).\(name)", "has a control character in its value")
            } else {
                deployment.extraHeaders.append(HeaderSetting(name: name, value: text))
            }
        }
    }

    /// The parameters as `/model/info` shows them: nothing that could be a key.
    private mutating func publicParameters(_ node: YAMLNode, _ path: String) -> String {
        for (key, _) in reader.mapping(node, path) ?? [] where secretNames[key] == nil {
            secretNames[key] = Self.mayBeSecret(key)
        }
        let secrets = secretNames
        return reader.json(node, path) { secrets[$0] == false }
    }

    /// Whether a parameter of this name could hold a key.
    private static func mayBeSecret(_ name: String) -> Bool {
        ["key", "token", "secret", "password", "credential", "headers"].contains(where: name.lowercased().contains)
    }
}
