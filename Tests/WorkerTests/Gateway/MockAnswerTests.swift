import Foundation
import Testing

@testable import Shared
@testable import Worker

@Suite struct MockAnswerTests {
    private func mock(_ operation: Endpoint.Operation, inputs: Int = 1) -> MockAnswer {
        let name = ByteBuffer(capacity: 16)
        name.append(json: "gpt-4")
        return MockAnswer(
            operation: operation, text: "a \"quoted\" text", name: name, id: "1", created: 1_700_000_000, inputs: inputs
        )
    }

    private func body(_ operation: Endpoint.Operation, inputs: Int = 1) throws -> [String: Any] {
        let buffer = ByteBuffer(capacity: 1024)
        mock(operation, inputs: inputs).body(into: buffer)
        let object = try JSONSerialization.jsonObject(with: Data(buffer.storage[buffer.readable]))
        return try #require(object as? [String: Any])
    }

    /// The data of each event; nil for `[DONE]`.
    private func events(_ operation: Endpoint.Operation) throws -> [[String: Any]?] {
        let buffer = ByteBuffer(capacity: 1024)
        mock(operation).events(into: buffer)
        let text = String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
        #expect(text.hasSuffix("\n\n"))
        return try text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { line in
            if line == "data: [DONE]" { return nil }
            return try JSONSerialization.jsonObject(with: Data(line.dropFirst(6).utf8)) as? [String: Any]
        }
    }

    @Test(arguments: Endpoint.Operation.allCases)
    func everyBodyIsJSONWithThePublicName(_ operation: Endpoint.Operation) throws {
        #expect(try body(operation)["model"] as? String == "gpt-4")
    }

    @Test func anEmbeddingHasAVectorForEachInput() throws {
        #expect((try body(.embedding, inputs: 3)["data"] as? [Any])?.count == 3)
    }

    @Test(arguments: [Endpoint.Operation.chat, .completion])
    func aStreamEndsWithAReasonAndDone(_ operation: Endpoint.Operation) throws {
        let events = try events(operation)
        #expect(events.count == 3 && events[2] == nil)
        let choices = events.compactMap { ($0?["choices"] as? [[String: Any]])?.first }
        #expect(choices.map { $0["finish_reason"] as? String } == [nil, "stop"])
    }

    /// SDKs build an answer from these alone, and stop at a part whose item they have not seen.
    @Test func aResponseNamesItemsAndPartsBeforeTheirText() throws {
        let events = try events(.response).compactMap { $0 }
        #expect(
            events.map { $0["type"] as? String } == [
                "response.created", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.done", "response.content_part.done",
                "response.output_item.done", "response.completed",
            ])
        #expect(events.map { $0["sequence_number"] as? Int } == Array(0..<8))
        #expect(events[3]["delta"] as? String == "a \"quoted\" text")
        let output = (events[7]["response"] as? [String: Any])?["output"] as? [[String: Any]]
        #expect((output?.first?["content"] as? [[String: Any]])?.first?["text"] as? String == "a \"quoted\" text")
    }
}
