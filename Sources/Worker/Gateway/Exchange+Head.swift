internal import Shared

/// The head of every answer, and answers that tell of a failure.
extension Exchange {
    private static let identity =
        Array(
            ("server: tagway/\(Product.version)\r\n" + "x-litellm-version: \(Product.referenceVersion)\r\n").utf8)
        + HeadFields.security + Array("x-litellm-call-id: ".utf8)
    /// Most answers come from the first deployment that is asked.
    private static var firstAttempt: StaticString {
        "x-litellm-attempted-retries: 0\r\nx-litellm-attempted-fallbacks: 0\r\nx-litellm-response-duration-ms: "
    }
    private static let allowOrigin = StaticString(
        "access-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\n"
    ).bytes

    /// Begins the head of an answer and writes what all answers carry, and `fields`, whole lines of what this one does.
    func beginHead(_ client: ClientConnection, _ status: Int, _ fields: [UInt8] = []) {
        self.status = status
        client.response.beginHead(status) { head in
            // Fetch §3.3: a page of any origin may read the answer; the key is what protects it.
            if client.head.has(.origin) { head.put(Self.allowOrigin) }
            head.put(Self.identity)
            head.put(callID)
            head.putLineEnd()
            head.put(fields)
        }
    }

    /// Writes which deployment served, how, and what it said itself.
    func appendAttempt(_ client: ClientConnection) {
        let total = EventLoop.now - begun
        let overhead = TimeSpan(nanoseconds: max(0, total.nanoseconds - upstreamTime.nanoseconds))
        client.response.buffer.write { head in
            if !asked.model.isEmpty {
                head.put("x-litellm-model-group: ")
                if let served { head.put(served) } else { head.put(fieldValue: asked.model) }
                head.putLineEnd()
            }
            guard let deployment, let generation else { return }
            head.put(generation.blocks[deployment].responseFields)
            if plan.retries == 0, plan.fallbacks == 0 {
                head.put(Self.firstAttempt)
            } else {
                head.put("x-litellm-attempted-retries: ")
                head.put(decimal: plan.retries)
                head.put("\r\nx-litellm-attempted-fallbacks: ")
                head.put(decimal: plan.fallbacks)
                head.put("\r\nx-litellm-response-duration-ms: ")
            }
            head.put(milliseconds: total)
            head.put("\r\nx-litellm-overhead-duration-ms: ")
            head.put(milliseconds: overhead)
            head.putLineEnd()
            head.put(providerFields)
        }
    }

    /// Answers with what `error` means, unless part of another answer has left.
    func fail(_ client: ClientConnection, _ error: GatewayError) async {
        let answer = error.answer
        self.error = answer.type
        guard !client.response.hasStarted else { return }
        beginHead(client, answer.status, HeadFields.json)
        let head = client.response.buffer
        appendAttempt(client)
        switch error {
        case .methodNotAllowed(let allow): head.append(field: "allow", allow)
        // RFC 9110 §11.6.1: a 401 names the scheme.
        case .credentials: head.append(field: "www-authenticate", "Bearer")
        default: break
        }
        if let retryAfter { head.append(field: "retry-after", (retryAfter.milliseconds + 999) / 1000) }
        gathered.removeAll()
        Self.write(answer, error, into: gathered)
        client.response.endHead(length: gathered.count)
        try? await client.response.finish(with: gathered)
    }

    private static func write(_ answer: GatewayError.Answer, _ error: GatewayError, into buffer: ByteBuffer) {
        var object = JSONObject(in: buffer)
        switch error {
        case .notFound, .methodNotAllowed, .noSuchModel:
            object.member("detail", answer.message)
        default:
            object.key("error")
            var inner = JSONObject(in: buffer)
            inner.member("message", answer.message)
            inner.member("type", answer.type)
            inner.member("param", answer.param)
            inner.member("code", String(answer.status))
            inner.end()
        }
        object.end()
    }

    /// The event that ends a stream which cannot go on; a client tells by the missing `[DONE]` as well.
    func appendErrorEvent(_ message: String, type: String) {
        gathered.append("data: " as StaticString)
        var object = JSONObject(in: gathered)
        object.key("error")
        var inner = JSONObject(in: gathered)
        inner.member("message", message)
        inner.member("type", type)
        inner.member("param", nil)
        inner.member("code", "500")
        inner.end()
        object.end()
        gathered.append("\n\n" as StaticString)
    }
}

extension ByteWriter {
    /// Text of a client as it may stand in a field: what could end the line becomes a blank.
    @inline(__always)
    fileprivate mutating func put(fieldValue text: ByteBuffer) {
        if !putPlain(text.storage, text.readable) { put(Self.cleaned(text)) }
    }

    @inline(never)
    private static func cleaned(_ text: ByteBuffer) -> [UInt8] {
        text.storage[text.readable].map { $0 < 0x20 || $0 == 0x7F ? ASCII.space : $0 }
    }
}
