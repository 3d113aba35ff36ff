import Testing

@testable import mock_upstream

/// Heads that follow each other on a connection are mostly the same, and what was made of one is used again.
@Suite struct RepeatedHeadTests {
    @Test(arguments: [false, true])
    func whatAnUpstreamSaysIsToldWhetherItChangesOrNot(isStream: Bool) throws {
        let tier = try FailingTier([.first], process: "workers: 1", workers: 1)
        defer { tier.end() }
        let said = ["one", "one", "one", "two", "one", "one", "", "", "", "two", "two", "two"]
        for part in [said, said.reversed()] {
            tier.upstream.script(
                "first", part.map { text in Behaviour { $0.headers = text.isEmpty ? [:] : ["x-said": text] } })
            for (number, text) in part.enumerated() {
                let head = isStream ? try tier.stream().head : try tier.ask()
                #expect(head.status == 200)
                #expect(head.headers["llm_provider-x-said"] == (text.isEmpty ? nil : text), "answer \(number)")
            }
        }
        // The end of a stream's framing may come after the next request.
        #expect(isStream || tier.upstream.connections == 1)
    }
}
