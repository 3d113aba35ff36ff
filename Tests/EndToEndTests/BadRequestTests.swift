import Foundation
import Testing

/// What a client can do wrong: each has its status and an OpenAI-shaped error, and the worker serves on.
@Suite struct BadRequestTests {
    private static let configuration = """
        tagway: {access_log: false, body_bytes: 4096, client_header_timeout: 0.3, client_body_timeout: 0.3}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {enable_tag_filtering: true}
        model_list:
          - model_name: quick
            litellm_params: {model: openai/quick, api_key: sk-upstream, mock_response: quick, tags: [free]}

        """

    /// One request and what it gets.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let request: String
        let status: Int
        let closes: Bool
        var testDescription: String { name }

        /// A request in raw bytes.
        init(_ name: String, _ status: Int, raw request: String, closes: Bool = true) {
            (self.name, self.request, self.status, self.closes) = (name, request, status, closes)
        }

        /// A chat request with that body.
        init(_ name: String, _ status: Int, body: String, key: String? = PlainClient.key) {
            let authorization = key.map { "authorization: Bearer \($0)\r\n" } ?? ""
            self.init(
                name, status,
                raw: "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\(authorization)content-length: "
                    + "\(body.utf8.count)\r\n\r\n\(body)",
                closes: false)
        }

        /// A request for the models with those lines behind its first.
        init(_ name: String, _ status: Int, lines: String) {
            self.init(name, status, raw: "POST /v1/chat/completions HTTP/1.1\r\n\(lines)\r\n")
        }
    }

    private static let messages = #""messages":[{"role":"user","content":"hi"}]"#

    static let cases = [
        Case("no JSON", 400, body: "{not json"),
        Case("an array", 400, body: "[1]"),
        Case("nothing", 400, body: ""),
        Case("data behind the end", 400, body: #"{"model":"quick",\#(messages)} x"#),
        Case("a number as model", 400, body: #"{"model":3,\#(messages)}"#),
        Case("no model", 400, body: "{\(messages)}"),
        Case("no messages", 400, body: #"{"model":"quick"}"#),
        Case("text as messages", 400, body: #"{"model":"quick","messages":"hi"}"#),
        Case("an unknown model", 400, body: #"{"model":"nobody",\#(messages)}"#),
        Case("text as tags", 400, body: #"{"model":"quick","tags":"free",\#(messages)}"#),
        Case("numbers as tags", 400, body: #"{"model":"quick","tags":[1],\#(messages)}"#),
        Case("a tag nobody has", 401, body: #"{"model":"quick","tags":["gold"],\#(messages)}"#),
        Case("no key", 401, body: #"{"model":"quick",\#(messages)}"#, key: nil),
        Case("a wrong key", 401, body: #"{"model":"quick",\#(messages)}"#, key: "sk-wrong"),
        Case("a body too large", 413, lines: "host: x\r\ncontent-length: 4097\r\n"),
        Case("a header too large", 431, lines: "host: x\r\nx: \(String(repeating: "x", count: 70_000))\r\n"),
        Case("both framings", 400, lines: "host: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n"),
        Case("two lengths", 400, lines: "host: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n"),
        Case("a signed length", 400, lines: "host: x\r\ncontent-length: +3\r\n"),
        Case("a list of lengths", 400, lines: "host: x\r\ncontent-length: 3, 4\r\n"),
        Case("a folded line", 400, lines: "host: x\r\na: b\r\n c\r\n"),
        Case("a blank before the colon", 400, lines: "host: x\r\na : b\r\n"),
        Case("a bare line feed", 400, lines: "host: x\na: b\r\n"),
        Case("a bare carriage return", 400, lines: "host: x\r\na: b\rc\r\n"),
        Case("a zero byte", 400, lines: "host: x\r\na: b\0c\r\n"),
        Case("no host", 400, lines: ""),
        Case("two hosts", 400, lines: "host: x\r\nhost: y\r\n"),
        Case("a chunk without a size", 400, lines: "host: x\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n"),
        Case("an unknown version", 505, raw: "GET / HTTP/2.0\r\nhost: x\r\n\r\n"),
        Case("half a head", 408, raw: "POST /v1/chat/completions HTTP/1.1\r\nhos"),
        Case(
            "half a body", 408, raw: "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{\"mo"),
    ]

    @Test func eachMistakeHasItsAnswerAndTheWorkerServesOn() throws {
        let gateway = try SupervisedGateway(Self.configuration, workers: 1)
        let workers = try gateway.workers()
        for one in Self.cases {
            let client = try PlainClient(port: gateway.port)
            let answer = try client.exchange(one.request)
            #expect(answer.status == one.status, "\(one.name): \(answer.body)")
            let error = (try? JSONSerialization.jsonObject(with: Data(answer.body.utf8))) as? [String: Any]
            let members = try #require(error?["error"] as? [String: Any], "\(one.name)")
            #expect((members["message"] as? String)?.isEmpty == false, "\(one.name)")
            #expect(members["type"] is String && members.keys.contains("param") && members.keys.contains("code"))
            #expect((answer.headers["connection"] == "close") == one.closes, "\(one.name)")
            if one.closes {
                #expect(throws: PlainClient.Failure.closed, "\(one.name)") { try client.readHead() }
            } else {
                #expect(try client.exchange(PlainClient.chat("quick")).status == 200, "\(one.name)")
            }
        }
        #expect(try gateway.workers() == workers)
    }

    @Test func aClientThatLeavesWithinItsRequestCostsNothing() throws {
        let gateway = try SupervisedGateway(Self.configuration, workers: 1)
        let workers = try gateway.workers()
        for part in ["POST /v1/ch", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"] {
            try PlainClient(port: gateway.port).send(part)
        }
        #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
        #expect(try gateway.workers() == workers)
    }

    @Test func requestsInOneGoAreAnsweredInTheirOrder() throws {
        let gateway = try SupervisedGateway(Self.configuration, workers: 1)
        let client = try PlainClient(port: gateway.port)
        try client.send(PlainClient.chat("nobody") + PlainClient.chat("quick"))
        #expect(try client.exchange("").status == 400)
        #expect(try client.exchange("").status == 200)
        let body = #"{"model":"quick",\#(Self.messages)}"#
        let half = body.prefix(20)
        let rest = body.dropFirst(20)
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n"
        let chunks = [half, rest].map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined()
        #expect(try client.exchange("\(head)transfer-encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n").status == 200)
        try client.send("\(head)expect: 100-continue\r\ncontent-length: \(body.utf8.count)\r\n\r\n")
        #expect(try client.readHead().status == 100)
        #expect(try client.exchange(body).status == 200)
    }
}
