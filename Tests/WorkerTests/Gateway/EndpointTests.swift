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
        let head = MessageHead()
        var parser = HeadParser.request(limit: 4096)
        #expect(try parser.read(bytes, 0..<bytes.count, into: head))
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

    /// The key never stands in a query: it would be in every log on the way.
    @Test func theFirstFieldPresentCounts() throws {
        try check("x-litellm-api-key: sk-1\r\nauthorization: Bearer wrong\r\n")
        try check("x-api-key: sk-1\r\nx-goog-api-key: wrong\r\n")
        #expect(throws: Credentials.Refusal.wrong) { try check("api-key: wrong\r\nx-api-key: sk-1\r\n") }
        #expect(throws: Credentials.Refusal.missing) { try check("authorization:\r\nx-api-key: sk-1\r\n") }
    }

    @Test(arguments: [
        ("sk-1", "sk-1", true), ("sk-1", "sk-2", false), ("sk-1", "sk-", false), ("sk-1", "sk-11", false),
        ("sk-1", "", false),
        ("sk-1", "sk-1sk-1", false), ("a", "aa", false), ("", "", false), ("", "x", false), ("sk-1", "SK-1", false),
        ("ab", "abab", false), ("é", "é", true),
    ])
    func keysAreEqualWhenEveryByteIs(_ secret: String, _ given: String, _ isEqual: Bool) {
        let bytes = Array("<\(given)>".utf8)
        #expect(Credentials.equal(Array(secret.utf8), bytes, 1..<bytes.count - 1) == isEqual)
    }

    /// Whatever differs, the comparison looks at the whole of what was given.
    @Test func everyDifferenceIsSeen() {
        let secret = Array("sk-0123456789abcdef".utf8)
        for position in secret.indices {
            for bit in 0..<8 {
                var other = secret
                other[position] ^= 1 << UInt8(bit)
                #expect(!Credentials.equal(secret, other, 0..<other.count))
            }
        }
    }

    @Test func withoutAMasterKeyEverybodyMayCall() throws {
        try check("", key: nil)
    }
}
