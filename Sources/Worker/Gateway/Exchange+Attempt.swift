internal import Shared

/// One attempt at a deployment: lends a connection, sends, reads the head of the answer, and has the body relayed.
extension Exchange {
    enum Outcome {
        case answered
        /// The client has left, or the process has to go.
        case gone
        /// No byte has left for the client: another deployment may still answer.
        case failed(GatewayError, AttemptFailure)
    }

    /// An attempt at a deployment.
    struct Attempt {
        let index: Int
        /// Of the answer, or of a stream's first token.
        let deadline: Instant
        let connectLimit: Instant
        /// The longest silence within a stream.
        let idle: TimeSpan
        /// Whether its connection was dialled for it.
        var isFresh = false
    }

    /// Error bodies are read up to this size.
    private static let longestError = 256 * 1024

    /// Begins an attempt at the deployment of that index: sends the request as far as that goes without waiting. Whether all
    /// of it has left, and its answer is what comes next.
    func startAttempt(_ client: ClientConnection, _ generation: Generation, _ index: Int) -> Bool {
        let limits = generation.limits[index]
        attemptBegun = EventLoop.now
        patience = nil
        let blocks = generation.blocks[index]
        guard blocks.mockResponse == nil else { return false }
        let bytes = client.input.storage
        outbound.write(blocks, asked.operation, asked.request, bytes, capture: capture)
        let limit = timeLimit(client, limits)
        let now = EventLoop.now
        upstreamBegun = now
        let deadline = min(now + limit, self.deadline(generation))
        let given = limits.limit(isStream: asked.request.isStream, timeout: nil, streamTimeout: nil)
        if (deadline - now).nanoseconds < given.nanoseconds / 2 { patience = deadline }
        attempt = Attempt(
            index: index, deadline: deadline,
            connectLimit: min(deadline, now + .seconds(generation.settings.process.connectTimeout)),
            idle: limits.idle ?? limit)
        guard let connection = generation.pool(index).takeIdle() else { return false }
        self.connection = connection
        do throws(UpstreamFailure) {
            return try connection.trySend(outbound.pieces, outbound.text.storage, bytes)
        } catch {
            attemptFailure = error
            return false
        }
    }

    /// Leaves what has been begun to the client's task, which was woken because of `wake`.
    func takeOver(_ wake: Wake) {
        guard let connection else { return }
        connection.stream.readiness.observer = nil
        do throws(UpstreamFailure) {
            try connection.check(wake, connection.hasHead ? .nextByte : .firstByte)
        } catch {
            if stream == nil { attemptFailure = error } else { stream?.step = .failed(.upstream(error)) }
        }
    }

    /// Brings the attempt to its end. Waits only where it has to: for a connection if none is idle, for room to send if
    /// there is none, and for the answer. Nil where that is a stream, for `relayEvents` to pass on: a stream waits for long,
    /// and what an attempt needs would be held as long.
    func finishAttempt(_ client: ClientConnection, _ generation: Generation, _ index: Int) async -> Outcome? {
        if let text = generation.blocks[index].mockResponse { return await answerMock(client, generation, text) }
        if stream != nil { return nil }
        do throws(UpstreamFailure) {
            if let begun = answerBegun { return await finishAnswer(client, generation, begun) }
            try await ask(client, generation)
            outbound.release()
            return try await take(client, generation)
        } catch {
            connection?.close()
            return failed(error)
        }
    }

    /// Sends what is left of the request and reads the head of the answer. A pooled connection that was closed before it saw
    /// the request is replaced once, by a fresh one.
    private func ask(_ client: ClientConnection, _ generation: Generation) async throws(UpstreamFailure) {
        guard var attempt else { return }
        let bytes = client.input.storage
        while true {
            do throws(UpstreamFailure) {
                if let failure = attemptFailure {
                    attemptFailure = nil
                    throw failure
                }
                if let connection {
                    return try await connection.finishAsking(
                        outbound.pieces, outbound.text.storage, bytes, until: attempt.deadline,
                        cancelledBy: client.cancellation)
                }
                attempt.isFresh = true
                let fresh = try await generation.pool(attempt.index).dial(
                    until: attempt.connectLimit, cancelledBy: client.cancellation)
                connection = fresh
                return try await fresh.ask(
                    outbound.pieces, outbound.text.storage, bytes, until: attempt.deadline,
                    cancelledBy: client.cancellation)
            } catch {
                guard error == .stale, !attempt.isFresh else { throw error }
                connection?.close()
                connection = nil
            }
        }
    }

    /// Judges the head of an answer and relays what it begins.
    private func take(_ client: ClientConnection, _ generation: Generation) async throws(UpstreamFailure) -> Outcome? {
        guard let attempt, let connection else { return .gone }
        let kind = Self.kind(of: connection, isStream: asksForStream)
        switch kind {
        case .stream:
            beginRelay(client, generation, attempt, connection)
            return nil
        case .whole: return try await relayAnswer(client, generation, attempt, connection)
        case .failure, .redirect:
            let status = connection.head.status
            takeProviderFields(connection)
            retryAfter = Self.retryAfter(connection.head, connection.input.storage)
            if kind == .redirect {
                connection.close()
                return broken("it redirects (status \(status)), which a gateway must not follow with a key")
            }
            return try await takeError(client, connection, generation.pool(attempt.index), attempt.deadline)
        }
    }

    var asksForStream: Bool { asked.request.isStream && asked.operation != .embedding }

    /// What an answer is, by its head.
    enum AnswerKind { case whole, stream, redirect, failure }

    static func kind(of connection: UpstreamConnection, isStream: Bool) -> AnswerKind {
        switch connection.head.status {
        case 200..<300: isStream && isEventStream(connection.head, connection.input.storage) ? .stream : .whole
        case 300..<400: .redirect
        default: .failure
        }
    }

    private func takeError(
        _ client: ClientConnection, _ connection: UpstreamConnection, _ pool: UpstreamPool, _ deadline: Instant
    ) async throws(UpstreamFailure) -> Outcome {
        let status = connection.head.status
        let isEncoded = Self.isEncoded(connection.head, connection.input.storage)
        connection.discardHead()
        gathered.removeAll()
        // What an upstream says about its failure is worth a short wait, not the whole limit.
        let deadline = min(deadline, EventLoop.now + .seconds(10))
        do throws(UpstreamFailure) {
            while gathered.count < Self.longestError {
                if let piece = try connection.bufferedBody() {
                    gathered.append(connection.input.storage, piece)
                } else if connection.isComplete {
                    break
                } else {
                    try await connection.receiveMore(until: deadline, cancelledBy: client.cancellation)
                }
            }
        } catch {
            if error == .cancelled { throw error }
        }
        if connection.isComplete { pool.giveBack(connection) } else { connection.close() }
        let (message, code) =
            isEncoded
            ? (HTTPStatus.reason(status), "") : UpstreamError.read(gathered.storage, gathered.readable, status)
        gathered.removeAll()
        let error = GatewayError.upstreamStatus(status, message: message, code: code, group: modelText)
        switch UpstreamError.className(status: status, message: message, code: code) {
        case "ContextWindowExceededError": return .failed(error, .contextWindow)
        case "ContentPolicyViolationError": return .failed(error, .contentPolicy)
        default: return .failed(error, .status(status))
        }
    }

    // MARK: Failures

    func failed(_ failure: UpstreamFailure) -> Outcome {
        let trouble: GatewayError.UpstreamTrouble
        switch failure {
        case .cancelled: return .gone
        case .deadline(let phase):
            return .failed(.upstream(.timeout(phase: phase.rawValue), group: modelText), .timeout)
        case .resolve, .connect, .tls, .proxy, .broken, .closedBeforeHead, .stale:
            trouble = .unreachable(reason: failure.reason)
        case .malformed, .closedWithinBody: trouble = .brokenAnswer(reason: failure.reason)
        }
        return .failed(.upstream(trouble, group: modelText), .noAnswer)
    }

    func broken(_ reason: String) -> Outcome {
        .failed(.upstream(.brokenAnswer(reason: reason), group: modelText), .noAnswer)
    }

    // MARK: What the head says

    /// Takes what the client is told of the head. It may be the one of the answer before, byte by byte: most are where streams
    /// follow each other within a second.
    func takeProviderFields(_ connection: UpstreamConnection) {
        let (head, memo) = (connection.head, connection.memo)
        guard head.isRepeated else {
            return ProviderFields.append(head, connection.input.storage, to: providerFields)
        }
        // Only from the second time on, so that a connection that serves one long stream holds none.
        if memo.isEmpty { ProviderFields.append(head, connection.input.storage, to: memo) }
        providerFields.append(memo.storage, memo.readable)
    }

    /// Whether the answer is compressed although nobody asked for that; such a one is passed on as it is.
    static func isEncoded(_ head: MessageHead, _ bytes: [UInt8]) -> Bool {
        guard let coding = head.first(.contentEncoding), !coding.isEmpty else { return false }
        return !ASCII.equalsIgnoringCase(bytes, coding, Token.identity)
    }

    /// An answer without a type counts as what was asked for.
    private static func isEventStream(_ head: MessageHead, _ bytes: [UInt8]) -> Bool {
        guard let type = head.first(.contentType) else { return true }
        let end = min(type.upperBound, type.lowerBound + eventStream.count)
        return ASCII.equalsIgnoringCase(bytes, type.lowerBound..<end, eventStream)
    }

    private static let eventStream = StaticString("text/event-stream").bytes

    /// Seconds or a date; RFC 9110 §10.2.3.
    private static func retryAfter(_ head: MessageHead, _ bytes: [UInt8]) -> TimeSpan? {
        guard let value = head.first(.retryAfter) else { return nil }
        if let seconds = CompletionRequest.seconds(bytes, value) { return .seconds(seconds) }
        let now = Clock.unixMilliseconds()
        guard let date = HTTPDate.parse(String(decoding: bytes[value], as: UTF8.self), now: now / 1000) else {
            return nil
        }
        let milliseconds = date * 1000 - now
        return milliseconds > 0 ? .milliseconds(Int(milliseconds)) : nil
    }

    // MARK: Time

    private func timeLimit(_ client: ClientConnection, _ limits: AttemptLimits) -> TimeSpan {
        let timeout = asked.request.timeout ?? Self.limit(client, .litellmTimeout)
        guard asked.request.isStream else { return limits.limit(isStream: false, timeout: timeout, streamTimeout: nil) }
        let streamTimeout = asked.request.streamTimeout ?? Self.limit(client, .litellmStreamTimeout)
        return limits.limit(isStream: true, timeout: timeout, streamTimeout: streamTimeout)
    }

    private static func limit(_ client: ClientConnection, _ name: FieldName) -> Double? {
        guard let value = client.head.first(name) else { return nil }
        return CompletionRequest.limit(client.input.storage, value)
    }

    /// The time since the request was sent counts as the upstream's.
    func noteUpstreamIsDone() {
        guard let begun = upstreamBegun else { return }
        upstreamTime.nanoseconds += (EventLoop.now - begun).nanoseconds
        upstreamBegun = nil
    }

    // MARK: What the deployment's counters are told

    /// The answer is there, or its first token.
    func noteAnswer(_ generation: Generation, isStream: Bool) {
        guard let deployment else { return }
        let now = EventLoop.now
        let isBack = generation.health.answers(
            deployment, admission, latency: now - attemptBegun, isStream: isStream, at: now)
        guard isBack else { return }
        gateway.log?.event(.info, "recovered") { fields in
            fields.member("deployment", generation.blocks[deployment].id)
            fields.member("model", generation.blocks[deployment].modelName)
        }
    }

    /// The attempt has failed, which may be the beginning of a cooldown.
    func noteFailure(_ index: Int, _ admission: Admission, _ failure: AttemptFailure, at now: Instant) {
        if failure == .timeout, let patience, now >= patience {
            generation?.health.abandoned(index, admission)
            return
        }
        guard let generation,
            let time = generation.health.failed(index, admission, failure, retryAfter: retryAfter, at: now)
        else { return }
        gateway.log?.event(.warn, "cooldown") { fields in
            fields.member("deployment", generation.blocks[index].id)
            fields.member("model", generation.blocks[index].modelName)
            fields.member("failure", failure.text)
            fields.member("cooldown_ms", time.milliseconds)
        }
    }

    /// The answer is complete. `tokens` is how many it says that it took, if that counts.
    func noteSuccess(_ client: ClientConnection, _ generation: Generation, tokens: Int?) {
        guard let deployment else { return }
        let now = EventLoop.now
        generation.health.succeeded(deployment, at: now)
        guard generation.health.countsTokens else { return }
        // About four bytes of English are a token; an event of a stream carries one.
        let estimate = client.body.count / 4 + (asked.request.isStream ? events.events : body.length / 4)
        generation.health.used(deployment, tokens: tokens ?? estimate, at: now)
    }
}
