import Testing

@testable import Shared
@testable import Worker

/// Until which event of a stream another deployment may still answer.
@Suite struct EventContentTests {
    @Test(arguments: [
        #"[]"#, #"[{}]"#, #"[1]"#, #"{}"#, #"null"#, #"[{"index":0}]"#, #"[{"delta":{}}]"#,
        #"[{"delta":{"role":"assistant"},"finish_reason":null}]"#, #"[{"delta":{"role":"assistant","content":""}}]"#,
        #"[{"delta":{"content":null,"tool_calls":[],"refusal":null}}]"#, #"[{"delta":null}]"#, #"[{"delta":"x"}]"#,
        #"[{"text":""}]"#, #"[{"text":null,"finish_reason":null,"logprobs":null}]"#, #"[{"finish_reason":""}]"#,
        #"[{"delta":{"content":""}},{"delta":{"role":"assistant"}}]"#, #"[{"delta":{"content":{}}}]"#,
        #"[{"delta":{"tool_calls":[ ],"content":{ }}}]"#, "[{\"delta\":{\"tool_calls\":[\n\t]}}]",
    ])
    func saysNothing(_ choices: String) {
        #expect(!isThere(choices))
    }

    @Test(arguments: [
        #"[{"delta":{"content":"a"}}]"#, #"[{"delta":{"role":"assistant","content":" "}}]"#,
        #"[{"delta":{"content":"a","role":"assistant"}}]"#, #"[{"delta":{"content":"","reasoning_content":"a"}}]"#,
        #"[{"delta":{"tool_calls":[{"index":0}]}}]"#, #"[{"delta":{"refusal":"no"}}]"#, #"[{"text":"a"}]"#,
        #"[{"delta":{},"finish_reason":"stop"}]"#, #"[{"finish_reason":"stop","delta":{}}]"#,
        #"[{"finish_reason":"stop","text":""}]"#, #"[{"delta":{"content":""}},{"delta":{"content":"a"}}]"#,
        #"[ { "index" : 0 , "delta" : { "content" : "a" } } ]"#, #"[{"d\u0065lta":{"content":"a"}}]"#,
        #"[{"delta":{"tool_calls":[ 1 ]}}]"#, #"[{"delta":{"x":{ "a":1}}}]"#,
    ])
    func saysSomething(_ choices: String) {
        #expect(isThere(choices))
    }

    @Test(arguments: [
        ("response.created", true), ("response.in_progress", true), ("response.queued", true),
        ("response.output_item.added", false), ("response.output_text.delta", false), ("response.completed", false),
        ("", false), ("response.created.x", false),
    ])
    func someResponseEventsOnlySayThatItExists(_ type: String, _ isBeginning: Bool) {
        let bytes = Array("x\"\(type)\"x".utf8)
        #expect(EventContent.isBeginning(bytes, 1..<bytes.count - 1) == isBeginning)
    }

    private func isThere(_ choices: String) -> Bool {
        let bytes = Array("<\(choices)>".utf8)
        return EventContent.isThere(bytes, 1..<bytes.count - 1)
    }
}
