import Foundation
import Testing

@testable import mock_upstream

/// What a worker costs does not depend on how much it has served.
@Suite struct MemoryTests {
    @Test func tenThousandRequestsAddNoThreadAndNoMemory() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(
            """
            tagway: {access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: up
                litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "http://127.0.0.1:\(upstream.port)/up/v1"}
              - model_name: here
                litellm_params: {model: openai/m, api_key: sk-upstream, mock_response: here}

            """, workers: 1)
        let worker = try #require(try gateway.workers().first)
        let client = try PlainClient(port: gateway.port)
        // One in ten goes upstream: it is this process that pays for those.
        func ask(_ count: Int) throws {
            for number in 0..<count {
                let request = PlainClient.chat(number % 10 == 0 ? "up" : "here", stream: false)
                try #require(try client.exchange(request).status == 200)
            }
        }
        try ask(2000)
        let before = try WorkerMemory(worker)
        try ask(8000)
        let after = try WorkerMemory(worker)
        // An address needs no resolver, so that there is no thread but the loop's.
        #expect(before.threads == 1 && after.threads == 1)
        #expect(Double(after.resident) < 1.1 * Double(before.resident), "\(before) \(after)")
        #expect(try gateway.workers() == [worker])
    }

    @Test func aNameAddsAtMostTheThreadOfTheResolver() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(
            """
            tagway: {access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: up
                litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "http://localhost:\(upstream.port)/up/v1"}

            """, workers: 1)
        let client = try PlainClient(port: gateway.port)
        for _ in 0..<20 { #expect(try client.exchange(PlainClient.chat("up")).status == 200) }
        #expect(try WorkerMemory(try #require(try gateway.workers().first)).threads <= 2)
    }

    /// What a stream that waits for its next event holds: its task, its request, its two connections. Buffers, and what is
    /// needed to read events, are there once for all.
    @Test func aQuietStreamHoldsLittle() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        upstream.script("up", presets: ["stalled"])
        let gateway = try SupervisedGateway(
            """
            tagway: {access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: up
                litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "http://127.0.0.1:\(upstream.port)/up/v1"}

            """, workers: 1)
        let worker = try #require(try gateway.workers().first)
        var clients: [PlainClient] = []
        // The second event never comes.
        func open(_ count: Int) throws {
            for _ in 0..<count {
                let client = try PlainClient(port: gateway.port)
                try client.send(PlainClient.chat("up", stream: true))
                try #require(try client.readHead().status == 200)
                var line = ""
                while !line.hasPrefix("data: ") { line = try client.readLine() }
                clients.append(client)
            }
        }
        // Few connections keep what they need for the next request.
        try open(160)
        let before = try WorkerMemory(worker)
        try open(240)
        let each = (try WorkerMemory(worker).anonymous - before.anonymous) / 240
        #expect(each < 22 << 10, "\(each) bytes a stream")
    }

    /// Large bodies on many connections, then nothing but the connections.
    @Test func whatAPeakHasNeededGoesBack() throws {
        let gateway = try SupervisedGateway(
            """
            tagway: {access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: here
                litellm_params: {model: openai/m, api_key: sk-upstream, mock_response: here}

            """, workers: 1)
        let worker = try #require(try gateway.workers().first)
        let clients = try (0..<24).map { _ in try PlainClient(port: gateway.port) }
        let text = String(repeating: "a", count: 1 << 20)
        let body = #"{"model":"here","messages":[{"role":"user","content":"\#(text)"}]}"#
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n"
        for client in clients {
            #expect(try client.exchange(PlainClient.chat("here")).status == 200)
        }
        let before = try WorkerMemory(worker).anonymous
        // All of them are half there at once.
        for client in clients {
            try client.send("\(head)content-length: \(body.utf8.count)\r\n\r\n\(body.prefix(1 << 20))")
        }
        for client in clients {
            try client.send(String(body.dropFirst(1 << 20)))
            #expect(try client.readAnswer().status == 200)
        }
        let peak = try WorkerMemory(worker).anonymous
        #expect(peak > before + 20 << 20, "\(before) \(peak)")
        #expect(waitUntil(seconds: 20) { ((try? WorkerMemory(worker).anonymous) ?? peak) < before + 4 << 20 })
        for client in clients {
            #expect(try client.exchange(PlainClient.chat("here")).status == 200)
        }
    }
}
