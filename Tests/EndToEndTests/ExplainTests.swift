import Foundation
import Testing

/// `tagway explain` beside a gateway with the same configuration: it says what that one does.
@Suite struct ExplainTests {
    private static let yaml = """
        general_settings: {master_key: \(PlainClient.key)}
        router_settings:
          enable_tag_filtering: true
          num_retries: 0
          fallbacks: [{main: [spare]}]
          model_group_alias: {best: main}
        model_list:
          - {model_name: main, litellm_params: {model: openai/x, mock_response: hi, tags: [free, eu]}, model_info: {id: a}}
          - {model_name: main, litellm_params: {model: openai/x, mock_response: hi, tags: [free]}, model_info: {id: b}}
          - {model_name: main, litellm_params: {model: openai/x, mock_response: hi, tags: [paid], order: 1}, model_info: {id: c}}
          - {model_name: main, litellm_params: {model: openai/x, mock_response: hi, tags: [default], order: 2}, model_info: {id: d}}
          - {model_name: spare, litellm_params: {model: openai/x, mock_response: hi, tags: [blue]}, model_info: {id: e}}
          - {model_name: "w/*", litellm_params: {model: "openai/*", mock_response: hi, tags: [team-*]}, model_info: {id: f}}

        """

    private static let bodies = [
        #"{"model":"main","messages":[],"tags":["free"]}"#, #"{"model":"best","messages":[],"tags":["free","!eu"]}"#,
        #"{"model":"main","messages":[]}"#, #"{"model":"main","messages":[],"tags":["free","paid","default"]}"#,
        #"{"model":"main","messages":[],"tags":["nope"]}"#, #"{"model":"main","messages":[],"tags":["&blue"]}"#,
        #"{"model":"main","messages":[],"metadata":{"tags":["paid"]}}"#,
        #"{"model":"c","messages":[],"tags":["paid"]}"#,
        #"{"model":"c","messages":[],"tags":["free"]}"#, #"{"model":"w/x","messages":[],"tags":["team-1"]}"#,
        #"{"model":"w/x","messages":[],"tags":["other"]}"#, #"{"model":"spare","messages":[],"tags":["free"]}"#,
        #"{"model":"gone","messages":[]}"#, #"{"model":"main","tags":["free"]}"#,
        #"{"model":"main","messages":[],"tags":3}"#,
        #"{"model":"main","messages":[],"tags":["nope","!default"],"disable_fallbacks":true}"#,
        #"{"model":7,"messages":[]}"#,
        "[]", "{",
    ]

    @Test func itSaysWhatTheGatewayDoes() throws {
        let gateway = try SupervisedGateway(Self.yaml)
        let client = try PlainClient(port: gateway.port)
        let file = gateway.directory.appendingPathComponent("body.json")
        for body in Self.bodies {
            try Data(body.utf8).write(to: file)
            let said = try SupervisedGateway.run([
                "explain", "--config", gateway.configuration.path, "--body", file.path, "--json",
            ])
            let object = Self.object(said.output)
            var served: Set<String> = []
            var answer: PlainClient.Response?
            for _ in 0..<12 {
                let one = try client.exchange(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n"
                        + "content-length: \(body.utf8.count)\r\n\r\n\(body)")
                if one.status == 200, let id = one.deployment { served.insert(id) }
                answer = one
            }
            let refusal = object["refusal"] as? [String: Any]
            #expect(said.status == (refusal == nil ? 0 : 1), "\(body)")
            #expect((answer?.status ?? 0) == (refusal?["status"] as? Int ?? 200), "\(body)")
            if let refusal {
                let told = Self.object(answer?.body ?? "")["error"] as? [String: Any] ?? [:]
                for key in ["type", "message", "param"] {
                    #expect(told[key] as? String == refusal[key] as? String, "\(body)")
                }
            }
            #expect(served == Self.askedFirst(object), "\(body)")
        }
    }

    private static func object(_ text: String) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:]
    }

    /// Those of the lowest `order` in the first group that can serve, mocks never failing.
    private static func askedFirst(_ object: [String: Any]) -> Set<String> {
        let groups = [object["group"] as? [String: Any]] + (object["fallbacks"] as? [[String: Any]] ?? [])
        for group in groups {
            let members = (group?["deployments"] as? [[String: Any]] ?? []).filter { $0["share"] is Double }
            guard let lowest = members.map({ $0["order"] as? Int ?? .max }).min() else { continue }
            return Set(members.filter { ($0["order"] as? Int ?? .max) == lowest }.compactMap { $0["id"] as? String })
        }
        return []
    }

    @Test func whatCannotBeReadIsSaid() throws {
        let directory = try SupervisedGateway.makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let good = directory.appendingPathComponent("good.yaml").path
        try Data(Self.yaml.utf8).write(to: URL(fileURLWithPath: good))
        let bad = directory.appendingPathComponent("bad.yaml").path
        try Data("model_list: 3\n".utf8).write(to: URL(fileURLWithPath: bad))
        func status(_ arguments: String...) throws -> Int32 {
            try SupervisedGateway.run(["explain"] + arguments).status
        }
        #expect(try status("-c", bad, "-m", "main") == 78)
        #expect(try status("-c", directory.path + "/none.yaml", "-m", "main") == 78)
        #expect(try status("-c", good, "--body", directory.path + "/none") == 66)
        #expect(try status("-c", good, "-m", "main", "--key-file", directory.path + "/none") == 66)
        #expect(try status("-c", good) == 64)
        #expect(try status("-c", good, "-m", "main", "-t", "free") == 0)
        // The keys of files are checked as a client's.
        let key = directory.appendingPathComponent("key").path
        try Data("sk-other\n".utf8).write(to: URL(fileURLWithPath: key))
        #expect(try status("-c", good, "-m", "main", "-t", "free", "--key-file", key) == 1)
        try Data("\(PlainClient.key)\n".utf8).write(to: URL(fileURLWithPath: key))
        #expect(try status("-c", good, "-m", "main", "-t", "free", "--key-file", key) == 0)
    }
}
