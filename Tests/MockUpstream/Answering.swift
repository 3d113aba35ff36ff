import Foundation

/// Performs a behaviour on a connection. Whether the connection can take another request afterwards.
struct Answering {
    let connection: Connection
    let request: Received
    let behaviour: Behaviour

    func run() -> Bool {
        guard connection.wait(behaviour.delay ?? 0) else { return false }
        switch behaviour.fault {
        case .reset?:
            connection.reset()
            return false
        case .resetInHead?:
            connection.send("HTTP/1.1 200 OK\r\ncontent-ty")
            // The bytes have to arrive before the reset overtakes them.
            connection.wait(0.05)
            connection.reset()
            return false
        case .close?: return false
        case .silent?: return connection.wait(nil)
        case .garbage?:
            connection.send("220 mail.example ESMTP ready\r\n")
            return false
        case .resetInBody?, .stall?, nil: break
        }
        let object = request.json
        if behaviour.refusesPrefill == true, let last = (object["messages"] as? [[String: Any]])?.last,
            last["role"] as? String == "assistant"
        {
            let text =
                "This model does not support assistant message prefill. The conversation must end with a user message."
            return whole(400, Array(Bodies.error(text, type: "invalid_request_error", code: nil).utf8))
        }
        let model = object["model"] as? String ?? "mock-model"
        let status = behaviour.status ?? 200
        if let body = behaviour.body { return whole(status, Array(body.utf8)) }
        if let base64 = behaviour.base64 { return whole(status, Array(Data(base64Encoded: base64) ?? Data())) }
        let isStream = object["stream"] as? Bool == true && status == 200
        let content =
            behaviour.size.map { String(repeating: "x", count: $0) } ?? behaviour.content ?? "ok:\(request.name)"
        if isStream { return stream(model: model, content: content) }
        return whole(status, Array(Bodies.whole(request.path, model: model, content: content).utf8))
    }

    private func head(_ status: Int, _ type: String) -> String {
        let fields = ["content-type": type].merging(behaviour.headers ?? [:]) { $1 }
        return "HTTP/1.1 \(status) Mock\r\n" + fields.sorted { $0.key < $1.key }.map { "\($0): \($1)\r\n" }.joined()
    }

    private func whole(_ status: Int, _ body: [UInt8]) -> Bool {
        let head = head(status, "application/json")
        let half = Array(body.prefix(body.count / 2))
        func chunk(_ size: String) -> [UInt8] { Array("\(size)\r\n".utf8) + body + Array("\r\n0\r\n\r\n".utf8) }
        let size = String(body.count, radix: 16)
        if behaviour.fault == .resetInBody || behaviour.fault == .stall {
            connection.send(Array("\(head)content-length: \(body.count)\r\n\r\n".utf8) + half)
            if behaviour.fault == .stall { return connection.wait(nil) }
            connection.wait(0.05)
            connection.reset()
            return false
        }
        switch behaviour.framing ?? .length {
        case .length: return connection.send(Array("\(head)content-length: \(body.count)\r\n\r\n".utf8) + body)
        case .chunked: return connection.send(Array("\(head)transfer-encoding: chunked\r\n\r\n".utf8) + chunk(size))
        case .both:
            return connection.send(
                Array("\(head)content-length: \(body.count)\r\ntransfer-encoding: chunked\r\n\r\n".utf8) + chunk(size))
        case .badChunk: connection.send(Array("\(head)transfer-encoding: chunked\r\n\r\n".utf8) + chunk("xyz"))
        case .close: connection.send(Array("\(head)connection: close\r\n\r\n".utf8) + body)
        case .tooShort: connection.send(Array("\(head)content-length: \(body.count + 10)\r\n\r\n".utf8) + body)
        case .tooLong:
            // What is too much would be the answer to the next request, if the connection were used for one.
            let next = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\npoisoned"
            return connection.send(Array("\(head)content-length: \(body.count)\r\n\r\n".utf8) + body + Array(next.utf8))
        }
        return false
    }

    private func stream(model: String, content: String) -> Bool {
        let wantsUsage = (request.json["stream_options"] as? [String: Any])?["include_usage"] as? Bool == true
        let count = behaviour.pieces ?? 2
        let pieces = (0..<count).map { number in
            behaviour.pieces == nil
                ? (number == 0 ? String(content.prefix(2)) : String(content.dropFirst(2))) : "n\(number)n"
        }
        let isChunked = behaviour.framing != .close
        connection.send(
            head(200, "text/event-stream")
                + (isChunked ? "transfer-encoding: chunked\r\n\r\n" : "connection: close\r\n\r\n"))
        func send(_ event: String) -> Bool {
            connection.send(isChunked ? "\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n" : event)
        }
        for (number, event) in Bodies.events(request.path, model: model, pieces: pieces, usage: wantsUsage).enumerated()
        {
            if behaviour.cutAfter == number { return false }
            if behaviour.resetAfter == number {
                connection.wait(0.05)
                connection.reset()
                return false
            }
            if behaviour.stallAfter == number { return connection.wait(nil) }
            if behaviour.malformedAfter == number, !send("data: {not json\n\n") { return false }
            if behaviour.errorAfter == number {
                return send("data: \(Bodies.error("mock stream error", type: "server_error", code: nil))\n\n")
                    && finish(isChunked)
            }
            guard send(event), connection.wait(behaviour.pace ?? 0) else { return false }
        }
        if behaviour.done != false, !request.path.hasSuffix("/responses"), !send("data: [DONE]\n\n") { return false }
        return finish(isChunked)
    }

    private func finish(_ isChunked: Bool) -> Bool {
        isChunked ? connection.send("0\r\n\r\n") : false
    }
}
