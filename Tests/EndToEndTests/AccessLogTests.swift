import Foundation
import Testing

/// What the access log says is what the client got.
@Suite(.serialized) struct AccessLogTests {
    private static let configuration = """
        general_settings: {master_key: \(PlainClient.key)}
        model_list:
          - model_name: quick
            model_info: {id: quick-1}
            litellm_params: {model: openai/quick, api_key: sk-upstream, mock_response: quick}

        """

    /// The bytes of the whole answer, the connection closing behind it.
    private func bytes(_ gateway: SupervisedGateway, _ request: String) throws -> Int {
        let client = try PlainClient(port: gateway.port)
        try client.send(request.replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        return try client.readAll().count
    }

    @Test func aLineCountsEveryByteOfItsAnswer() throws {
        let gateway = try SupervisedGateway(Self.configuration, workers: 1)
        var sizes = [try bytes(gateway, PlainClient.chat("quick"))]
        sizes.append(try bytes(gateway, PlainClient.chat("quick", stream: true)))
        sizes.append(try bytes(gateway, PlainClient.chat("unknown")))
        sizes.append(try bytes(gateway, "GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\n\r\n"))
        #expect(waitUntil(seconds: 5) { gateway.accessLines().count == sizes.count })
        let lines = gateway.accessLines()
        #expect(lines.map { $0["bytes"] as? Int } == sizes)
        #expect(lines.map { $0["status"] as? Int } == [200, 200, 400, 401])
        #expect(lines.map { $0["deployment"] as? String } == ["quick-1", "quick-1", nil, nil])
        #expect(lines.map { $0["stream"] as? Bool } == [nil, true, nil, nil])
    }

    /// Lines are gathered for some milliseconds; with nothing else to do the loop would wait for longer.
    @Test func aLineDoesNotWaitForTheNextRequest() throws {
        let gateway = try SupervisedGateway(Self.configuration, workers: 1)
        let client = try PlainClient(port: gateway.port)
        for count in 1...5 {
            #expect(try client.exchange(PlainClient.chat("quick")).status == 200)
            #expect(waitUntil(seconds: 0.5) { gateway.accessLines().count == count })
        }
    }
}
