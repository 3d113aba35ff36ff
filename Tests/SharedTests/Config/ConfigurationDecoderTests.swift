import Testing

@testable import Shared

/// Decodes `text` as `/etc/c.yaml`, with other files beside it.
func decode(
    _ text: String, files: [String: String] = [:], environment: [String: String] = [:]
) -> DecodedConfiguration {
    ConfigurationDecoder.decode(path: "/etc/c.yaml", environment: environment) { path in
        if path == "/etc/c.yaml" { return .success(Array(text.utf8)) }
        guard let file = files[path] else { return .failure(SystemError(call: "open", code: 2)) }
        return .success(Array(file.utf8))
    }
}

@Suite struct ConfigurationDecoderTests {
    // MARK: What is understood

    @Test func readsADeploymentWithEverything() throws {
        let decoded = decode(
            """
            model_list:
              - model_name: gpt-4
                litellm_params:
                  model: openai/gpt-4o
                  api_key: sk-up
                  api_base: https://up:8443/v1/?x=1
                  tags: [free, "2"]
                  tag_regex: ["^User-Agent: curl"]
                  weight: 1.5
                  rpm: 10
                  tpm: 1_000
                  order: -1
                  timeout: 30
                  stream_timeout: 0.5
                  num_retries: 3
                  mock_response: hi
                  extra_headers: {X-A: b, X-N: 3}
                  temperature: 0.2
                  stop: ["a", 'b']
                model_info: {id: one, enable_tag_filtering: true, allow_fail_open: true, note: {x: [1]}}
            """)
        #expect(decoded.problems == [])
        let deployment = try #require(decoded.configuration.deployments.first)
        #expect(deployment.modelName == "gpt-4" && deployment.id == "one")
        #expect(deployment.model == "openai/gpt-4o" && deployment.upstreamModel == "gpt-4o")
        #expect(deployment.apiKey == Secret("sk-up"))
        #expect(deployment.apiBase == "https://up:8443/v1/")
        #expect(deployment.origin.description == "https://up:8443" && deployment.basePath == "/v1")
        #expect(deployment.tags == ["free", "2"] && deployment.tagPatterns == ["^User-Agent: curl"])
        #expect(deployment.weight == 1.5 && deployment.rpm == 10 && deployment.tpm == 1000 && deployment.order == -1)
        #expect(deployment.timeout == 30 && deployment.streamTimeout == 0.5 && deployment.numRetries == 3)
        #expect(deployment.mockResponse == "hi")
        #expect(
            deployment.extraHeaders == [HeaderSetting(name: "X-A", value: "b"), HeaderSetting(name: "X-N", value: "3")])
        #expect(
            deployment.defaults == [
                DefaultParameter(name: "temperature", json: "0.2"),
                DefaultParameter(name: "stop", json: "[\"a\",\"b\"]"),
            ])
        #expect(deployment.enableTagFiltering == true && deployment.allowFailOpen)
        #expect(deployment.unconfigured == nil)
    }

    @Test func whatIsShownOfADeploymentHoldsNoKey() throws {
        let deployment = try #require(
            decode(
                """
                model_list:
                - model_name: m
                  litellm_params: {model: openai/x, api_key: sk-1, api_base: "https://up/v1", extra_headers: {a: sk-2},
                    aws_secret_access_key: sk-3, my_token: sk-4, PASSWORD: sk-5, temperature: 1}
                """
            ).configuration.deployments.first)
        #expect(!deployment.parametersJSON.contains("sk-"))
        #expect(deployment.parametersJSON == #"{"model":"openai/x","api_base":"https://up/v1","temperature":1}"#)
    }

    @Test(arguments: ["", "~", "{}", "{note: x}", "{id: one}", "{note: [1], id: two}"])
    func modelInfoIsAnObjectWithItsID(_ info: String) throws {
        let decoded = decode(
            "model_list: [{model_name: m, litellm_params: {model: openai/x}, model_info: \(info)}]")
        #expect(decoded.problems == [])
        let deployment = try #require(decoded.configuration.deployments.first)
        let fields = try JSONFields(Array(deployment.infoJSON.utf8))
        #expect(fields.text("id") == deployment.id)
        #expect(deployment.infoJSON.ranges(of: "\"id\":").count == 1)
    }

    @Test func readsTheOtherSections() {
        let decoded = decode(
            """
            model_list: [{model_name: m, litellm_params: {model: openai/x}}]
            router_settings:
              enable_tag_filtering: true
              tag_filtering_match_any: false
              tag_routing_prefix: "route:"
              tag_semantics: strict
              num_retries: 1
              timeout: 20
              stream_timeout: 5
              routing_strategy: simple-shuffle
              model_group_alias: {a: m, b: {model: m, hidden: true}}
            general_settings: {master_key: sk-mine, dangerously_permit_weak_or_unset_master_key: true}
            tagway:
              workers: 3
              header_bytes: 2048
              body_bytes: 4096
              client_idle_timeout: 1
              client_header_timeout: 2
              client_body_timeout: 3
              client_write_timeout: 4
              connect_timeout: 5
              drain_timeout: 6.5
              access_log: off
              hold_until_content: off
              watch: on
            """)
        #expect(decoded.problems == [])
        let router = decoded.configuration.router
        #expect(router.enableTagFiltering && !router.matchAny && router.tagPrefix == "route:")
        #expect(router.semantics == .strict && router.retries.count == 1 && router.timeout == 20)
        #expect(router.streamTimeout == 5)
        #expect(
            router.aliases == [
                ModelAlias(name: "a", target: "m", isHidden: false), ModelAlias(name: "b", target: "m", isHidden: true),
            ])
        #expect(decoded.configuration.general.masterKey == Secret("sk-mine"))
        #expect(decoded.configuration.general.permitsWeakMasterKey)
        #expect(decoded.configuration.general.masterKeyPosition == Position(file: "/etc/c.yaml", line: 12, column: 32))
        let process = decoded.configuration.process
        #expect(process.workers == 3 && process.headerBytes == 2048 && process.bodyBytes == 4096)
        #expect(process.clientIdle == 1 && process.clientHeader == 2 && process.clientBody == 3)
        #expect(process.clientWrite == 4 && process.connectTimeout == 5 && process.drainTimeout == 6.5)
        #expect(!process.accessLog && process.holdUntilContent == false)
        #expect(process.watch)
    }

    @Test func sayingNothingGivesTheReferencesDefaults() {
        let decoded = decode("model_list: [{model_name: m, litellm_params: {model: openai/x}}]\n")
        #expect(decoded.problems == [])
        let router = decoded.configuration.router
        #expect(
            !router.enableTagFiltering && router.matchAny && router.tagPrefix.isEmpty && router.retries.count == nil)
        #expect(decoded.configuration.general.masterKey == nil)
        #expect(decoded.configuration.tls.verification == .system)
        #expect(decoded.configuration.process.bodyBytes == 32 << 20)
        let deployment = decoded.configuration.deployments.first
        #expect(deployment?.origin.description == "https://api.openai.com" && deployment?.basePath == "/v1")
        #expect(deployment?.apiBase == "https://api.openai.com")
    }

    @Test func settingsOfTheReferencesOtherSectionCountToo() {
        let decoded = decode(
            """
            model_list: [{model_name: m, litellm_params: {model: openai/x}}]
            litellm_settings: {request_timeout: 7, num_retries: 5, ssl_verify: /ca.pem}
            """, files: ["/ca.pem": "-----BEGIN CERTIFICATE-----\n"])
        #expect(decoded.problems == [])
        #expect(decoded.configuration.router.timeout == 7 && decoded.configuration.router.retries.count == 5)
        #expect(decoded.configuration.tls.verification == .authorities("-----BEGIN CERTIFICATE-----\n"))
        #expect(decoded.files.map(\.path) == ["/etc/c.yaml", "/ca.pem"])
    }

    @Test func mergeKeysAreResolved() {
        let decoded = decode(
            """
            model_list:
            - model_name: a
              litellm_params: &base {model: openai/x, api_base: "https://up/v1", rpm: 5}
            - model_name: b
              litellm_params: {<<: *base, rpm: 7}
            """)
        #expect(decoded.problems == [])
        #expect(decoded.configuration.deployments.map(\.rpm) == [5, 7])
        #expect(decoded.configuration.deployments.map(\.origin.host) == ["up", "up"])
    }

    /// Merges of merges do not multiply: a text of a few lines cannot hold a start up.
    @Test(.timeLimit(.minutes(1))) func mergesDoNotMultiply() {
        var text = "a0: &a0 {x: y}\n"
        for level in 1...20 {
            text += "a\(level): &a\(level) {<<: *a\(level - 1)"
            for index in 0..<8 { text += ", k\(index): 1, << : *a\(level - 1)" }
            text += "}\n"
        }
        text += "router_settings: *a20\n"
        #expect(!decode(text).problems.isEmpty)
    }

    // MARK: The environment

    @Test func referencesAreResolvedFromTheEnvironment() throws {
        let text = """
            model_list:
            - model_name: m
              litellm_params: {model: os.environ/MODEL, api_key: os.environ/KEY, api_base: os.environ/BASE}
            general_settings: {master_key: os.environ/MASTER}
            """
        let decoded = decode(
            text, environment: ["MODEL": "openai/y", "KEY": "sk-e", "BASE": "http://e:1/v1", "MASTER": "sk-m"])
        #expect(decoded.problems == [])
        let deployment = try #require(decoded.configuration.deployments.first)
        #expect(deployment.upstreamModel == "y" && deployment.apiKey == Secret("sk-e"))
        #expect(deployment.origin.description == "http://e:1")
        #expect(decoded.configuration.general.masterKey == Secret("sk-m"))
    }

    /// In parameters that are sent, however deep; what is shown keeps the reference.
    @Test func referencesInOtherParametersAreResolvedToo() throws {
        let decoded = decode(
            """
            model_list:
            - model_name: m
              litellm_params:
                model: openai/x
                user: os.environ/USER
                extra_body: {a: [os.environ/A, "os.environ/B"], <<: {c: os.environ/NOPE, a: 1}}
            """, environment: ["USER": "u\"", "A": "1", "B": "b"])
        #expect(
            decoded.problems.map(\.description) == [
                "/etc/c.yaml:6:61: warning: model_list[0].litellm_params.extra_body.c: the environment variable NOPE is not set (set it, or give it in environment_variables or --env-file)"
            ])
        let deployment = try #require(decoded.configuration.deployments.first)
        #expect(
            deployment.defaults == [
                DefaultParameter(name: "user", json: #""u\"""#),
                DefaultParameter(name: "extra_body", json: #"{"a":["1","b"],"c":null}"#),
            ])
        #expect(deployment.parametersJSON.contains(#""user":"os.environ/USER""#))
        #expect(deployment.unconfigured == nil)
    }

    /// Wherever the section stands, it counts for every reference, those of included files too.
    @Test func environmentVariablesAreAppliedFirst() {
        let decoded = decode(
            """
            include: [more.yaml]
            model_list: [{model_name: m, litellm_params: {model: openai/x, api_key: os.environ/KEY}}]
            environment_variables: {KEY: sk-own, NUMBER: 5, ON: yes, COPY: os.environ/OUTER}
            """,
            files: [
                "/etc/more.yaml":
                    "model_list: [{model_name: n, litellm_params: {model: openai/y, api_key: os.environ/KEY}}]"
            ],
            environment: ["KEY": "sk-outer", "OUTER": "o"])
        #expect(decoded.problems == [])
        #expect(decoded.configuration.deployments.map(\.apiKey) == [Secret("sk-own"), Secret("sk-own")])
    }

    @Test(arguments: ["os.environ/NOPE", "os.environ/EMPTY"])
    func anUnsetVariableLeavesTheDeploymentUnconfigured(_ reference: String) throws {
        let name = reference.dropFirst("os.environ/".count)
        let decoded = decode(
            """
            model_list:
              - model_name: m
                litellm_params:
                  model: openai/x
                  api_key: \(reference)
            """, environment: ["EMPTY": ""])
        #expect(
            decoded.problems.map(\.description) == [
                "/etc/c.yaml:5:16: warning: model_list[0].litellm_params.api_key: the environment variable \(name) is not set (set it, or give it in environment_variables or --env-file)"
            ])
        #expect(decoded.isAcceptable(strict: false) && !decoded.isAcceptable(strict: true))
        #expect(decoded.isUsableAtStart(strict: false) && !decoded.isUsableAtStart(strict: true))
        let deployment = try #require(decoded.configuration.deployments.first)
        #expect(deployment.unconfigured == "\(name) is not set (/etc/c.yaml:5)")
        #expect(deployment.apiKey == nil)
    }

    @Test func proxiesComeFromTheEnvironment() {
        let text = "model_list: [{model_name: m, litellm_params: {model: openai/x}}]\n"
        let upper = decode(
            text, environment: ["HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:1", "NO_PROXY": "x"])
        #expect(upper.configuration.process.httpsProxy == "http://a:1")
        #expect(upper.configuration.process.noProxy == "x")
        #expect(upper.configuration.process.httpProxy == nil)
        let lower = decode(text, environment: ["http_proxy": "http://c:1", "HTTPS_PROXY": ""])
        #expect(lower.configuration.process.httpProxy == "http://c:1")
        #expect(lower.configuration.process.httpsProxy == nil)
    }

    @Test(arguments: ["https_proxy", "HTTP_PROXY"])
    func aProxyThatCannotBeUsedIsAWarning(_ name: String) {
        let text = "model_list: [{model_name: m, litellm_params: {model: openai/x}}]\n"
        for value in ["https://user:pass@p:1", "socks5://p"] {
            let found = decode(text, environment: [name: value]).problems.map(\.description)
            #expect(found.count == 1)
            #expect(found.allSatisfy { $0.contains("\(name.uppercased()) names no proxy") && !$0.contains("pass") })
        }
    }

    // MARK: Other files

    @Test func includedModelsAreAppended() {
        let decoded = decode(
            """
            model_list: [{model_name: a, litellm_params: {model: openai/a}}]
            include: [b.yaml, /abs/c.yaml]
            """,
            files: [
                "/etc/b.yaml":
                    "model_list: [{model_name: b, litellm_params: {model: openai/b}}]\nrouter_settings: {num_retries: 9}\n",
                "/abs/c.yaml": "model_list: [{model_name: c, litellm_params: {model: openai/c, tags: x}}]\n",
            ])
        #expect(decoded.configuration.deployments.map(\.modelName) == ["a", "b"])
        #expect(
            decoded.problems.map(\.description) == [
                "/etc/b.yaml:2:18: warning: router_settings: has no effect in an included file (only model_list is taken from there)",
                "/abs/c.yaml:1:70: error: model_list[0].litellm_params.tags: expected a list of strings (write [\"x\"])",
            ])
        #expect(decoded.configuration.router.retries.count == nil)
        #expect(decoded.files.map(\.path) == ["/etc/c.yaml", "/etc/b.yaml", "/abs/c.yaml"])
    }

    @Test(arguments: [
        ("include: [gone.yaml]", "/etc/c.yaml:1:10: error: include[0]: cannot read /etc/gone.yaml: "),
        ("include: [c.yaml]", "/etc/c.yaml:1:10: error: include[0]: /etc/c.yaml is included twice, or includes itself"),
        ("include: gone.yaml", "/etc/c.yaml:1:10: error: include: expected a list of strings (write [\"gone.yaml\"])"),
        ("include: [bad.yaml]", "/etc/bad.yaml:1:4: error: "),
        ("include: [empty.yaml]", "/etc/empty.yaml:1:1: error: the file is empty"),
    ])
    func includesThatCannotBeReadAreErrors(_ text: String, _ start: String) {
        let decoded = decode(text, files: ["/etc/bad.yaml": "a: *x", "/etc/empty.yaml": ""])
        let found = decoded.problems.map(\.description)
        #expect(found.contains { $0.hasPrefix(start) }, "\(found)")
        #expect(!decoded.isUsableAtStart(strict: false))
    }

    @Test func aFileThatCannotBeReadIsAnError() {
        let decoded = ConfigurationDecoder.decode(path: "/x.yaml", environment: [:]) { _ in
            .failure(SystemError(call: "open", code: 13))
        }
        #expect(decoded.problems.count == 1)
        #expect(decoded.problems.first?.message.hasPrefix("cannot read /x.yaml: ") == true)
        #expect(!decoded.isUsableAtStart(strict: false))
    }

    // MARK: Ids

    @Test func idsAreStableAndDistinct() {
        let text = """
            model_list:
            - {model_name: m, litellm_params: {model: openai/x, api_key: sk-1}}
            - {model_name: m, litellm_params: {model: openai/x, api_key: sk-2}}
            - {model_name: m, litellm_params: {model: openai/x, tags: [a]}}
            - {model_name: n, litellm_params: {model: openai/x}}
            """
        let ids = decode(text).configuration.deployments.map(\.id)
        #expect(Set(ids).count == 4)
        #expect(ids.allSatisfy { $0.utf8.count == 64 && $0.utf8.allSatisfy { ASCII.hexValue($0) != nil } })
        #expect(decode(text).configuration.deployments.map(\.id) == ids)
        // A new key is no new deployment: what is known of its health stays.
        let rotated = decode(text.replacing("sk-1", with: "sk-3")).configuration.deployments.map(\.id)
        #expect(rotated == ids)
    }

    @Test func numbersMayBeIds() {
        let decoded = decode("model_list: [{model_name: m, litellm_params: {model: openai/x}, model_info: {id: 7}}]")
        #expect(decoded.problems == [])
        #expect(decoded.configuration.deployments.map(\.id) == ["7"])
    }

    // MARK: Deployments that are left out

    @Test func aBadTagLeavesOneDeploymentOutAtStartOnly() {
        let decoded = decode(
            """
            model_list:
            - {model_name: m, litellm_params: {model: openai/x, tags: free}}
            - {model_name: m, litellm_params: {model: openai/y}}
            - {model_name: n, litellm_params: {model: openai/z, tag_regex: ["("]}}
            """)
        #expect(decoded.isUsableAtStart(strict: false))
        #expect(!decoded.isAcceptable(strict: false))
        #expect(decoded.configuration.deployments.map(\.upstreamModel) == ["y"])
        // A group that is still served has not been left out.
        #expect(
            decoded.configuration.leftOut == [
                LeftOutGroup(
                    modelName: "n",
                    reason: "/etc/c.yaml:4: model_list[2].litellm_params.tag_regex[0]: a missing ) at character 2")
            ])
    }
}
