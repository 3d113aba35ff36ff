import Testing

@testable import Shared
@testable import Worker

@Suite struct EndpointTests {
    private func endpoint(_ method: Method, _ target: String) -> (Endpoint, [UInt8]) {
        let bytes = Array("POST \(target) HTTP/1.1".utf8)
        return (Endpoint(method, bytes, target: 5..<5 + target.utf8.count), bytes)
    }

    @Test(arguments: [
        ("/v1/chat/completions", Endpoint.Operation.chat), ("/chat/completions", .chat),
        ("/v1/completions", .completion),
        ("/completions", .completion), ("/v1/embeddings", .embedding), ("/v1/responses?x=1", .response),
        ("http://host/v1/chat/completions", .chat),
    ])
    func knowsWhatDeploymentsServe(_ target: String, _ operation: Endpoint.Operation) {
        #expect(endpoint(.post, target).0 == .inference(operation, model: nil))
        #expect(endpoint(.get, target).0 == .methodNotAllowed(allow: "POST"))
        #expect(endpoint(.options, target).0 == .preflight)
    }

    @Test(arguments: ["/engines/a/b/chat/completions", "/openai/deployments/a/b/chat/completions?api-version=1"])
    func takesTheModelFromThePath(_ target: String) throws {
        let (endpoint, bytes) = endpoint(.post, target)
        guard case .inference(.chat, let model?) = endpoint else {
            Issue.record("\(endpoint)")
            return
        }
        #expect(String(decoding: bytes[model], as: UTF8.self) == "a/b")
    }

    @Test(arguments: [
        ("/v1/models", Endpoint.models), ("/models", .models), ("/model/info", .modelInfo),
        ("/v1/model/info", .modelInfo),
        ("/health/liveliness", .live), ("/health/liveness", .live), ("/health/readiness", .ready), ("/health", .health),
    ])
    func knowsItsOwn(_ target: String, _ expected: Endpoint) {
        #expect(endpoint(.get, target).0 == expected)
        #expect(endpoint(.head, target).0 == expected)
        #expect(endpoint(.post, target).0 == .methodNotAllowed(allow: "GET, HEAD"))
    }

    @Test(arguments: [
        "/", "/v1", "/v1/", "/v1/chat", "//v1/models", "/v1/health", "/engines//chat/completions", "*", "x",
    ])
    func knowsNothingElse(_ target: String) {
        #expect(endpoint(.get, target).0 == .notFound)
    }
}

@Suite struct CredentialsTests {
    private func check(_ fields: String, key: String? = "sk-1") throws {
        let bytes = Array("GET / HTTP/1.1\r\nhost: x\r\n\(fields)\r\n".utf8)
        var head = MessageHead()
        var parser = HeadParser.request(limit: 4096)
        #expect(try parser.read(bytes, 0..<bytes.count, into: &head))
        try Credentials(masterKey: key.map { Array($0.utf8) }).check(head, bytes)
    }

    @Test(arguments: [
        "authorization: Bearer sk-1", "Authorization: bearer sk-1", "authorization: BEARER  sk-1", "api-key: sk-1",
        "x-api-key: Bearer sk-1", "x-goog-api-key: sk-1", "x-litellm-api-key: sk-1",
    ])
    func acceptsTheKeyInEveryPlace(_ field: String) throws {
        try check("\(field)\r\n")
    }

    @Test(arguments: [
        ("", Credentials.Refusal.missing), ("authorization: Bearer\r\n", .missing),
        ("authorization: Bearer \r\n", .missing),
        ("authorization: sk-1\r\n", .notBearer), ("authorization: Basic sk-1\r\n", .wrong),
        ("authorization: Bearer sk-2\r\n", .wrong), ("authorization: Bearer sk-11\r\n", .wrong),
        ("authorization: Bearer sk\r\n", .wrong), ("api-key: x\r\n", .wrong),
        ("x-litellm-api-key: x\r\nauthorization: Bearer sk-1\r\n", .wrong),
    ])
    func refusesEverythingElse(_ fields: String, _ refusal: Credentials.Refusal) {
        #expect(throws: refusal) { try check(fields) }
    }

    @Test func withoutAMasterKeyEverybodyMayCall() throws {
        try check("", key: nil)
    }
}
