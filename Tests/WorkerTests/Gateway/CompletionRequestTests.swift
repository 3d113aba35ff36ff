import Testing

@testable import Shared
@testable import Worker

@Suite struct CompletionRequestTests {
    private static func table(_ tags: [String] = []) -> RoutingTable {
        var configuration = Configuration()
        var deployment = Deployment()
        deployment.modelName = "gpt-4"
        deployment.id = "one"
        deployment.tags = tags
        configuration.deployments = [deployment]
        return RoutingTable(configuration)
    }

    private func read(_ text: String, _ operation: Endpoint.Operation = .chat) throws -> (CompletionRequest, [UInt8]) {
        // In the middle of other bytes, as it is in a connection's buffer.
        let bytes = Array("HEAD\(text)NEXT".utf8)
        let request = CompletionRequest()
        try request.read(bytes, 4..<bytes.count - 4, operation)
        return (request, bytes)
    }

    private func kept(_ text: String, _ operation: Endpoint.Operation = .chat) throws -> [String] {
        let (request, bytes) = try read(text, operation)
        return request.kept.map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    @Test func keepsRunsOfWhatGoesOn() throws {
        #expect(
            try kept(#"{"model":"m", "messages" : [], "temperature": 0.5 ,"tags":["a"],"stream":true}"#)
                == [#""messages" : [], "temperature": 0.5"#, #""stream":true"#])
    }

    @Test(arguments: [
        "tags", "metadata", "litellm_metadata", "num_retries", "timeout", "stream_timeout", "max_retries",
        "enable_tag_filtering", "fallbacks", "disable_fallbacks",
    ])
    func keepsBackWhatIsForTheGateway(_ name: String) throws {
        #expect(try kept("{\"messages\":[],\"\(name)\":null,\"user\":\"u\"}") == ["\"messages\":[]", "\"user\":\"u\""])
    }

    @Test func lastOfDuplicateKeysCounts() throws {
        let (request, bytes) = try read(#"{"model":"a","messages":[],"model":"b","stream":true,"stream":false}"#)
        #expect(request.model.map { String(decoding: bytes[$0.value], as: UTF8.self) } == "\"b\"")
        #expect(!request.isStream)
    }

    @Test func seesThroughEscapedKeys() throws {
        #expect(try kept(#"{"\u006dodel":"a","messages":[]}"#) == [#""messages":[]"#])
    }

    @Test(arguments: [
        ("", Endpoint.Operation.chat, "messages"), ("{}", .chat, "messages"),
        ("{\"messages\":null}", .chat, "messages"),
        ("{\"messages\":\"hi\"}", .chat, "messages"), ("{}", .completion, "prompt"), ("{}", .embedding, "input"),
        ("{\"messages\":[]}", .response, "input"), ("{\"model\":1,\"messages\":[]}", .chat, "model"),
        ("[]", .chat, "request_body"), ("{\"a\":1}x", .chat, "request_body"),
        ("{\"messages\":[],\"mock_testing_fallbacks\":true}", .chat, "mock_testing_fallbacks"),
    ])
    func namesWhatIsWrong(_ text: String, _ operation: Endpoint.Operation, _ parameter: String) throws {
        let error = try #require(throws: GatewayError.self) { try read(text, operation) }
        #expect(error.answer.status == 400)
        #expect(error.answer.param == parameter)
    }

    @Test(arguments: ["api_base", "base_url"])
    func refusesToBeSentElsewhere(_ name: String) throws {
        let error = try #require(throws: GatewayError.self) { try read("{\"messages\":[],\"\(name)\":\"http://x\"}") }
        #expect(error.answer.status == 401)
        #expect(error.answer.message.contains(name))
    }

    @Test(arguments: [
        ("api_base", 401, "auth_error"), ("base_url", 401, "auth_error"), ("\\u0061pi_base", 401, "auth_error"),
        ("mock_testing_fallbacks", 400, "invalid_request_error"),
        ("mock_testing_context_fallbacks", 400, "invalid_request_error"),
        ("mock_testing_rate_limit_error", 400, "invalid_request_error"),
    ])
    func refusesWhatACallerMayNotSet(_ name: String, _ status: Int, _ type: String) throws {
        for value in ["true", "null", "\"x\""] {
            let error = try #require(throws: GatewayError.self) { try read("{\"messages\":[],\"\(name)\":\(value)}") }
            #expect(error.answer.status == status)
            #expect(error.answer.type == type)
        }
    }

    @Test(arguments: [
        ("true", true), ("false", false), ("null", false), ("1", false), ("\"true\"", false), ("[]", false),
    ])
    func streamsOnlyWhenToldTo(_ value: String, _ isStream: Bool) throws {
        #expect(try read("{\"messages\":[],\"stream\":\(value)}").0.isStream == isStream)
    }

    @Test(arguments: [
        ("0", 0), ("3", 3), ("2.9", 2), ("\"4\"", 4), ("-1", nil), ("1e9", nil), ("\"x\"", nil), ("null", nil),
        ("true", nil), ("[1]", nil), ("\"\"", nil), ("\"nan\"", nil), ("\"inf\"", nil),
    ])
    func retriesAreASensibleNumberOrNotGiven(_ value: String, _ retries: Int?) throws {
        #expect(try read("{\"messages\":[],\"num_retries\":\(value)}").0.numRetries == retries)
    }

    @Test(arguments: [
        ("\"x\"", 1), ("[\"a\",\"b\",\"c\"]", 3), ("[1,2,3]", 1), ("[[1,2],[3]]", 2), ("[]", 0), ("{}", 1),
    ])
    func countsTheInputsOfAnEmbedding(_ input: String, _ count: Int) throws {
        let (request, bytes) = try read("{\"input\":\(input)}", .embedding)
        #expect(request.inputs(bytes) == count)
    }

    /// A request is read into the same value again and again: nothing of the one before is left.
    @Test func nothingOfTheLastRequestIsLeft() throws {
        let request = CompletionRequest()
        let first = Array(
            #"{"model":"a","messages":[],"stream":true,"num_retries":1,"timeout":2,"stream_timeout":3}"#.utf8)
        try request.read(first, 0..<first.count, .chat)
        let second = Array(#"{"messages":[]}"#.utf8)
        try request.read(second, 0..<second.count, .chat)
        #expect(request.model == nil && !request.isStream && request.numRetries == nil)
        #expect(request.timeout == nil && request.streamTimeout == nil && request.kept.count == 1)
    }

    /// Cut anywhere, a body is refused, with the place in the body and not in the connection's buffer.
    @Test func everyCutBodyIsRefused() throws {
        let text = #"{"model":"m","messages":[{"role":"user"}],"tags":["a"],"n":1}"#
        for count in 1..<text.utf8.count {
            let error = try #require(throws: GatewayError.self) { try read(String(text.prefix(count))) }
            #expect(error.answer.status == 400)
            #expect(error.answer.message.hasSuffix("at byte \(count)"), "\(error.answer.message)")
        }
    }

    @Test func readsNumbersInTextToo() throws {
        let (request, _) = try read(#"{"messages":[],"num_retries":"3","timeout":1.5,"stream_timeout":-1}"#)
        #expect(request.numRetries == 3)
        #expect(request.timeout == 1.5)
        #expect(request.streamTimeout == nil)
        // No time at all is no limit that anybody means.
        let (none, _) = try read(#"{"messages":[],"num_retries":0,"timeout":0,"stream_timeout":"0.0"}"#)
        #expect(none.numRetries == 0 && none.timeout == nil && none.streamTimeout == nil)
    }

    private func tags(_ text: String, header: String? = nil) throws -> String {
        var (request, bytes) = try read(text)
        var range: Range<Int>?
        if let header {
            range = bytes.count..<bytes.count + header.utf8.count
            bytes += Array(header.utf8)
        }
        let tags = RequestTags()
        try request.addTags(bytes, header: range, to: tags, Self.table())
        return tags.description
    }

    @Test func gathersTagsFromEveryPlace() throws {
        #expect(try tags(#"{"messages":[],"tags":["a","b"]}"#, header: "c") == "['a', 'b']")
        #expect(try tags(#"{"messages":[]}"#, header: "c , d") == "['c', 'd']")
        #expect(try tags(#"{"messages":[],"metadata":{"tags":["m"]}}"#, header: "c") == "['c', 'm']")
        #expect(
            try tags(#"{"messages":[],"litellm_metadata":{"tags":["l","m"]},"metadata":{"tags":["m"]}}"#)
                == "['m', 'l']")
        #expect(try tags(#"{"messages":[],"tags":["\u0061\"b"]}"#) == "['a\"b']")
        #expect(try tags(#"{"messages":[],"tags":null}"#, header: "c") == "['c']")
    }

    // Where a request's tags come from, row by row of the reference's rules.
    struct Source: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Members behind the messages.
        var body: String
        var header: String?
        var tags: String

        init(_ description: String, _ body: String, header: String? = nil, _ tags: String) {
            testDescription = description
            self.body = body
            self.header = header
            self.tags = tags
        }
    }

    static let sources: [Source] = [
        Source("a list in the body", #""tags":["a","b"]"#, "['a', 'b']"),
        Source("a list in the body replaces the header", #""tags":["a"]"#, header: "b", "['a']"),
        Source("an empty list too", #""tags":[]"#, header: "b", "[]"),
        Source("the header where the body has none", "", header: "b", "['b']"),
        Source("the header is split at commas, blanks trimmed", "", header: " a , b", "['a', 'b']"),
        Source("the header is no JSON", "", header: #"["a","b"]"#, #"['["a"', '"b"]']"#),
        Source("an empty header has no tags", "", header: "", "[]"),
        Source("a header of one comma has none either", "", header: ",", "[]"),
        Source("metadata.tags are added", #""tags":["a"],"metadata":{"tags":["m"]}"#, "['a', 'm']"),
        Source("and litellm_metadata.tags", #""litellm_metadata":{"tags":["l"]}"#, header: "h", "['h', 'l']"),
        Source(
            "all three, duplicates once",
            #""tags":["a","b"],"metadata":{"tags":["b","c"]},"litellm_metadata":{"tags":["c","a"]}"#,
            "['a', 'b', 'c']"),
        Source("tags are compared exactly", #""tags":["a","A"," a"]"#, "['a', 'A', ' a']"),
        Source("a comma in a body tag is a part of it", #""tags":["a,b"]"#, "['a,b']"),
        Source("null is as if it were not there", #""tags":null"#, header: "h", "['h']"),
        Source("metadata that is a string is ignored, JSON in it included", #""metadata":"{\"tags\":[\"x\"]}""#, "[]"),
        Source("metadata that is a list is ignored", #""metadata":["tags"]"#, "[]"),
        Source("metadata that is null is ignored", #""metadata":null"#, header: "h", "['h']"),
        Source("null within metadata", #""metadata":{"tags":null}"#, "[]"),
        Source("tags deeper in metadata do not count", #""metadata":{"x":{"tags":["y"]}}"#, "[]"),
        Source("the last of duplicate keys counts", #""tags":["a"],"tags":["b"]"#, "['b']"),
        Source(
            "the last of duplicate metadata too", #""metadata":{"tags":["a"]},"metadata":{"tags":["b"],"tags":["c"]}"#,
            "['c']"),
        Source("escapes are resolved", #""t\u0061gs":["\u0061\ud83d\ude00"]"#, "['a😀']"),
        Source("an escaped tag is the same tag", #""tags":["a","\u0061"]"#, "['a']"),
        Source("messages have no tags", #""x":[{"tags":["y"]}]"#, "[]"),
        Source("marks come through", #""tags":["!a","&b"]"#, "['!a', '&b']"),
    ]

    @Test(arguments: sources)
    func tagsComeFrom(_ source: Source) throws {
        let text = source.body.isEmpty ? #"{"messages":[]}"# : "{\"messages\":[],\(source.body)}"
        #expect(try tags(text, header: source.header) == source.tags)
    }

    /// Deviation: the reference takes most of these for untagged, which lets a request into every tier, and answers
    /// some with 500.
    @Test(arguments: [
        #""free""#, "{}", "3", "true", "false", "[1]", "[\"a\",null]", "[\"\"]", "[[\"a\"]]", "[{\"a\":1}]", "[true]",
        "1.5",
    ])
    func refusesMalformedTags(_ value: String) throws {
        for body in ["{\"messages\":[],\"tags\":\(value)}", "{\"messages\":[],\"metadata\":{\"tags\":\(value)}}"] {
            let error = try #require(throws: GatewayError.self) { try tags(body) }
            #expect(error.answer.status == 400)
            #expect(error.answer.param == "tags")
        }
    }
}

@Suite struct OutboundRequestTests {
    private func write(
        _ text: String, _ change: (inout Deployment) -> Void = { _ in }, capture: String? = nil
    ) throws -> (head: String, body: String) {
        var deployment = Deployment()
        deployment.model = "openai/gpt-4o"
        deployment.upstreamModel = "gpt-4o"
        deployment.apiKey = Secret("k-1")
        deployment.origin = Origin(isSecure: true, host: "api.openai.com", port: 443)
        deployment.basePath = "/v1"
        change(&deployment)
        let bytes = Array(text.utf8)
        let request = CompletionRequest()
        try request.read(bytes, 0..<bytes.count, .chat)
        var outbound = OutboundRequest()
        outbound.write(
            DeploymentBlocks(deployment, nil), .chat, request, bytes,
            capture: capture.map { Array($0.utf8)[...] })
        var sent: [UInt8] = []
        for piece in outbound.pieces {
            sent += piece.source == 0 ? outbound.text.storage[piece.range] : bytes[piece.range]
        }
        let whole = String(decoding: sent, as: UTF8.self)
        let parts = try #require(whole.firstRange(of: "\r\n\r\n"))
        let head = String(whole[..<parts.lowerBound])
        let body = String(whole[parts.upperBound...])
        #expect(head.contains("content-length: \(body.utf8.count)"))
        return (head, body)
    }

    @Test func putsTheDeploymentsModelAndKeyIn() throws {
        let (head, body) = try write(#"{"messages":[],"model":"gpt-4","user":"u","tags":["free"]}"#)
        #expect(body == #"{"model":"gpt-4o","messages":[],"user":"u"}"#)
        #expect(head.hasPrefix("POST /v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\n"))
        #expect(head.contains("\r\nauthorization: Bearer k-1\r\n"))
    }

    @Test func sendsDefaultsThatTheRequestDoesNotGive() throws {
        let (_, body) = try write(#"{"messages":[],"temperature":1}"#) {
            $0.defaults = [
                DefaultParameter(name: "temperature", json: "0.2"), DefaultParameter(name: "top_p", json: "0.9"),
            ]
        }
        #expect(body == #"{"model":"gpt-4o","messages":[],"temperature":1,"top_p":0.9}"#)
    }

    @Test(arguments: [
        (#"{"messages":[]}"#, #"{"model":"gpt-4o","messages":[]}"#),
        (#"{"model":"x","model":"y","messages":[]}"#, #"{"model":"gpt-4o","messages":[]}"#),
        (#"{"tags":[],"messages":[],"metadata":{}}"#, #"{"model":"gpt-4o","messages":[]}"#),
        (#"{ "messages" : [ ] , "tags" : [ ] , "x" : 1 }"#, #"{"model":"gpt-4o","messages" : [ ],"x" : 1}"#),
        (
            #"{"tags":[],"messages":[{"model":"m","tags":["t"]}],"tags":[],"y":{"model":1},"metadata":null,"z":2}"#,
            #"{"model":"gpt-4o","messages":[{"model":"m","tags":["t"]}],"y":{"model":1},"z":2}"#
        ),
        (#"{"messages":[],"a":1,"a":2}"#, #"{"model":"gpt-4o","messages":[],"a":1,"a":2}"#),
        ("{\"messages\":[],\n\t\"é\":\"\\u00e9\"}", "{\"model\":\"gpt-4o\",\"messages\":[],\n\t\"é\":\"\\u00e9\"}"),
    ])
    func theRestGoesOnByteForByte(_ text: String, _ body: String) throws {
        #expect(try write(text).body == body)
    }

    /// A default is not sent beside a member that the request writes with an escape.
    @Test func anEscapedNameIsTheSameName() throws {
        let (_, body) = try write(#"{"messages":[],"temper\u0061ture":1}"#) {
            $0.defaults = [DefaultParameter(name: "temperature", json: "0.2")]
        }
        #expect(body == #"{"model":"gpt-4o","messages":[],"temper\u0061ture":1}"#)
    }

    /// Around the size up to which bodies are copied, both ways send the same.
    @Test func copiedAndSentFromWhereItLiesAreTheSame() throws {
        for size in [16_300, 16_340, 16_341, 16_342, 16_343, 16_344, 16_345, 16_384, 20_000] {
            let text = String(repeating: "y", count: size)
            let (_, body) = try write("{\"x\":1,\"tags\":[],\"messages\":[\"\(text)\"],\"metadata\":0,\"z\":2}")
            #expect(body == "{\"model\":\"gpt-4o\",\"x\":1,\"messages\":[\"\(text)\"],\"z\":2}", "\(size)")
        }
    }

    @Test(arguments: [
        (Endpoint.Operation.chat, "/v1/chat/completions"), (.completion, "/v1/completions"),
        (.embedding, "/v1/embeddings"),
        (.response, "/v1/responses"),
    ])
    func everyOperationHasItsPath(_ operation: Endpoint.Operation, _ path: String) {
        var deployment = Deployment()
        deployment.origin = Origin(isSecure: true, host: "::1", port: 8443)
        deployment.basePath = "/v1"
        let head = String(decoding: DeploymentBlocks(deployment, nil).requestHeads[operation.rawValue], as: UTF8.self)
        #expect(head.hasPrefix("POST \(path) HTTP/1.1\r\nhost: [::1]:8443\r\n"))
        #expect(!head.contains("authorization"))
        #expect(head.contains("\r\naccept-encoding: identity\r\n"))
        #expect(head.hasSuffix("\r\ncontent-length: "))
    }

    @Test func aKeyWithALineEndCannotBreakOut() throws {
        let (head, _) = try write(#"{"messages":[]}"#) { $0.apiKey = Secret("k\r\nx-evil: 1") }
        #expect(!head.contains("\nx-evil"))
    }

    @Test func modelNamesAreWrittenAsJSON() throws {
        let (_, body) = try write(#"{"messages":[]}"#) { $0.upstreamModel = "a\"b\\" }
        #expect(body == #"{"model":"a\"b\\","messages":[]}"#)
        let (_, wild) = try write(#"{"messages":[]}"#, { $0.upstreamModel = "x/*" }, capture: "a\"*")
        #expect(wild == #"{"model":"x/a\"*","messages":[]}"#)
    }

    @Test func largeBodiesAreNotCopied() throws {
        let text = String(repeating: "x", count: 100_000)
        let (_, body) = try write("{\"messages\":[\"\(text)\"],\"tags\":[],\"n\":1}")
        #expect(body == "{\"model\":\"gpt-4o\",\"messages\":[\"\(text)\"],\"n\":1}")
    }

    @Test func fillsWildcards() throws {
        let (_, body) = try write(#"{"messages":[]}"#, { $0.upstreamModel = "anthropic/*" }, capture: "claude")
        #expect(body == #"{"model":"anthropic/claude","messages":[]}"#)
    }

    @Test func extraHeadersReplaceItsOwnAndCannotBreakOut() throws {
        let (head, _) = try write(#"{"messages":[]}"#) {
            $0.extraHeaders = [
                HeaderSetting(name: "User-Agent", value: "x"), HeaderSetting(name: "X-A", value: "1\r\nx-b: 2"),
                HeaderSetting(name: "Content-Length", value: "5"),
            ]
        }
        #expect(head.contains("\r\nUser-Agent: x\r\n"))
        #expect(!head.contains("user-agent: tagway"))
        #expect(head.contains("\r\nX-A: 1  x-b: 2\r\n"))
        #expect(!head.contains("Content-Length"))
    }

    @Test func plainProxiesAreAskedWithTheWholeURL() {
        var deployment = Deployment()
        deployment.origin = Origin(isSecure: false, host: "up", port: 8080)
        deployment.basePath = "/v1"
        let proxy = ProxyRules.Proxy(
            origin: Origin(isSecure: false, host: "p", port: 3128), authorization: "Basic eA==")
        let head = String(decoding: DeploymentBlocks(deployment, proxy).requestHeads[0], as: UTF8.self)
        #expect(
            head.hasPrefix("POST http://up:8080/v1/chat/completions HTTP/1.1\r\nproxy-authorization: Basic eA==\r\n"))
        #expect(head.contains("host: up:8080\r\n"))
    }
}
