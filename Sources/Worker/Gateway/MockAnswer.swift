internal import Shared

/// Answers for deployments with `mock_response`, in the shape of each endpoint. Pure.
///
/// The text is the configured one; token counts are the constants that the reference answers.
struct MockAnswer {
    let operation: Endpoint.Operation
    let text: String
    /// The public model name as a JSON string.
    let name: ByteBuffer
    /// Unique part of the answer's id.
    let id: String
    /// Seconds since 1970.
    let created: Int
    /// How many inputs an embedding request has.
    let inputs: Int

    func body(into buffer: ByteBuffer) {
        switch operation {
        case .chat:
            begin(buffer, "chatcmpl-", "chat.completion")
            buffer.append(
                ",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":"
                    as StaticString)
            buffer.append(json: text)
            buffer.append("}}]" as StaticString)
            buffer.append(Self.usage)
        case .completion:
            begin(buffer, "cmpl-", "text_completion")
            buffer.append(",\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"text\":" as StaticString)
            buffer.append(json: text)
            buffer.append("}]" as StaticString)
            buffer.append(Self.usage)
        case .embedding:
            buffer.append("{\"object\":\"list\",\"model\":" as StaticString)
            buffer.append(name.storage, name.readable)
            buffer.append(",\"data\":[" as StaticString)
            for index in 0..<max(1, inputs) {
                if index > 0 { buffer.append(ASCII.comma) }
                buffer.append("{\"object\":\"embedding\",\"index\":" as StaticString)
                buffer.append(decimal: index)
                buffer.append(",\"embedding\":[" as StaticString)
                for position in 0..<1536 { buffer.append(position == 0 ? "0.0" as StaticString : ",0.0") }
                buffer.append("]}" as StaticString)
            }
            buffer.append("],\"usage\":{\"prompt_tokens\":10,\"total_tokens\":10}}" as StaticString)
        case .response:
            response(buffer, status: "completed", hasText: true)
        }
    }

    /// Server-sent events, the end included.
    func events(into buffer: ByteBuffer) {
        switch operation {
        case .chat:
            chunk(buffer, "chat.completion.chunk", "\"delta\":{\"role\":\"assistant\",\"content\":", text, "}")
            chunk(buffer, "chat.completion.chunk", "\"delta\":{", nil, "}", isLast: true)
        case .completion:
            chunk(buffer, "text_completion", "\"text\":", text, "")
            chunk(buffer, "text_completion", "\"text\":", "", "", isLast: true)
        case .response: return responseEvents(buffer)
        case .embedding: return
        }
        buffer.append("data: [DONE]\n\n" as StaticString)
    }

    private static let usage = StaticString(
        ",\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30}}")

    private func begin(_ buffer: ByteBuffer, _ prefix: StaticString, _ object: StaticString) {
        buffer.append("{\"id\":\"" as StaticString)
        buffer.append(prefix)
        buffer.append(id)
        buffer.append("\",\"object\":\"" as StaticString)
        buffer.append(object)
        buffer.append("\",\"created\":" as StaticString)
        buffer.append(decimal: created)
        buffer.append(",\"model\":" as StaticString)
        buffer.append(name.storage, name.readable)
    }

    private func chunk(
        _ buffer: ByteBuffer, _ object: StaticString, _ opening: StaticString, _ text: String?, _ closing: StaticString,
        isLast: Bool = false
    ) {
        buffer.append("data: " as StaticString)
        begin(buffer, operation == .chat ? "chatcmpl-" : "cmpl-", object)
        buffer.append(",\"choices\":[{\"index\":0," as StaticString)
        buffer.append(opening)
        if let text { buffer.append(json: text) }
        buffer.append(closing)
        buffer.append(",\"finish_reason\":" as StaticString)
        buffer.append(isLast ? "\"stop\"" as StaticString : "null")
        buffer.append("}]}\n\n" as StaticString)
    }

    /// Every event that a client builds its answer from, in the order of the Responses API: the response, its one
    /// item, the item's one part, the text; then each of them done.
    private func responseEvents(_ buffer: ByteBuffer) {
        let place = "\"item_id\":\"msg_\(id)\",\"output_index\":0,\"content_index\":0,"
        event(buffer, 0, "response.created", "\"response\":") { response($0, status: "in_progress", hasText: false) }
        event(buffer, 1, "response.output_item.added", "\"output_index\":0,\"item\":") { item($0, hasText: false) }
        event(buffer, 2, "response.content_part.added", "\(place)\"part\":") { part($0, "") }
        event(buffer, 3, "response.output_text.delta", "\(place)\"logprobs\":[],\"delta\":") { $0.append(json: text) }
        event(buffer, 4, "response.output_text.done", "\(place)\"logprobs\":[],\"text\":") { $0.append(json: text) }
        event(buffer, 5, "response.content_part.done", "\(place)\"part\":") { part($0, text) }
        event(buffer, 6, "response.output_item.done", "\"output_index\":0,\"item\":") { item($0, hasText: true) }
        event(buffer, 7, "response.completed", "\"response\":") { response($0, status: "completed", hasText: true) }
    }

    /// `members` end with the key of the value that `write` appends.
    private func event(
        _ buffer: ByteBuffer, _ number: Int, _ type: String, _ members: String, _ write: (ByteBuffer) -> Void
    ) {
        buffer.append("event: \(type)\ndata: {\"type\":\"\(type)\",\"sequence_number\":\(number),\(members)")
        write(buffer)
        buffer.append("}\n\n" as StaticString)
    }

    private func item(_ buffer: ByteBuffer, hasText: Bool) {
        let status = hasText ? "completed" : "in_progress"
        buffer.append("{\"type\":\"message\",\"id\":\"msg_\(id)\",\"status\":\"\(status)\",\"role\":\"assistant\"")
        buffer.append(",\"content\":[" as StaticString)
        if hasText { part(buffer, text) }
        buffer.append("]}" as StaticString)
    }

    private func part(_ buffer: ByteBuffer, _ text: String) {
        buffer.append("{\"type\":\"output_text\",\"annotations\":[],\"text\":" as StaticString)
        buffer.append(json: text)
        buffer.append(0x7D)
    }

    private func response(_ buffer: ByteBuffer, status: String, hasText: Bool) {
        buffer.append(
            "{\"id\":\"resp_\(id)\",\"object\":\"response\",\"created_at\":\(created),\"status\":\"\(status)\"")
        buffer.append(",\"error\":null,\"incomplete_details\":null,\"instructions\":null,\"metadata\":{},\"model\":")
        buffer.append(name.storage, name.readable)
        buffer.append(",\"output\":[" as StaticString)
        if hasText { item(buffer, hasText: true) }
        buffer.append(
            "],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\",\"tools\":[],\"temperature\":1.0" as StaticString)
        buffer.append(",\"top_p\":1.0,\"usage\":" as StaticString)
        buffer.append(
            hasText
                ? "{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":20,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":30}}"
                    as StaticString : "null}")
    }
}
