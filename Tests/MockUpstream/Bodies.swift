import Foundation

/// OpenAI-shaped answers. Pure.
package enum Bodies {
    static let usage = #"{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}"#
    private static let head = #""created":1677652288,"model":"#

    static let gzipped =
        "H4sIAAAAAAACAy2LQQqAMAzA/tLzFBw4ZV8RD7MrON2saG/i363oMSS5IEXwgHMQLHuuCuMKBnhaCOUXNbIqksSbKjwoCOnUuK5zrbV9b6BwpKz5u1cfaDlzQjrBD+P9AGt5CVhoAAAA"

    static func error(_ message: String, type: String, code: String?) -> String {
        let code = code.map { "\"\($0)\"" } ?? "null"
        return #"{"error":{"message":"\#(message)","type":"\#(type)","param":null,"code":\#(code)}}"#
    }

    /// The whole answer to a request for `path`.
    static func whole(_ path: String, model: String, content: String) -> String {
        let start = "\(head)\"\(model)\""
        if path.hasSuffix("/embeddings") {
            return
                #"{"object":"list","model":"\#(model)","data":[{"object":"embedding","index":0,"embedding":[0.25,-0.5,0.125]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#
        }
        if path.hasSuffix("/chat/completions") {
            return
                #"{"id":"chatcmpl-mock","object":"chat.completion",\#(start),"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"\#(content)"}}],"usage":\#(usage)}"#
        }
        if path.hasSuffix("/completions") {
            return
                #"{"id":"cmpl-mock","object":"text_completion",\#(start),"choices":[{"index":0,"finish_reason":"stop","text":"\#(content)","logprobs":null}],"usage":\#(usage)}"#
        }
        if path.hasSuffix("/responses") { return response(model: model, content: content, status: "completed") }
        if path.hasSuffix("/models") {
            return
                #"{"object":"list","data":[{"id":"mock-model","object":"model","created":1677652288,"owned_by":"mock"}]}"#
        }
        return #"{"object":"mock"}"#
    }

    private static func response(model: String, content: String, status: String) -> String {
        #"{"id":"resp_mock","object":"response","created_at":1677652288,"model":"\#(model)","status":"\#(status)","output":[{"type":"message","id":"msg_mock","status":"completed","role":"assistant","content":[{"type":"output_text","text":"\#(content)","annotations":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"error":null,"incomplete_details":null,"instructions":null,"metadata":{},"temperature":1.0,"top_p":1.0,"usage":{"input_tokens":9,"output_tokens":12,"total_tokens":21,"input_tokens_details":{"cached_tokens":0},"output_tokens_details":{"reasoning_tokens":0}}}"#
    }

    /// The events of a stream without its end: each a whole event with its empty line.
    static func events(_ path: String, model: String, pieces: [String], usage wantsUsage: Bool) -> [String] {
        if path.hasSuffix("/responses") {
            let whole = pieces.joined()
            let first = response(model: model, content: "", status: "in_progress")
            let last = response(model: model, content: whole, status: "completed")
            let deltas = pieces.enumerated().map { number, piece in
                "event: response.output_text.delta\ndata: "
                    + #"{"type":"response.output_text.delta","sequence_number":\#(number + 1),"item_id":"msg_mock","output_index":0,"content_index":0,"logprobs":[],"delta":"\#(piece)"}"#
                    + "\n\n"
            }
            return [
                "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":\(first)}\n\n"
            ] + deltas + [
                "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":\(pieces.count + 1),\"response\":\(last)}\n\n"
            ]
        }
        let isChat = path.hasSuffix("/chat/completions")
        let start =
            isChat
            ? #"{"id":"chatcmpl-mock","object":"chat.completion.chunk",\#(head)"\#(model)""#
            : #"{"id":"cmpl-mock","object":"text_completion",\#(head)"\#(model)""#
        func event(_ choices: String, _ more: String = "") -> String {
            "data: \(start),\"choices\":[\(choices)]\(more)}\n\n"
        }
        var events = pieces.enumerated().map { number, piece in
            let role = number == 0 ? #""role":"assistant","# : ""
            return isChat
                ? event(#"{"index":0,"delta":{\#(role)"content":"\#(piece)"},"finish_reason":null}"#)
                : event(#"{"index":0,"text":"\#(piece)","finish_reason":null,"logprobs":null}"#)
        }
        events.append(
            isChat
                ? event(#"{"index":0,"delta":{},"finish_reason":"stop"}"#)
                : event(#"{"index":0,"text":"","finish_reason":"stop","logprobs":null}"#))
        if wantsUsage { events.append(event("", ",\"usage\":\(usage)")) }
        return events
    }
}
