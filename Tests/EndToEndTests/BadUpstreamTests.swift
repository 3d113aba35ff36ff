import Foundation
import Testing

@testable import mock_upstream

/// What an upstream can do wrong: each has its status and an OpenAI-shaped error, no broken connection is used again,
/// and the worker serves on.
@Suite struct BadUpstreamTests {
    private static func configuration(_ port: UInt16) -> String {
        """
        tagway: {access_log: false}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {num_retries: 0, timeout: 0.5, stream_timeout: 0.5, disable_cooldowns: true}
        model_list:
          - model_name: up
            litellm_params: {model: openai/upstream-name, api_key: sk-upstream, api_base: "http://127.0.0.1:\(port)/up/v1"}

        """
    }

    /// A preset of the upstream and the status that a client gets.
    private static let answers: [(String, Int)] = [
        ("400", 400), ("401", 401), ("404", 404), ("422", 422), ("429", 429), ("500", 500), ("503", 503),
        ("context", 400), ("content-filter", 400), ("reset", 502), ("reset-in-head", 502), ("close", 502),
        ("silent", 504), ("slow", 504), ("garbage", 502), ("malformed-json", 502), ("empty", 502),
        ("both-framings", 502),
        ("error-in-200", 502), ("redirect", 502), ("stall", 504), ("reset-in-body", 502), ("too-short", 502),
        ("bad-chunk", 502),
    ]

    @Test func eachFailureHasItsStatusAndPoisonsNoConnection() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let workers = try gateway.workers()
        let client = try PlainClient(port: gateway.port)
        for (preset, status) in Self.answers {
            // For every try: a pooled connection that ends without a byte is replaced by a fresh one.
            upstream.script("up", presets: [preset])
            let answer = try client.exchange(PlainClient.chat("up"))
            #expect(answer.status == status, "\(preset): \(answer.body)")
            let error = (try? JSONSerialization.jsonObject(with: Data(answer.body.utf8))) as? [String: Any]
            let members = try #require(error?["error"] as? [String: Any], "\(preset): \(answer.body)")
            #expect(members["message"] is String && members["type"] is String, "\(preset)")
            upstream.script("up", presets: ["ok"])
            let next = try client.exchange(PlainClient.chat("up"))
            #expect(next.status == 200 && next.body.contains("ok:up"), "after \(preset): \(next.body)")
        }
        #expect(try gateway.workers() == workers)
    }

    @Test func bytesBehindAnAnswerAreNeverTheNextOne() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        upstream.script("up", presets: ["too-long", "ok"])
        _ = try client.exchange(PlainClient.chat("up"))
        for _ in 0..<3 {
            let next = try client.exchange(PlainClient.chat("up"))
            #expect(next.status == 200 && next.body.contains("ok:up"), "\(next.body)")
        }
    }

    @Test func aRefusedConnectionIsABadGateway() throws {
        let upstream = try MockUpstream()
        upstream.shutDown()
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let answer = try PlainClient(port: gateway.port).exchange(PlainClient.chat("up"))
        #expect(answer.status == 502, "\(answer.body)")
    }

    @Test(arguments: ["cut", "cut-reset", "stalled", "error-event", "malformed-event"], [false, true])
    func aStreamThatBreaksEndsWithAnErrorAndWithoutDone(preset: String, isKept: Bool) throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        if isKept { try Self.leaveAConnection(gateway) }
        upstream.script("up", presets: [preset])
        let request = PlainClient.chat("up", stream: true)
            .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n")
        let client = try PlainClient(port: gateway.port)
        try client.send(request)
        let text = String(decoding: try client.readAll(), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 200"))
        #expect(text.contains("\"content\":\"ok\""))
        #expect(text.contains("data: {\"error\":"), "\(text)")
        #expect(!text.contains("[DONE]"))
    }

    /// Has the gateway keep a connection to its upstream.
    private static func leaveAConnection(_ gateway: SupervisedGateway) throws {
        #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("up")).status == 200)
    }

    private static func event(_ content: String) -> String {
        #"data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"#
            + "\"\(content)\"" + #"},"finish_reason":null}]}"# + "\n\n"
    }

    /// What a stream brings, whose body comes in one packet, cut into chunks as `chunks` says.
    private static func streamed(_ chunks: [String], behind end: String) throws -> String {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        let body = chunks.map { "\(String($0.utf8.count, radix: 16))\r\n\($0)\r\n" }.joined()
        let upstream = try RawUpstream([head + body + end])
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        try client.send(
            PlainClient.chat("up", stream: true)
                .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        return String(decoding: try client.readAll(), as: UTF8.self)
    }

    @Test func whatCameBeforeABrokenChunkIsTheClients() throws {
        let text = try Self.streamed(["one", "two", "three"].map(Self.event), behind: "no size\r\n")
        for content in ["one", "two", "three"] { #expect(text.contains("{\"content\":\"\(content)\"}"), "\(text)") }
        #expect(text.contains("data: {\"error\":"), "\(text)")
        #expect(!text.contains("[DONE]"))
    }

    @Test(arguments: [1, 7, 64, 200, 5000])
    func eventsDoNotDependOnHowTheyAreCutIntoChunks(size: Int) throws {
        let numbers = (0..<40).map { "number \($0)" }
        let body = (numbers.map(Self.event) + [Self.finish, "data: [DONE]\n\n"]).joined()
        let bytes = Array(body.utf8)
        let chunks = stride(from: 0, to: bytes.count, by: size).map { start in
            String(decoding: bytes[start..<min(start + size, bytes.count)], as: UTF8.self)
        }
        let text = try Self.streamed(chunks, behind: "0\r\n\r\n")
        let found = text.matches(of: /"content":"(number [0-9]+)"/).map { String($0.output.1) }
        #expect(found == numbers)
        #expect(text.matches(of: /"model":"up"/).count == 41 && !text.contains("\"model\":\"m\""))
        #expect(text.contains("data: [DONE]"))
    }

    private static let finish =
        #"data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"#
        + #""finish_reason":"stop"}]}"# + "\n\n"

    @Test func aMissingDoneIsAdded() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        upstream.script("up", presets: ["no-done"])
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        try client.send(
            PlainClient.chat("up", stream: true)
                .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        let text = String(decoding: try client.readAll(), as: UTF8.self)
        #expect(text.contains("data: [DONE]"))
        #expect(text.contains("\"model\":\"up\"") && !text.contains("\"upstream-name\""))
    }

    @Test func anEncodedAnswerPassesUntouched() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        upstream.script("up", presets: ["gzip"])
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        try client.send(
            PlainClient.chat("up").replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        let bytes = try client.readAll()
        let encoded = try #require(Behaviour.presets["gzip"]?.base64.flatMap { Data(base64Encoded: $0) })
        #expect(bytes.suffix(encoded.count) == [UInt8](encoded)[...])
        #expect(upstream.received().first?.headers["accept-encoding"] == "identity")
    }

    @Test(arguments: [false, true], [false, true])
    func aClientThatLeavesCancelsTheCallUpstream(stream: Bool, isKept: Bool) throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let text = Self.configuration(upstream.port).replacingOccurrences(of: "timeout: 0.5", with: "timeout: 60")
        let gateway = try SupervisedGateway(text, workers: 1)
        if isKept { try Self.leaveAConnection(gateway) }
        upstream.script("up", Behaviour { stream ? ($0.stallAfter = 1) : ($0.fault = .silent) })
        do {
            let client = try PlainClient(port: gateway.port)
            try client.send(PlainClient.chat("up", stream: stream))
            #expect(waitUntil(seconds: 10) { upstream.received().count == (isKept ? 2 : 1) })
            if stream { #expect(try client.readHead().status == 200) }
        }
        // Long before any deadline of the configuration.
        #expect(waitUntil(seconds: 10) { upstream.received().last?.hungUpAfter != nil })
    }
}
