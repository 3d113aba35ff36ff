import Foundation
import Testing

/// A client that reads late gets what one gets that reads at once: nothing twice, nothing lost.
@Suite struct SlowReaderTests {
    @Test func aStreamWaitsForItsReader() throws {
        let text = String(repeating: "x", count: 100_000)
        // More than the sockets on the way hold, in events of which a part is sent, too.
        let events = (0..<160).map { id in
            #"data: {"id":"\#(id)","model":"m","choices":[{"delta":{"content":"\#(text)"}}]}"#
        }
        let body = events.map { "\($0)\n\n" }.joined() + "data: [DONE]\n\n"
        let upstream = try RawUpstream([
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n\(body)"
        ])
        let gateway = try SupervisedGateway(
            """
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: up
                litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "http://127.0.0.1:\(upstream.port)/v1"}

            """, workers: 1)
        let client = try PlainClient(port: gateway.port)
        // To a client of HTTP/1.0 a stream comes without chunks.
        let request = PlainClient.chat("up", stream: true)
        try client.send(request.replacingOccurrences(of: "HTTP/1.1", with: "HTTP/1.0"))
        #expect(try client.readHead().status == 200)
        usleep(500_000)
        let received = try client.readAll()
        let expected = Array(body.replacingOccurrences(of: #""model":"m""#, with: #""model":"up""#).utf8)
        #expect(received.count == expected.count)
        #expect(received == expected)
    }
}
