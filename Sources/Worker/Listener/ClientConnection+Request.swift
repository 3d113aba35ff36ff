internal import Shared

/// How a request is received: its head, then its body, in whatever pieces they come.
extension ClientConnection {
    /// Why no request came.
    enum Stop: Error {
        case closed
        case refuse(RequestRefusal)
    }

    /// Takes a request that has come whole; false when more has to come.
    func takeRequest() throws(Stop) -> Bool {
        // Before it is parsed: a request that comes whole is no idle connection while it is answered.
        isIdle = false
        guard try takeHead() else { return false }
        try readFraming()
        return takeBody()
    }

    private func takeHead() throws(Stop) -> Bool {
        do throws(HTTPViolation) {
            hasHead = try parser.read(input.storage, input.readable, into: head)
            return hasHead
        } catch {
            throw .refuse(.violation(error))
        }
    }

    /// Receives the rest of a request whose first bytes have come.
    func receiveRequest() async throws(Stop) {
        let deadline = EventLoop.now + settings.headerTimeout
        while !hasHead {
            let count: Int
            do throws(StreamFailure) {
                count = try await stream.read(into: input, room: 1024, until: deadline, cancelledBy: cancellation)
            } catch {
                throw error == .deadline ? .refuse(.deadline(body: false)) : .closed
            }
            if count == 0 { throw .refuse(.cutOff) }
            _ = try takeHead()
        }
        try readFraming()
        if !takeBody() { try await receiveBody() }
    }

    private func readFraming() throws(Stop) {
        do throws(HTTPViolation) {
            if !head.isRepeated { framing = try BodyFraming.request(head, input.storage) }
            if case .length(let length) = framing, length > settings.bodyLimit { throw Self.tooLarge }
        } catch {
            throw .refuse(.violation(error))
        }
    }

    /// Takes a body that was received with its head, or none; false when more has to come.
    private func takeBody() -> Bool {
        switch framing {
        case .none, .untilClose: body = head.end..<head.end
        case .length(let length):
            guard input.count >= head.length + length else { return false }
            body = head.end..<head.end + length
        case .chunked: return false
        }
        next = body.upperBound
        return true
    }

    private func receiveBody() async throws(Stop) {
        try await sendContinue()
        guard case .length(let length) = framing else { return try await receiveChunks() }
        while input.count < head.length + length {
            // Room for a megabyte, and once that is there for all of the rest: what is not received yet costs nothing, so that
            // little is copied to grow, but who announces much has to send some of it first.
            let missing = head.length + length - input.count
            try await receiveMore(room: input.count < 1 << 20 ? min(missing, 1 << 20) : missing)
        }
        head.base = input.start
        _ = takeBody()
    }

    /// Takes the chunked coding out of the body in place: data moves to the front of `input`, behind the head.
    private func receiveChunks() async throws(Stop) {
        var decoder = ChunkedDecoder()
        // Counted from the head, for the buffer may move while more is received.
        var decoded = head.length
        var position = head.length
        decoding: while true {
            head.base = input.start
            do throws(HTTPViolation) {
                while true {
                    var absolute = head.base + position
                    let step = try decoder.next(input.storage, &absolute, input.end)
                    position = absolute - head.base
                    switch step {
                    case .data(let data):
                        guard decoded - head.length + data.count <= settings.bodyLimit else { throw Self.tooLarge }
                        input.move(data, to: head.base + decoded)
                        decoded += data.count
                        continue
                    case .end: break decoding
                    case .needsMore: break
                    }
                    break
                }
            } catch {
                throw .refuse(.violation(error))
            }
            // All received bytes are used: the framing among them makes room for more.
            input.truncate(to: head.base + decoded)
            position = decoded
            try await receiveMore(room: max(4096, input.count))
        }
        body = head.end..<head.base + decoded
        next = head.base + position
    }

    private static let tooLarge = HTTPViolation(.bodyTooLarge, "the request body is larger than this server accepts")

    private func receiveMore(room: Int) async throws(Stop) {
        let count: Int
        do throws(StreamFailure) {
            let deadline = EventLoop.now + settings.bodyTimeout
            count = try await stream.read(into: input, room: room, until: deadline, cancelledBy: cancellation)
        } catch {
            throw error == .deadline ? .refuse(.deadline(body: true)) : .closed
        }
        if count == 0 { throw .refuse(.cutOff) }
    }

    /// RFC 9110 §10.1.1: the client waits for leave to send the body, unless it has begun already.
    private func sendContinue() async throws(Stop) {
        guard input.count == head.length, head.minorVersion >= 1,
            head.lists(Token.continue100, in: .expect, input.storage)
        else { return }
        do throws(StreamFailure) {
            let bytes = HeadBytes.continue100
            try await stream.write(bytes, 0..<bytes.count, until: EventLoop.now + settings.writeTimeout)
        } catch {
            throw .closed
        }
    }
}
