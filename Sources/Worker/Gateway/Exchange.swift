internal import Shared

/// The story of one request, top to bottom: who calls, what for, which deployment, attempts, answer.
///
/// Reused from request to request, so that a request allocates next to nothing. Its parts: the head of every answer
/// is in `Exchange+Head`, who is asked in `Exchange+Routing`, one attempt at a deployment in
/// `Exchange+Attempt`, what it brings in `Exchange+Arrival`, `Exchange+Answer` and `Exchange+Stream`, the answers that need no
/// deployment in `Exchange+Local`.
@Loop final class Exchange {
    /// Which keeps it while nobody is served: both live as long as the process.
    let gateway: Gateway
    var generation: Generation?

    // What the request asks for.
    let asked: Inquiry
    let callID = ByteBuffer(capacity: 64)
    /// Whether it is for a model, not for us.
    private var isCall = false
    private var path: Range<Int>?

    // What was decided.
    var resolution: RoutingTable.Resolution?
    var allowed: [Int32] = []
    var reason: TagFilter.Reason?
    var plan = AttemptPlan()
    var chain = FallbackChain()
    /// How the group that is asked now has been reached (nil: it is the one asked for), whether there is more to try in it,
    /// and how it has failed last.
    var step: FallbackChain.Step?
    var isGroupOpen = false
    var groupFailure = FallbackTable.Kind.general
    /// The name of the group that answers, where it is not the one asked for.
    var served: [UInt8]?
    /// The deployment of the latest attempt, and its right to that.
    var deployment: Int?
    var admission = Admission()
    var firstFailure: FirstFailure?

    /// What to do next for an answer.
    private var move = Move.attempt(0)
    /// Instead of a move: what needs no deployment, or has failed before one was chosen.
    private var rest: Rest?
    private enum Rest { case local(Endpoint), failure(GatewayError) }
    /// The attempt under way, and its connection once one was lent or dialled.
    var attempt: Attempt?
    var connection: UpstreamConnection?
    /// What the attempt has met before the client's task could deal with it.
    var attemptFailure: UpstreamFailure?
    var answerBegun: AnswerBegun?
    /// Whose request it is, while his task waits for something else than we do.
    var client: ClientConnection?

    // What came of it.
    var outbound: OutboundRequest
    var body: Answer
    var events: EventStream
    /// Field lines of the upstream's answer, for the client.
    let providerFields: ByteBuffer
    /// How a compressed answer is to be read; empty for a plain one.
    let encodingFields = ByteBuffer(capacity: 0)
    /// What was received of a body, or is to be sent of one.
    let gathered: ByteBuffer
    /// While events are passed on.
    var stream: EventWay?
    var status = 0
    var error: String?
    var retryAfter: TimeSpan?
    var begun = Instant(nanoseconds: 0)
    var attemptBegun = Instant(nanoseconds: 0)
    /// When the request's own limit ends the attempt, before the deployment has had half of the time that it is given: a
    /// timeout then is not the deployment's failure.
    var patience: Instant?
    /// Since when an upstream has the word.
    var upstreamBegun: Instant?
    /// Time in which an upstream had the word.
    var upstreamTime = TimeSpan(nanoseconds: 0)
    private var place = WorkerBoard.untracked
    let pause = Waiter()

    init(_ gateway: Gateway) {
        self.gateway = gateway
        asked = Inquiry(gateway.requestTemplates)
        outbound = OutboundRequest(from: gateway.requests)
        body = Answer(scratch: gateway.scratch)
        events = EventStream(scratch: gateway.scratch, buffers: gateway.requests)
        providerFields = ByteBuffer(from: gateway.requests)
        gathered = ByteBuffer(from: gateway.answers)
    }

    /// Answers the request of a client as far as that goes without waiting: most requests wait for their upstream only, and
    /// what that says is dealt with where it comes (`cameToRead`). All else is done by `finish`.
    func answer(_ client: ClientConnection) -> Progress {
        begin(client)
        let endpoint = Endpoint(client.head.method, client.input.storage, target: client.head.target)
        guard case .inference(let operation, let path) = endpoint else {
            rest = .local(endpoint)
            return .needsTask(self)
        }
        isCall = true
        asked.operation = operation
        self.path = path
        do throws(GatewayError) {
            guard let generation else { throw .draining }
            try read(client, generation)
            try enterFirstGroup(client, generation)
            move = try next(client, generation)
            guard case .attempt(let index) = move, startAttempt(client, generation, index), let attempt else {
                return .needsTask(self)
            }
            self.client = client
            connection?.stream.readiness.observer = self
            return .waits(until: attempt.deadline, for: self)
        } catch {
            rest = .failure(error)
            return .needsTask(self)
        }
    }

    /// The answer is complete, and nobody had to wait for that in the client's task.
    func complete(_ client: ClientConnection, _ generation: Generation, _ index: Int) {
        generation.health.ended(index)
        endAttempt()
        self.client = nil
        end(client)
        gateway.giveBack(self)
        client.isAnswered()
    }

    private func endAttempt() {
        attempt = nil
        connection = nil
    }

    /// How a request is answered that could not be read.
    func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async {
        begin(client)
        await fail(client, .refusal(refusal))
        end(client)
    }

    /// What is to be done in the client's task.
    private func serve(_ client: ClientConnection) async throws(GatewayError) {
        let rest = self.rest
        self.rest = nil
        switch rest {
        case .local(let endpoint)?: return await answer(client, endpoint)
        case .failure(let error)?: throw error
        case nil: break
        }
        guard let generation else { throw .draining }
        while true {
            switch move {
            case .attempt(let index):
                let outcome: Outcome
                if let ended = await finishAttempt(client, generation, index) {
                    outcome = ended
                } else {
                    outcome = await relayEvents(client)
                }
                endAttempt()
                noteUpstreamIsDone()
                if try isAnswered(client, generation, index, outcome) { return }
            case .pause(let until):
                if await pause.wait(until: until, cancelledBy: client.cancellation) == .cancelled {
                    return try checkGone(client)
                }
            }
            move = try next(client, generation)
            if case .attempt(let index) = move { _ = startAttempt(client, generation, index) }
        }
    }

    // MARK: What is asked

    private func read(_ client: ClientConnection, _ generation: Generation) throws(GatewayError) {
        try asked.read(
            client.head, client.input.storage, body: client.body, path: path, generation.credentials, generation.table)
    }

    func authorize(_ client: ClientConnection, _ generation: Generation) throws(GatewayError) {
        try generation.credentials.authorize(client.head, client.input.storage)
    }

    var modelText: String { asked.modelText }

    /// The capture of a wildcard name.
    var capture: ArraySlice<UInt8>? {
        guard let capture = resolution?.capture else { return nil }
        return served.map { $0[capture] } ?? asked.model.storage[capture]
    }

    // MARK: Bookkeeping

    private func begin(_ client: ClientConnection) {
        generation = gateway.generation
        begun = EventLoop.now
        isCall = false
        path = nil
        resolution = nil
        served = nil
        deployment = nil
        if firstFailure != nil { firstFailure = nil }
        reason = nil
        error = nil
        retryAfter = nil
        status = 0
        upstreamTime = TimeSpan(nanoseconds: 0)
        asked.removeAll()
        providerFields.removeAll()
        callID.removeAll()
        CallID.append(
            to: callID, sent: client.head.first(.litellmCallID), client.input.storage, using: &gateway.random)
        place = gateway.board?.begin(id: callID.storage, callID.readable, now: begun) ?? WorkerBoard.untracked
    }

    func describe(_ client: ClientConnection) {
        guard let board = gateway.board else { return }
        board.describe(place, model: asked.model.storage, asked.model.readable, tag: asked.tags.texts, asked.tags.first)
    }

    /// Tells the scoreboard how far the answer is.
    func noteSent(_ client: ClientConnection) {
        gateway.board?.sent(place, client.response.bytesSent)
    }

    private func end(_ client: ClientConnection) {
        if let board = gateway.board {
            if client.response.isComplete { board.flushed(place) }
            board.end(place)
            board.countAnswer(
                status: status, isCall: isCall, isStream: deployment != nil && asked.request.isStream,
                bytesSent: client.response.bytesSent, duration: EventLoop.now - begun, upstream: upstreamTime)
            if deployment != nil { board.countRetries(plan.retries, fallbacks: plan.fallbacks) }
        }
        if let lines = gateway.accessLines, generation?.settings.process.accessLog ?? true {
            writeAccessLine(client, to: lines)
        }
        gathered.release()
        providerFields.removeAll()
        providerFields.shrink(to: gateway.requests.size)
        generation = nil
    }
}

/// What cannot be done at once is done in the client's task.
extension Exchange: RequestWork {
    func finish(_ client: ClientConnection, _ wake: Wake) async {
        self.client = nil
        takeOver(wake)
        do throws(GatewayError) {
            try await serve(client)
        } catch {
            await fail(client, error)
        }
        end(client)
        gateway.giveBack(self)
    }
}

extension ByteBuffer {
    /// Appends `bytes[range]` with percent-encoded bytes decoded (RFC 3986 §2.1); a stray `%` stands for itself.
    func append(percentDecoding bytes: [UInt8], _ range: Range<Int>) {
        var position = range.lowerBound
        while position < range.upperBound {
            if bytes[position] == 0x25, position + 2 < range.upperBound, let high = ASCII.hexValue(bytes[position + 1]),
                let low = ASCII.hexValue(bytes[position + 2])
            {
                append(high << 4 | low)
                position += 3
            } else {
                append(bytes[position])
                position += 1
            }
        }
    }
}
