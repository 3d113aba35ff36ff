import Foundation
import Testing
import Worker

@testable import Shared
@testable import tagway

@Suite struct ExplainTests {
    private static let yaml = """
        general_settings: {master_key: sk-0123456789abcdef}
        router_settings: {enable_tag_filtering: true, fallbacks: [{gpt-4: [backup]}], model_group_alias: {best: gpt-4}}
        model_list:
          - {model_name: gpt-4, litellm_params: {model: openai/mini, api_key: sk-upstream, tags: [free, eu], weight: 3, order: 1}, model_info: {id: free-1}}
          - {model_name: gpt-4, litellm_params: {model: openai/mini, api_key: sk-upstream, tags: [free], weight: 1, order: 1}, model_info: {id: free-2}}
          - {model_name: gpt-4, litellm_params: {model: openai/big, api_key: os.environ/UNSET, tags: [free]}, model_info: {id: later}}
          - {model_name: gpt-4, litellm_params: {model: openai/big, api_key: sk-upstream, tags: [paid]}, model_info: {id: paid-1}}
          - {model_name: backup, litellm_params: {model: openai/b, api_key: sk-upstream, tags: [paid]}, model_info: {id: b}}

        """

    private func report(_ arguments: String...) throws -> ExplainReport {
        guard case .explain(let options) = try Command(["explain", "-c", "c.yaml"] + arguments) else {
            throw UsageError(message: "not explain")
        }
        let decoded = ConfigurationDecoder.decode(path: "c.yaml", environment: [:]) { _ in
            .success(Array(Self.yaml.utf8))
        }
        let key = decoded.configuration.general.masterKey.map { Array($0.reveal().utf8) }
        let request = Explain.request(options, Explain.madeBody(options), key: key)
        return ExplainReport(
            explanation: Explanation(of: request, decoded.configuration), configuration: decoded.configuration)
    }

    @Test func thePeoplesFormIsATable() throws {
        let text = try report("-m", "best", "--tags", "free,!us").text
        #expect(
            text == """
                model      best
                tags       free (tags), !us (tags)
                filtering  on, one shared tag is enough
                choice     simple-shuffle, 2 retries

                group best (gpt-4): tags match
                  order 1, 75 %  free-1  mini  free, eu  carries `free`
                  order 1, 25 %  free-2  mini  free      carries `free`
                  unset          later   big   free      UNSET is not set (c.yaml:6)
                  excluded       paid-1  big   paid      carries no wanted tag

                when the prompt is too long      no other group
                when a filter refuses the prompt no other group

                served

                """)
    }

    @Test func fallbacksFollow() throws {
        let text = try report("-m", "gpt-4", "--tags", "paid").text
        #expect(text.contains("\nfallback backup: tags match\n  100 %  b  b  paid  carries `paid`\n"))
        #expect(text.contains("too long      the same fallbacks\n"))
    }

    @Test func aRefusalIsTheGatewaysAnswer() throws {
        let text = try report("-m", "backup", "--tags", "free").text
        #expect(
            text.contains("group backup: the tags allow nobody here\n  excluded  b  b  paid  carries no wanted tag\n"))
        #expect(
            text.hasSuffix(
                "\nrefused: status 401, internal_server_error: Not allowed to access model due to tags configuration. "
                    + "Passed model=backup and tags=['free']\n"))
        #expect(
            try report("-m", "nix").text.contains("\nrefused: status 400, invalid_request_error: Invalid model name"))
    }

    @Test func theProgramsFormSaysTheSame() throws {
        let json = try report("-m", "gpt-4", "--header", "x-litellm-tags: free", "--stream").json
        #expect(json.hasSuffix("}\n") && !json.contains("sk-"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(object["served"] as? Bool == true && object["stream"] as? Bool == true)
        #expect((object["tags"] as? [[String: String]]) == [["tag": "free", "from": "x-litellm-tags"]])
        let group = try #require(object["group"] as? [String: Any])
        let deployments = try #require(group["deployments"] as? [[String: Any]])
        #expect(deployments.map { $0["id"] as? String } == ["free-1", "free-2", "later", "paid-1"])
        #expect(deployments.map { $0["allowed"] as? Bool } == [true, true, true, false])
        #expect(deployments.map { $0["share"] as? Double } == [0.75, 0.25, nil, nil])
        #expect(deployments.map { $0["order"] as? Int } == [1, 1, nil, nil])
        #expect(deployments[2]["unconfigured"] as? String == "UNSET is not set (c.yaml:6)")
        #expect((object["fallbacks"] as? [[String: Any]])?.map { $0["name"] as? String } == ["backup"])
        #expect(object["refusal"] is NSNull)
        let refused = try report("-m", "nix", "--json").json
        let other = try #require(try JSONSerialization.jsonObject(with: Data(refused.utf8)) as? [String: Any])
        #expect(other["served"] as? Bool == false && other["group"] is NSNull)
        #expect((other["refusal"] as? [String: Any])?["status"] as? Int == 400)
    }

    @Test func theRequestIsWhatAClientWouldSend() throws {
        var options = ExplainOptions()
        options.headers = ["X-LiteLLM-Tags: a"]
        func text(_ key: String?) -> String {
            String(decoding: Explain.request(options, Array("{}".utf8), key: key.map { Array($0.utf8) }), as: UTF8.self)
        }
        #expect(
            text("sk-1\n")
                == "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nX-LiteLLM-Tags: a\r\n"
                + "authorization: Bearer sk-1\r\ncontent-length: 2\r\n\r\n{}")
        #expect(!text(nil).contains("authorization"))
        // What a header says is not said twice.
        options.headers = ["Host: a.example", "API-Key: sk-2"]
        #expect(!text("sk-1").contains("localhost") && !text("sk-1").contains("sk-1"))
        options.keyFile = "k"
        #expect(text("sk-1").contains("sk-1"))
    }
}
