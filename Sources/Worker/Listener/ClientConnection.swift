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
    public let head = MessageHead()
    /// Where the body lies in `input`, its framing taken out.
    public internal(set) var body = 0..<0

    private let server: HTTPServer
    /// What was in force when the request under way began.
    private(set) var settings: ServerSettings
    var isIdle = true
    private var isFinishing = false
    /// First byte of the next request.
    var next = 0
    var parser = HeadParser.request(limit: 0)
    var hasHead = false
    /// How the body of the latest request is framed.
    var framing = BodyFraming.none
    /// What answers the request under way while the task waits, and until when that may take.
    private var work: (any RequestWork)?
    private var answerDeadline = Instant.never
    /// What the task was woken for.
    private var need: Need?
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
        footprint.add(stream.readiness.reader)
    }

    /// Receives requests and has them answered, one after the other. What needs no waiting is done where it is noticed, in
    /// the turn of the loop (`mayRead`); the task is woken for the rest.
    func run() async {
        begin()
        serving: while true {
            let need = self.need ?? goOn()
            self.need = nil
            switch need {
            case .wait(let deadline):
                let wake = await stream.readiness.wait(
                    until: deadline, cancelledBy: cancellation, handledBy: self)
                if self.need == nil, wake != .ready {
                    guard let work else { break serving }
                    await finish(work, wake)
                }
            case .task(let work): await finish(work, .ready)
            case .restOfRequest:
                do throws(Stop) {
                    try await receiveRequest()
                    self.need = startAnswer()
                } catch {
                    self.need = Self.need(after: error)
                }
            case .refuse(let refusal):
                response.isLast = true
                await server.handler.refuse(self, refusal)
                break serving
            case .turn:
                served = 0
                await EventLoop.shared.turn()
            case .end: break serving
            }
        }
        await close()
    }

    /// What the task is needed for.
    private enum Need {
        /// Until something comes, for the client or for the work that answers it.
        case wait(until: Instant)
        case restOfRequest
        case refuse(RequestRefusal)
        case task(any RequestWork)
        /// Others come first.
        case turn
        case end
    }

    /// Takes what has come, and begins to have it answered.
    private func goOn() -> Need {
        if work != nil { return .wait(until: answerDeadline) }
        while input.isEmpty {
            switch receive() {
            case .bytes: break
            case .end: return .end
            case .wouldBlock:
                served = 0
                return .wait(until: EventLoop.now + settings.idleTimeout)
            }
        }
        served += 1
        if served > Self.mostAtOnce { return .turn }
        do throws(Stop) {
            guard try takeRequest() else { return .restOfRequest }
        } catch {
            return Self.need(after: error)
        }
        return startAnswer()
    }

    private static func need(after stop: Stop) -> Need {
        guard case .refuse(let refusal) = stop else { return .end }
        return .refuse(refusal)
    }

    private func startAnswer() -> Need {
        beginAnswer()
        switch server.handler.answer(self) {
        case .needsTask(let work): return .task(work)
        case .waits(let deadline, let work):
            self.work = work
            answerDeadline = deadline
            return .wait(until: deadline)
        }
    }

    private func finish(_ work: any RequestWork, _ wake: Wake) async {
        self.work = nil
        await work.finish(self, wake)
        if !endAnswer() { need = .end }
    }

    /// Whether the work that answers may go on alone: the task has not been woken.
    public var isWaiting: Bool { stream.readiness.reader.isWaiting }

    /// The work under way waits until `deadline` from now on.
    public func waits(until deadline: Instant) {
        answerDeadline = deadline
        stream.readiness.reader.wait(on: deadline)
    }

    /// The work under way needs the task.
    public func needsTask() {
        guard let work else { return }
        wake(for: .task(work))
    }

    /// The work under way has answered.
    public func isAnswered() {
        work = nil
        let need = endAnswer() ? goOn() : .end
        if case .wait(let deadline) = need { stream.readiness.reader.wait(on: deadline) } else { wake(for: need) }
    }

    private func wake(for need: Need) {
        self.need = need
        stream.readiness.reader.wake(.ready)
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
        guard server.isCrowded else { return }
        if input.count <= server.waitingShort.size {
            input.settle(in: server.waitingShort)
        } else {
            input.settle(in: server.waiting)
        }
    }

    /// False when the connection has to close.
    private func endAnswer() -> Bool {
        stream.readiness.whenHungUp = nil
        guard response.isComplete, !response.isLast, !isFinishing else { return false }
        // A hang-up is not cancelled twice: what came before it in the buffer may still be answered in vain.
        if cancellation.isCancelled { cancellation = Cancellation() }
        input.consume(next - input.start)
        input.shrink(to: 256 * 1024)
        if server.isCrowded { input.rest() }
        begin()
        return true
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

/// Requests are received and answered where they come, while the task waits in `run`.
extension ClientConnection: ReadHandler {
    public func mayRead() -> Instant? {
        let need = goOn()
        // A client that had hung up has woken the task meanwhile.
        if case .wait(let deadline) = need, isWaiting { return deadline }
        self.need = need
        return nil
    }
}
