import Testing

@testable import Shared
@testable import Worker

/// Fallbacks that a request brings along.
@Suite struct ClientFallbacksTests {
    private static func table(_ change: (inout FallbackSettings) -> Void = { _ in }) -> RoutingTable {
        var configuration = Configuration()
        for name in ["a", "b", "c", "w/*"] {
            var deployment = Deployment()
            deployment.modelName = name
            deployment.id = "id-\(name)"
            configuration.deployments.append(deployment)
        }
        change(&configuration.router.fallbacks)
        return RoutingTable(configuration)
    }

    /// Names, and in brackets what a client gave for one of them; nil where the configuration is asked.
    private func found(
        _ members: String, _ kind: FallbackTable.Kind = .general, of name: String = "a",
        _ table: RoutingTable = Self.table()
    ) throws -> [String]? {
        let bytes = Array("HEAD{\"messages\":[],\(members)}NEXT".utf8)
        let request = CompletionRequest()
        try request.read(bytes, 4..<bytes.count - 4, .chat)
        return request.fallbacks(kind, of: Array(name.utf8), bytes, table)?.map { target in
            target.target.name + (target.own.map { "(\(String(decoding: bytes[$0], as: UTF8.self)))" } ?? "")
        }
    }

    @Test(
        arguments: [
            (#""user":"u""#, nil), (#""fallbacks":null"#, nil), (#""fallbacks":"b""#, nil), (#""fallbacks":[]"#, []),
            (#""fallbacks":["b","c"]"#, ["b", "c"]), (#""fallbacks":["b","gone","w/x","id-c"]"#, ["b", "w/x", "id-c"]),
            (#""fallbacks":["\u0062"]"#, ["b"]), (#""fallbacks":[1,null,true,["b"],"c"]"#, ["c"]),
            (#""fallbacks":[{"model":"b","messages":[1]}]"#, [#"b({"model":"b","messages":[1]})"#]),
            (#""fallbacks":[{"model":"gone"},{"model":3},{}]"#, []),
            (#""fallbacks":[{"a":["b","c"]},{"b":["a"]}]"#, ["b", "c"]),
            (#""fallbacks":[{"a":"b"},{"a":[1,"c"]}]"#, ["c"]), (#""fallbacks":[{"\u0061":["b"]}]"#, ["b"]),
            (#""fallbacks":[{"x":["b"],"a":["c"]},"b"]"#, ["c", "b"]),
        ] as [(String, [String]?)])
    func areRead(_ members: String, _ names: [String]?) throws {
        #expect(try found(members) == names)
    }

    @Test func mappedOnesAreOfTheGroupThatFailed() throws {
        let members = #""fallbacks":[{"a":["b"]},{"b":["c"]}]"#
        #expect(try found(members, of: "a") == ["b"])
        #expect(try found(members, of: "b") == ["c"])
        #expect(try found(members, of: "c") == [])
    }

    /// Members of a fallback's own take the place of the request's; which model it is stays the gateway's word, however
    /// its name is spelled.
    @Test(arguments: [
        (#"{"model":"b","messages":[1],"user":"v"}"#, [#""n":1"#, #""messages":[1]"#, #""user":"v""#]),
        (
            #"{"mo\u0064el":"gpt-secret","model":"b","tags":["x"]}"#,
            [#""messages":[]"#, #""\u0075ser":"u""#, #""n":1"#]
        ),
        (#"{"model":"b","mess\u0061ges":[2]}"#, [#""\u0075ser":"u""#, #""n":1"#, #""mess\u0061ges":[2]"#]),
    ])
    func ownMembersTakeThePlaceOfTheRequests(_ own: String, _ goesOn: [String]) throws {
        let bytes = Array(#"{"messages":[],"model":"a","\u0075ser":"u","n":1,"fallbacks":[\#(own)]}"#.utf8)
        let request = CompletionRequest()
        try request.read(bytes, 0..<bytes.count, .chat)
        let target = try #require(request.fallbacks(.general, of: Array("a".utf8), bytes, Self.table())?.first)
        request.replace(members: target.own, bytes)
        #expect(request.kept.map { String(decoding: bytes[$0], as: UTF8.self) } == goesOn)
        request.replace(members: nil, bytes)
        let kept = request.kept.map { String(decoding: bytes[$0], as: UTF8.self) }
        #expect(kept == [#""messages":[]"#, #""\u0075ser":"u""#, #""n":1"#])
    }

    /// As in the configuration: a list of its own is the only one that counts.
    @Test func someFailuresHaveAListOfTheirOwn() throws {
        let general = #""fallbacks":["b"]"#
        let own = #""fallbacks":["b"],"context_window_fallbacks":[{"a":["c"]}],"content_policy_fallbacks":[]"#
        #expect(try found(own) == ["b"])
        #expect(try found(own, .contextWindow) == ["c"])
        #expect(try found(own, .contentPolicy) == [])
        #expect(try found(general, .contextWindow) == ["b"])
        #expect(try found(general, .contentPolicy) == ["b"])
        // The configuration has one: the request says nothing of it.
        let table = Self.table { $0.contentPolicy = [.init(group: "a", targets: ["c"])] }
        #expect(try found(general, .contentPolicy, table) == nil)
        #expect(try found(general, .contextWindow, table) == ["b"])
        #expect(try found(own, .contentPolicy, table) == [])
    }
}
