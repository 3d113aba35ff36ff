import Testing

@testable import Shared

/// Every error and warning of a configuration, with its place and its hint.
@Suite struct ConfigurationProblemTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// What stands in the file; a deployment's parameters where `parameters` is given.
        var text: String
        /// All problems, without the file's name.
        var problems: [String]

        var testDescription: String { text }

        init(_ text: String, _ problems: String...) {
            self.text = text
            self.problems = problems
        }

        /// `key: value` as the last of a deployment's parameters; the key stands at 1:58.
        static func parameter(_ text: String, _ problems: String...) -> Case {
            var one = Case("model_list: [{model_name: m, litellm_params: {model: openai/x, \(text)}}]")
            one.problems = problems
            return one
        }

        static func section(_ text: String, _ problems: String...) -> Case {
            var one = Case("model_list: []\n\(text)\n")
            one.problems = problems
            return one
        }
    }

    private func found(_ text: String) -> [String] {
        decode(text).problems.map { String($0.description.dropFirst("/etc/c.yaml:".count)) }
    }

    private static let params = "model_list[0].litellm_params"

    // MARK: Names that are not what they seem

    @Test(arguments: [
        Case.parameter(
            #"tags: [a, "", "!b", "&c", " d"]"#,
            "1:70: warning: \(params).tags: an empty tag (no request can ask for it)",
            "1:70: warning: \(params).tags: the tag !b begins with a mark (no request can ask for it: in a request `!` excludes and `&` requires)",
            "1:70: warning: \(params).tags: the tag &c begins with a mark (no request can ask for it: in a request `!` excludes and `&` requires)",
            "1:70: warning: \(params).tags: the tag ` d` begins or ends with a blank (tags of a header are compared without)"
        ),
        Case.parameter(
            #"tags: ["a*b*", "a*", "*"]"#,
            "1:70: warning: \(params).tags: a*b* has several stars (only the first stands for any text)"),
        Case(
            "model_list: [{model_name: 'a/*/*', litellm_params: {model: openai/x}}]",
            "1:27: warning: model_list[0].model_name: a/*/* has several stars (only the first stands for any text)"),
        Case(
            """
            router_settings: {model_group_alias: {a: b, b: b, c: a, d: a, e: a}}
            model_list:
              - {model_name: a, litellm_params: {model: openai/x}, model_info: {id: a}}
              - {model_name: b, litellm_params: {model: openai/x}, model_info: {id: b}}
              - {model_name: b, litellm_params: {model: openai/x}, model_info: {id: d}}
            """,
            "1:42: warning: router_settings.model_group_alias.a: a deployment has this name as its id (requests for it go to that deployment)",
            "1:60: warning: router_settings.model_group_alias.d: a deployment has this name as its id (requests for it go to that deployment)",
            "4:73: warning: model_list[1].model_info.id: the id b hides the model of that name (requests for it go to this deployment alone)"
        ),
        Case(
            """
            router_settings: {model_group_alias: {a: b}}
            model_list:
              - {model_name: a, litellm_params: {model: openai/x, tags: 3}, model_info: {id: b}}
              - {model_name: a, litellm_params: {model: openai/x}}
              - {model_name: b, litellm_params: {model: openai/x}}
            """,
            "1:42: warning: router_settings.model_group_alias.a: hides the model of that name (requests for it go to b)",
            "3:61: error: model_list[0].litellm_params.tags: expected a list of strings (write [\"3\"])"),
    ])
    func namesThatAreNotWhatTheySeem(_ c: Case) {
        #expect(found(c.text) == c.problems)
    }

    // MARK: The whole

    @Test(arguments: [
        Case("", "1:1: error: the file is empty"),
        Case("- a\n", "1:1: error: expected a mapping (key: value)"),
        Case("x\n", "1:1: error: expected a mapping (key: value)"),
        Case("a: [1\n", "2:1: error: did not find expected ',' or ']' (this is not valid YAML)"),
        Case("{}", "1:1: warning: model_list: no models are configured (every request is refused)"),
        Case(
            "model_list: []\nmodel_list: []\n",
            "2:1: warning: model_list: given twice; the first is ignored (the first is at line 1)"),
        Case("model_list: []\n[a]: b\n", "2:1: error: a key has to be a string"),
        Case(
            "model_list: []\nmodel_lists: []\n", "2:1: warning: model_lists: unknown key (did you mean `model_list`?)"),
        Case("model_list: []\nbanana: 1\n", "2:1: warning: banana: unknown key, without effect"),
        Case("model_list: []\n<<: x\n", "2:1: error: a merge key needs a mapping (write <<: *anchor)"),
        Case("model_list: []\nrouter_settings: 3\n", "2:18: error: router_settings: expected a mapping (key: value)"),
        Case("model_list: []\nrouter_settings:\n"), Case("model_list: []\nrouter_settings: ~\n"),
    ])
    func problemsOfTheWhole(_ c: Case) {
        #expect(found(c.text) == c.problems)
    }

    // MARK: The model list

    @Test(arguments: [
        Case("model_list: 3\n", "1:13: error: model_list: expected a list of models"),
        Case("model_list: {a: b}\n", "1:13: error: model_list: expected a list of models"), Case("model_list:\n"),
        Case("model_list: [3]\n", "1:14: error: model_list[0]: expected a mapping (key: value)"),
        Case(
            "model_list:\n- {}\n", "2:3: error: model_list[0].model_name: is missing",
            "2:3: error: model_list[0].litellm_params: is missing"),
        Case(
            "model_list:\n- model_name: on\n  litellm_params: {model: openai/x}\n",
            "2:15: error: model_list[0].model_name: expected a string, found the YAML boolean on (write \"on\")"),
        Case(
            "model_list:\n- model_name: 4\n  litellm_params: {model: openai/x}\n",
            "2:15: error: model_list[0].model_name: expected a string, found the number 4 (write \"4\")"),
        Case(
            "model_list:\n- model_name: [a]\n  litellm_params: {model: openai/x}\n",
            "2:15: error: model_list[0].model_name: expected a string"),
        Case(
            "model_list:\n- model_name: \"\"\n  litellm_params: {model: openai/x}\n",
            "2:15: error: model_list[0].model_name: is empty"),
        Case(
            "model_list:\n- model_name: m\n  litellm_params: {}\n",
            "3:19: error: model_list[0].litellm_params.model: is missing"),
        Case(
            "model_list:\n- model_name: m\n  litellm_params: {model: }\n",
            "3:27: error: model_list[0].litellm_params.model: is missing"),
        Case(
            "model_list:\n- model_name: m\n  litellm_parms: {model: openai/x}\n",
            "2:3: error: model_list[0].litellm_params: is missing",
            "3:3: warning: model_list[0].litellm_parms: unknown key (did you mean `litellm_params`?)"),
        Case(
            "model_list:\n- model_name: m\n  litellm_params: {model: openai/}\n",
            "3:27: error: model_list[0].litellm_params.model: names no model behind the provider"),
        Case(
            "model_list:\n- model_name: m\n  litellm_params: {model: azure/x}\n",
            "3:27: error: model_list[0].litellm_params.model: the provider azure is not served here (only OpenAI-compatible APIs are: write openai/x and its api_base)"
        ),
        Case(
            "model_list:\n- model_name: m\n  litellm_params: {model: groq/x}\n",
            "3:27: error: model_list[0].litellm_params.model: the provider groq needs an api_base (add api_base: https://…/v1)"
        ),
        Case(
            """
            model_list:
            - {model_name: a, litellm_params: {model: openai/x}, model_info: {id: same}}
            - {model_name: b, litellm_params: {model: openai/y}, model_info: {id: same}}
            """, "3:71: error: model_list[1].model_info.id: the id same is given to deployments of a and of b"),
        Case(
            "model_list:\n- {model_name: a, litellm_params: {model: openai/x}, model_info: {allow_fail_open: 1}}\n",
            "2:84: error: model_list[0].model_info.allow_fail_open: expected true or false"),
        Case(
            "model_list:\n- {model_name: a, litellm_params: {model: openai/x}, model_info: {enable_tag_filtering: \"true\"}}\n",
            "2:89: error: model_list[0].model_info.enable_tag_filtering: expected true or false, found a string (remove the quotes)"
        ),
    ])
    func problemsOfTheModelList(_ c: Case) {
        #expect(found(c.text) == c.problems)
    }

    // MARK: Parameters of a deployment

    @Test(arguments: [
        Case.parameter("tags: free", "1:70: error: \(params).tags: expected a list of strings (write [\"free\"])"),
        Case.parameter("tags: {a: b}", "1:70: error: \(params).tags: expected a list of strings"),
        Case.parameter(
            "tags: [a, 1, on, [b]]",
            "1:74: error: \(params).tags[1]: expected a string, found the number 1 (write \"1\")",
            "1:77: error: \(params).tags[2]: expected a string, found the YAML boolean on (write \"on\")",
            "1:81: error: \(params).tags[3]: expected a string"),
        Case.parameter("tags: [\"1\", 'on']"), Case.parameter("tags: []"), Case.parameter("tags: ~"),
        Case.parameter("tagz: [a]", "1:64: warning: \(params).tagz: unknown key (did you mean `tags`?)"),
        Case.parameter("tag: [a]", "1:64: warning: \(params).tag: unknown key (did you mean `tags`?)"),
        Case.parameter("frequency_of_bananas: 1"),
        Case.parameter("tag_regex: [\"a(\"]", "1:75: error: \(params).tag_regex[0]: a missing ) at character 3"),
        Case.parameter(
            "tag_regex: [ok, \"(?=a)\"]",
            "1:75: error: \(params).tag_regex[1]: lookaround, backreferences and flags within a pattern are not supported at character 3"
        ),
        Case.parameter("tag_regex: a", "1:75: error: \(params).tag_regex: expected a list of strings (write [\"a\"])"),
        Case.parameter(
            "rpm: \"5\"", "1:69: error: \(params).rpm: expected a number, found a string (remove the quotes)"),
        Case.parameter("rpm: -1", "1:69: error: \(params).rpm: expected a number of at least 0"),
        Case.parameter("tpm: many", "1:69: error: \(params).tpm: expected a number"),
        Case.parameter("weight: [1]", "1:72: error: \(params).weight: expected a number"),
        Case.parameter("weight: 1e999", "1:72: error: \(params).weight: expected a number of at least 0"),
        Case.parameter("timeout: on", "1:73: error: \(params).timeout: expected a number"),
        Case.parameter("stream_timeout: x", "1:80: error: \(params).stream_timeout: expected a number"),
        Case.parameter("order: 1.5", "1:71: error: \(params).order: expected a whole number"),
        Case.parameter(
            "order: \"1\"", "1:71: error: \(params).order: expected a whole number, found a string (remove the quotes)"),
        Case.parameter(
            "num_retries: 101", "1:77: error: \(params).num_retries: expected a whole number in 0...100"),
        Case.parameter("api_key: on"), Case.parameter("api_key: 123"),
        Case.parameter(
            "api_base: 5", "1:74: error: \(params).api_base: expected a string, found the number 5 (write \"5\")"),
        Case.parameter(
            "api_base: up/v1",
            "1:74: error: \(params).api_base: expected a URL like https://host:port/v1 (it has to begin with http:// or https://)"
        ),
        Case.parameter(
            "base_url: up/v1",
            "1:74: error: \(params).api_base: expected a URL like https://host:port/v1 (it has to begin with http:// or https://)"
        ),
        Case.parameter("extra_headers: [a]", "1:79: error: \(params).extra_headers: expected a mapping (key: value)"),
        Case.parameter(
            "extra_headers: {\"a b\": c}", "1:87: error: \(params).extra_headers.a b: is no valid header name"),
        Case.parameter(
            "extra_headers: {Host: c}", "1:86: error: \(params).extra_headers.Host: is set by the gateway itself"),
        Case.parameter(
            "extra_headers: {a: \"c\\nd\"}",
            "1:83: error: \(params).extra_headers.a: has a control character in its value"),
    ])
    func problemsOfParameters(_ c: Case) {
        #expect(found(c.text) == c.problems)
    }

    // MARK: Sections

    @Test(arguments: [
        Case.section(
            "router_settings: {enable_tag_filtering: \"true\"}",
            "2:41: error: router_settings.enable_tag_filtering: expected true or false, found a string (remove the quotes)"
        ),
        Case.section(
            "router_settings: {enable_tag_filtering: 'yes'}",
            "2:41: error: router_settings.enable_tag_filtering: expected true or false, found a string (remove the quotes)"
        ),
        Case.section(
            "router_settings: {enable_tag_filtering: 1}",
            "2:41: error: router_settings.enable_tag_filtering: expected true or false"),
        Case.section("router_settings: {enable_tag_filtering: yes}"),
        Case.section(
            "router_settings: {tag_filtering_match_any: x}",
            "2:44: error: router_settings.tag_filtering_match_any: expected true or false"),
        Case.section(
            "router_settings: {enable_tag_filterin: true}",
            "2:19: warning: router_settings.enable_tag_filterin: unknown key (did you mean `enable_tag_filtering`?)"),
        Case.section(
            "router_settings: {tag_routing_prefix: 5}",
            "2:39: error: router_settings.tag_routing_prefix: expected a string, found the number 5 (write \"5\")"),
        Case.section(
            "router_settings: {tag_semantics: lax}",
            "2:34: error: router_settings.tag_semantics: expected litellm or strict, found lax"),
        Case.section(
            "router_settings: {num_retries: -1}",
            "2:32: error: router_settings.num_retries: expected a whole number in 0...100"),
        Case.section(
            "router_settings: {routing_strategy: least-bussy}",
            "2:37: error: router_settings.routing_strategy: unknown strategy least-bussy (did you mean `least-busy`?)"),
        Case.section(
            "router_settings: {model_group_alias: {a: ghost}}",
            "2:42: warning: router_settings.model_group_alias.a: its target ghost is no model name"),
        Case.section(
            "router_settings: {model_group_alias: {a: {hidden: true}}}",
            "2:42: error: router_settings.model_group_alias.a: names no model"),
        Case.section(
            "general_settings: {master_key: \"a b\"}",
            "2:32: error: general_settings.master_key: has characters that no header can carry (use visible ASCII characters)"
        ),
        Case.section(
            "general_settings: {master_kye: x}",
            "2:20: warning: general_settings.master_kye: unknown key (did you mean `master_key`?)"),
        Case.section(
            "general_settings: {dangerously_permit_weak_or_unset_master_key: \"true\"}",
            "2:65: error: general_settings.dangerously_permit_weak_or_unset_master_key: expected true or false, found a string (remove the quotes)"
        ),
        Case.section(
            "litellm_settings: {ssl_verify: false}",
            "2:32: warning: litellm_settings.ssl_verify: certificates of upstreams are not verified (anybody on the way can read keys and prompts; give the path of a CA file instead)"
        ),
        Case.section(
            "litellm_settings: {ssl_verify: /gone.pem}",
            "2:32: error: litellm_settings.ssl_verify: cannot read /gone.pem: No such file or directory"),
        Case.section("litellm_settings: {ssl_verify: true}"),
        Case.section(
            "tagway: {workers: 0}", "2:19: error: tagway.workers: expected a whole number in 1...1024"),
        Case.section("tagway: {workers: auto}"),
        Case.section(
            "tagway: {header_bytes: 10}", "2:24: error: tagway.header_bytes: expected a whole number in 1024...1048576"),
        Case.section(
            "tagway: {drain_timeout: 0}", "2:25: error: tagway.drain_timeout: expected a number of at least 0.001"),
        Case.section(
            "tagway: {acess_log: true}", "2:10: warning: tagway.acess_log: unknown key (did you mean `access_log`?)"),
        Case.section(
            "environment_variables: {A: [1]}", "2:28: error: environment_variables.A: expected a string"),
    ])
    func problemsOfSections(_ c: Case) {
        #expect(found(c.text) == c.problems)
    }

    @Test func aCertificateFileWithoutACertificateIsAnError() {
        let decoded = decode(
            "model_list: []\nlitellm_settings: {ssl_verify: /ca.pem}\n", files: ["/ca.pem": "hello"])
        #expect(
            decoded.problems.map(\.description) == [
                "/etc/c.yaml:2:32: error: litellm_settings.ssl_verify: /ca.pem holds no PEM certificate"
            ])
    }

    /// Keys of the reference that have no effect are named, each with its place.
    @Test func everyIgnoredKeyIsNamed() {
        let sections: [(KnownKeys.Section, String, String)] = [
            (KnownKeys.top, "", ""), (KnownKeys.router, "router_settings", "router_settings."),
            (KnownKeys.general, "general_settings", "general_settings."),
            (KnownKeys.litellm, "litellm_settings", "litellm_settings."),
        ]
        for (section, name, path) in sections {
            for key in section.ignored {
                let text = name.isEmpty ? "model_list: []\n\(key): 1\n" : "model_list: []\n\(name):\n  \(key): 1\n"
                let place = name.isEmpty ? "2:1" : "3:3"
                #expect(
                    found(text) == ["\(place): warning: \(path)\(key): known to LiteLLM, without effect in Tagway"],
                    "\(key)")
            }
        }
        for key in KnownKeys.parameters.ignored {
            let text = "model_list: [{model_name: m, litellm_params: {model: openai/x, \(key): 1}}]"
            #expect(
                found(text) == ["1:64: warning: \(Self.params).\(key): known to LiteLLM, without effect in Tagway"],
                "\(key)")
        }
    }

    /// All are collected: the first does not hide the others.
    @Test func everyProblemIsSaidAtOnce() {
        let decoded = decode(
            """
            model_list:
            - {model_name: on, litellm_params: {model: openai/x, tags: free, rpm: "1"}}
            - {litellm_params: {model: azure/x}}
            router_settings: {enable_tag_filtering: "true"}
            tagway: {workers: none}
            """)
        #expect(decoded.problems.filter { $0.severity == .error }.count == 7)
        #expect(decoded.problems.allSatisfy { $0.position.file == "/etc/c.yaml" })
    }
}
