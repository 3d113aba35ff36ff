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

    /// Error bodies are read up to this size.
    private static let longestError = 256 * 1024

    /// Tries the deployment of that index. Waits only where it has to: for a connection if none is idle, for room to send if
    /// there is none, and for the answer. Nil where that is a stream, for `relayEvents` to pass on: a stream waits for long,
    /// and what an attempt needs would be held as long.
    func attempt(_ client: ClientConnection, _ generation: Generation, _ index: Int) async -> Outcome? {
        let limits = generation.limits[index]
        attemptBegun = EventLoop.now
        patience = nil
        let blocks = generation.blocks[index]
        if let text = blocks.mockResponse { return await answerMock(client, text) }
        let bytes = client.input.storage
        outbound.write(blocks, asked.operation, asked.request, bytes, capture: capture)
        let limit = timeLimit(client, limits)
        let now = EventLoop.now
        upstreamBegun = now
        let deadline = min(now + limit, self.deadline(generation))
        let given = limits.limit(isStream: asked.request.isStream, timeout: nil, streamTimeout: nil)
        if (deadline - now).nanoseconds < given.nanoseconds / 2 { patience = deadline }
        let pool = generation.pool(index)
        var connection: UpstreamConnection?
        do throws(UpstreamFailure) {
            let connectLimit = now + .seconds(generation.settings.process.connectTimeout)
            connection = try await ask(pool, bytes, client, deadline, connectLimit)
            outbound.release()
            guard let connection else { return .gone }
            return try await take(client, blocks, connection, pool, deadline, idle: limits.idle ?? limit)
        } catch {
            connection?.close()
            return failed(error)
        }
    }

    /// Sends the request and reads the head of the answer. A pooled connection that was closed before it saw the
    /// request is replaced once, by a fresh one.
    @inline(__always)
    private func ask(
        _ pool: UpstreamPool, _ bytes: [UInt8], _ client: ClientConnection, _ deadline: Instant, _ connectLimit: Instant
    ) async throws(UpstreamFailure) -> UpstreamConnection {
        var isFresh = false
        while true {
            let connection: UpstreamConnection
            if !isFresh, let idle = pool.takeIdle() {
                connection = idle
            } else {
                connection = try await pool.dial(
                    until: min(deadline, connectLimit), cancelledBy: client.cancellation)
            }
            do throws(UpstreamFailure) {
                try await connection.ask(
                    outbound.pieces, outbound.text.storage, bytes, until: deadline, cancelledBy: client.cancellation)
                return connection
            } catch {
                connection.close()
                guard error == .stale, !isFresh else { throw error }
                isFresh = true
            }
        }
    }

    /// Judges the head of an answer and relays what it begins.
    @inline(__always)
    private func take(
        _ client: ClientConnection, _ blocks: DeploymentBlocks, _ connection: UpstreamConnection, _ pool: UpstreamPool,
        _ deadline: Instant, idle: TimeSpan
    ) async throws(UpstreamFailure) -> Outcome? {
        let head = connection.head
        ProviderFields.append(head, connection.input.storage, to: providerFields)
        let status = head.status
        guard (200..<300).contains(status) else {
            retryAfter = Self.retryAfter(head, connection.input.storage)
            if (300..<400).contains(status) {
                connection.close()
                return broken("it redirects (status \(status)), which a gateway must not follow with a key")
            }
            return try await takeError(client, connection, pool, deadline)
        }
        if asked.request.isStream, asked.operation != .embedding, Self.isEventStream(head, connection.input.storage) {
            connection.discardHead()
            stream = EventWay(client: client, connection: connection, pool: pool, deadline: deadline, idle: idle)
            return nil
        }
        return try await relayAnswer(client, blocks, connection, pool, deadline)
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
        let (head, bytes) = (client.head, client.input.storage)
        let timeout =
            asked.request.timeout ?? head.first(.litellmTimeout).flatMap { CompletionRequest.limit(bytes, $0) }
        guard asked.request.isStream else { return limits.limit(isStream: false, timeout: timeout, streamTimeout: nil) }
        let streamTimeout =
            asked.request.streamTimeout
            ?? head.first(.litellmStreamTimeout).flatMap { CompletionRequest.limit(bytes, $0) }
        return limits.limit(isStream: true, timeout: timeout, streamTimeout: streamTimeout)
    }

    /// The time since the request was sent counts as the upstream's.
    func noteUpstreamIsDone() {
        guard let begun = upstreamBegun else { return }
        upstreamTime.nanoseconds += (EventLoop.now - begun).nanoseconds
        upstreamBegun = nil
    }

    // MARK: What the deployment's counters are told

    /// The answer is there, or its first token.
    func noteAnswer(isStream: Bool) {
        guard let deployment, let generation else { return }
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

    /// The answer is complete. `tokens` says how many it took, where it does; asked only where that counts.
    func noteSuccess(_ client: ClientConnection, tokens: () -> Int?) {
        guard let deployment, let generation else { return }
        let now = EventLoop.now
        generation.health.succeeded(deployment, at: now)
        guard generation.health.countsTokens else { return }
        // About four bytes of English are a token; an event of a stream carries one.
        let estimate = client.body.count / 4 + (asked.request.isStream ? events.events : body.length / 4)
        generation.health.used(deployment, tokens: tokens() ?? estimate, at: now)
    }
}
