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
        var request = CompletionRequest()
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

    @Test func readsNumbersInTextToo() throws {
        let (request, _) = try read(#"{"messages":[],"num_retries":"3","timeout":1.5,"stream_timeout":-1}"#)
        #expect(request.numRetries == 3)
        #expect(request.timeout == 1.5)
        #expect(request.streamTimeout == nil)
    }

    private func tags(_ text: String, header: String? = nil) throws -> String {
        var (request, bytes) = try read(text)
        var range: Range<Int>?
        if let header {
            range = bytes.count..<bytes.count + header.utf8.count
            bytes += Array(header.utf8)
        }
        var tags = RequestTags()
        try request.addTags(bytes, header: range, to: &tags, Self.table())
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

    @Test(arguments: [#""free""#, "{}", "3", "[1]", "[\"a\",null]", "[\"\"]", "true"])
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
        var request = CompletionRequest()
        try request.read(bytes, 0..<bytes.count, .chat)
        var outbound = OutboundRequest()
        outbound.write(
            DeploymentBlocks(deployment, nil), deployment, .chat, request, bytes,
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
