internal import Shared

/// An upstream's event stream on its way to the client.
extension Exchange {
    /// What is held back at most until there is a first token.
    private static let mostHeld = 64 * 1024
    /// Pieces that are passed on in one go: an upstream that is faster than we are shall not keep others waiting.
    private static let mostPieces = 8
    /// Bytes of the head without what the upstream said in its own.
    private static let usualHead = 1024

    /// Begins to pass on an answer that is a stream. The head waits for the first event with content, unless the configuration
    /// says otherwise: until then another deployment may answer.
    func beginRelay(
        _ client: ClientConnection, _ generation: Generation, _ attempt: Attempt, _ connection: UpstreamConnection
    ) {
        takeProviderFields(connection)
        connection.discardHead()
        stream = EventWay(
            client: client, deadline: attempt.deadline, idle: attempt.idle, isHeld: waitsForContent(client))
        gathered.removeAll()
        events.begin(asked.operation, like: generation.blocks[attempt.index].events)
    }

    /// Passes events of `stream` on as they come.
    ///
    /// The task only waits: what has come is passed on in the turn of the loop that has noticed it (`mayRead`), and the
    /// task is woken where that ends or has to wait for the client.
    func relayEvents(_ client: ClientConnection) async -> Outcome {
        guard stream != nil, let generation, let attempt, let connection else { return .gone }
        defer { endRelay(connection) }
        do throws(StreamEnd) {
            try await passOnUntilEnd(client, connection)
        } catch {
            connection.close()
            return await end(client, error)
        }
        giveBack(connection, generation.pool(attempt.index))
        return .answered
    }

    /// Lets go of what passing on a stream needed.
    func endRelay(_ connection: UpstreamConnection) {
        if stream?.isExpected ?? false { connection.stream.readiness.expect(Footprint()) }
        stream = nil
        events.rest()
    }

    /// Sends the end of a stream, as far as that goes without waiting.
    func finishEvents(_ client: ClientConnection) throws(StreamEnd) -> Bool {
        if !events.isDone {
            if gathered.isEmpty { leaveFront(client) }
            do throws(EventStream.Failure) {
                try events.end(name: asked.name, into: gathered)
            } catch {
                throw .events(error)
            }
        }
        noteUpstreamIsDone()
        noteFirstToken()
        if !client.response.hasStarted { beginEvents(client) }
        if let generation { noteSuccess(client, generation, tokens: events.tokens) }
        do throws(StreamFailure) {
            return try client.response.tryFinish(gathered)
        } catch {
            throw .clientGone
        }
    }

    /// Until when more of a stream is waited for.
    func waitsUntil(_ client: ClientConnection) -> Instant {
        guard let stream else { return EventLoop.now }
        return stream.hasToken ? EventLoop.now + stream.idle : stream.deadline
    }

    private func passOnUntilEnd(
        _ client: ClientConnection, _ connection: UpstreamConnection
    ) async throws(StreamEnd) {
        while stream != nil {
            let step = stream?.step ?? passOn(client, connection)
            stream?.step = nil
            switch step {
            case .waits:
                expectMore(client, connection)
                do throws(UpstreamFailure) {
                    try await connection.waitForMore(
                        until: waitsUntil(client), cancelledBy: client.cancellation, handledBy: self)
                } catch {
                    throw .upstream(error)
                }
            case .pauses: await EventLoop.shared.turn()
            case .unsent:
                releaseUnneeded(client)
                do throws(StreamFailure) {
                    try await client.response.sendRest(of: gathered)
                } catch {
                    throw .clientGone
                }
                noteEventsSent(client)
            case .ended:
                if try finishEvents(client) { return }
                stream?.step = .unfinished
            case .unfinished:
                do throws(StreamFailure) {
                    return try await client.response.finishRest(of: gathered)
                } catch {
                    throw .clientGone
                }
            case .failed(let end): throw end
            }
        }
    }

    /// Tells the loop what passing on an event touches, where one has to be waited for.
    func expectMore(_ client: ClientConnection, _ connection: UpstreamConnection) {
        guard stream?.isExpected == false else { return }
        stream?.isExpected = true
        releaseUnneeded(client)
        var footprint = Footprint()
        connection.addParts(to: &footprint)
        footprint.add(self)
        footprint.add(asked)
        footprint.add(asked.name)
        footprint.add(gathered)
        events.addParts(to: &footprint)
        client.addParts(to: &footprint)
        connection.stream.readiness.expect(footprint)
    }

    /// Rewrites and sends what has come, for as long as neither side has to be waited for.
    func passOn(_ client: ClientConnection, _ connection: UpstreamConnection) -> Step {
        let isHeld = stream?.isHeld ?? true
        do throws(StreamEnd) {
            for _ in 0..<Self.mostPieces {
                try takeEvents(client, connection)
                if events.isDone || connection.isComplete { return .ended }
                if events.hasContent { noteFirstToken() }
                if !gathered.isEmpty, events.hasContent || !isHeld || gathered.count > Self.mostHeld {
                    guard try sendEvents(client) else { return .unsent }
                }
                guard try receive(connection) else { return .waits }
            }
            return .pauses
        } catch {
            return .failed(error)
        }
    }

    /// The same where nothing was left of what came before.
    func receiveAndPassOn(_ client: ClientConnection, _ connection: UpstreamConnection) -> Step {
        do throws(StreamEnd) {
            guard try receive(connection) else { return .waits }
        } catch {
            return .failed(error)
        }
        return passOn(client, connection)
    }

    /// Rewrites what has been received.
    private func takeEvents(_ client: ClientConnection, _ connection: UpstreamConnection) throws(StreamEnd) {
        while !events.isDone, let piece = try received(connection) {
            if gathered.isEmpty { leaveFront(client) }
            do throws(EventStream.Failure) {
                try events.take(connection.input.storage, piece, name: asked.name, into: gathered)
            } catch {
                throw .events(error)
            }
        }
    }

    /// Leaves room for the framing in front of the next piece, and for the head in front of the first one.
    private func leaveFront(_ client: ClientConnection) {
        let head = client.response.hasStarted ? 0 : Self.usualHead + providerFields.count
        gathered.leaveFront(head + ByteBuffer.chunkFront)
    }

    private func received(_ connection: UpstreamConnection) throws(StreamEnd) -> Range<Int>? {
        do throws(UpstreamFailure) {
            return try connection.bufferedBody()
        } catch {
            throw .upstream(error)
        }
    }

    private func receive(_ connection: UpstreamConnection) throws(StreamEnd) -> Bool {
        do throws(UpstreamFailure) {
            return try connection.tryReceive()
        } catch {
            throw .upstream(error)
        }
    }

    private func sendEvents(_ client: ClientConnection) throws(StreamEnd) -> Bool {
        if !client.response.hasStarted { beginEvents(client) }
        do throws(StreamFailure) {
            guard try client.response.trySend(gathered) else { return false }
        } catch {
            throw .clientGone
        }
        noteEventsSent(client)
        return true
    }

    private func noteEventsSent(_ client: ClientConnection) {
        gathered.release()
        noteSent(client)
    }

    private func noteFirstToken() {
        guard stream?.hasToken == false else { return }
        stream?.hasToken = true
        if let generation { noteAnswer(generation, isStream: true) }
    }

    func beginEvents(_ client: ClientConnection) {
        beginHead(client, 200, HeadFields.eventStream)
        appendAttempt(client)
        client.response.endHeadOfStream()
        if stream?.isExpected ?? true { providerFields.release() }
    }

    /// Gives back what is not needed while a stream is waited for: a thousand streams wait.
    private func releaseUnneeded(_ client: ClientConnection) {
        outbound.release()
        if client.response.hasStarted { providerFields.release() }
    }

    /// How a stream ends that cannot go on: as an error of the attempt where nothing has left, else in its own format.
    private func end(_ client: ClientConnection, _ failure: StreamEnd) async -> Outcome {
        let outcome: Outcome
        switch failure {
        case .clientGone: return .gone
        case .upstream(let failure): outcome = failed(failure)
        case .events(.reported(let message)):
            outcome = .failed(.upstream(.errorInAnswer(message: message), group: modelText), .noAnswer)
        case .events(.unparsable(let reason)): outcome = broken("an event of the stream is no valid JSON: \(reason)")
        case .events(.tooLong): outcome = broken("an event of the stream is longer than 16 MiB")
        case .events(.cut): outcome = broken("the stream ended before the model had finished")
        case .events(.empty): outcome = broken("the stream is empty")
        }
        // Content that came in the same packet as the break belongs to the client: what it gets must not depend on how
        // an upstream's bytes were cut into packets.
        guard client.response.hasStarted || events.hasContent else { return outcome }
        let message: String
        let type: String
        switch outcome {
        case .gone:
            guard client.wasToldToFinish else { return .gone }
            message = GatewayError.draining.answer.message
            type = GatewayError.draining.answer.type
            error = "cut"
        case .failed(let reason, let failure):
            let isAnswered = stream?.hasToken ?? true
            if let deployment {
                noteFailure(deployment, isAnswered ? Admission() : admission, failure, at: EventLoop.now)
            }
            message = reason.answer.message
            type = reason.answer.type
            error = type
        case .answered: return outcome
        }
        if !client.response.hasStarted { beginEvents(client) }
        appendErrorEvent(message, type: type)
        let sent: Void? = try? await client.response.finish(gathered)
        return sent == nil ? .gone : .answered
    }

    /// The end of the framing often comes a moment after the last event.
    func giveBack(_ connection: UpstreamConnection, _ pool: UpstreamPool) {
        if (try? connection.bufferedBody()) == nil, connection.isComplete { return pool.giveBack(connection) }
        EventLoop.shared.start {
            let deadline = EventLoop.now + .seconds(1)
            do throws(UpstreamFailure) {
                while !connection.isComplete {
                    if try connection.bufferedBody() == nil, !connection.isComplete {
                        try await connection.receiveMore(until: deadline, cancelledBy: nil)
                    }
                }
                pool.giveBack(connection)
            } catch {
                connection.close()
            }
        }
    }
}

/// Events are passed on where they come, while the task waits in `relayEvents`.
extension Exchange: ReadHandler {
    func mayRead() -> Instant? {
        guard let client = stream?.client, let connection else { return nil }
        let step = receiveAndPassOn(client, connection)
        if case .waits = step, !connection.stream.waitsToWrite { return waitsUntil(client) }
        stream?.step = step
        return nil
    }
}
