public import Shared

/// One client: reads a request, has it answered, and goes on to the next while the connection lives.
///
/// A request is received whole before it is answered: the model may be the last member of its body. The bytes of
/// head and body stay in `input` until the answer is complete. Knows nothing of models.
@Loop public final class ClientConnection {
    public let stream: ByteStream
    public let input: ByteBuffer
    public let response: ResponseWriter
    /// Ends when the client goes away, or is told to finish: whatever is done for it has become pointless.
    public private(set) var cancellation = Cancellation()
    public private(set) var head = MessageHead()
    /// Where the body lies in `input`, its framing taken out.
    public private(set) var body = 0..<0

    private let server: HTTPServer
    /// What was in force when the request under way began.
    private var settings: ServerSettings
    private var isIdle = true
    private var isFinishing = false
    /// First byte of the next request.
    private var next = 0
    private var parser = HeadParser.request(limit: 0)
    private var hasHead = false
    /// How the body of the latest request is framed.
    private var framing = BodyFraming.none
    /// Requests answered since it last let others go first.
    private var served = 0
    /// How many requests that have come at once are answered before other connections get their turn.
    private static let mostAtOnce = 16

    init(_ stream: ByteStream, server: HTTPServer) {
        self.stream = stream
        self.server = server
        settings = server.settings
        input = ByteBuffer(from: server.inputs)
        response = ResponseWriter(stream, date: server.date, buffers: server.outputs)
    }

    /// Whether the exchange was cut because the process has to go, not because the client left.
    public var wasToldToFinish: Bool { isFinishing }

    /// What sending a piece of an answer touches.
    public func addParts(to footprint: inout Footprint) {
        footprint.add(self)
        footprint.add(response)
        footprint.add(response.buffer)
        footprint.add(stream)
        footprint.add(stream.readiness)
    }

    /// Receives requests and has them answered, one after the other. What has come is taken at once; only what has not is
    /// waited for.
    func run() async {
        serving: while true {
            begin()
            while input.isEmpty {
                switch receive() {
                case .bytes: break
                case .end: break serving
                case .wouldBlock:
                    served = 0
                    let deadline = EventLoop.now + settings.idleTimeout
                    let wake = await stream.receiver.wait(until: deadline, cancelledBy: cancellation)
                    guard wake == .ready else { break serving }
                }
            }
            served += 1
            if served > Self.mostAtOnce {
                served = 1
                await EventLoop.shared.turn()
            }
            do throws(Stop) {
                if try !takeRequest() { try await receiveRequest() }
            } catch {
                guard case .refuse(let refusal) = error else { break serving }
                response.isLast = true
                await server.handler.refuse(self, refusal)
                break serving
            }
            beginAnswer()
            await server.handler.answer(self)
            guard endAnswer() else { break serving }
        }
        await close()
    }

    private func begin() {
        settings = server.settings
        response.begin(writeTimeout: settings.writeTimeout)
        parser = .request(limit: settings.headerLimit)
        hasHead = false
        isIdle = input.isEmpty
    }

    /// A connection that fails between requests has ended.
    private func receive() -> ReadOutcome {
        do throws(StreamFailure) {
            return try stream.receive(into: input, room: 1024)
        } catch {
            return .end
        }
    }

    private func beginAnswer() {
        if stream.readiness.isHungUp { cancellation.cancel() }
        stream.readiness.whenHungUp = cancellation
        if server.isDraining || !head.keepsAlive(input.storage) { response.isLast = true }
        response.isHead = head.method == .head
        response.minorVersion = head.minorVersion
        input.settle(in: input.count <= server.waitingShort.size ? server.waitingShort : server.waiting)
    }

    /// False when the connection has to close.
    private func endAnswer() -> Bool {
        stream.readiness.whenHungUp = nil
        guard response.isComplete, !response.isLast, !isFinishing else { return false }
        // A hang-up is not cancelled twice: what came before it in the buffer may still be answered in vain.
        if cancellation.isCancelled { cancellation = Cancellation() }
        input.consume(next - input.start)
        input.shrink(to: 256 * 1024)
        input.rest()
        return true
    }

    /// Why no request came.
    private enum Stop: Error {
        case closed
        case refuse(RequestRefusal)
    }

    /// Takes a request that has come whole; false when more has to come.
    private func takeRequest() throws(Stop) -> Bool {
        // Before it is parsed: a request that comes whole is no idle connection while it is answered.
        isIdle = false
        guard try takeHead() else { return false }
        try readFraming()
        return takeBody()
    }

    private func takeHead() throws(Stop) -> Bool {
        do throws(HTTPViolation) {
            hasHead = try parser.read(input.storage, input.readable, into: &head)
            return hasHead
        } catch {
            throw .refuse(.violation(error))
        }
    }

    /// Receives the rest of a request whose first bytes have come.
    private func receiveRequest() async throws(Stop) {
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

    /// Closes so that the client can read the answer to the end: data still coming in at a closed socket would
    /// make the kernel answer with a reset, which discards what the client has not read yet. RFC 9112 §9.6.
    private func close() async {
        if response.isComplete, !stream.readiness.isHungUp {
            stream.finishSending()
            let deadline = EventLoop.now + .seconds(2)
            var left = 256 * 1024
            while left > 0 {
                input.removeAll()
                guard let count = try? await stream.read(into: input, room: 2048, until: deadline), count > 0 else {
                    break
                }
                left -= count
            }
        }
        stream.close()
    }

    /// Unless a request waits in the socket: a loop that was held up may be asked before it has read what came.
    func closeIfIdle() {
        if isIdle, !Socket.hasUnread(stream.number) { cancellation.cancel() }
    }

    func finish() {
        isFinishing = true
        cancellation.cancel()
    }
}
