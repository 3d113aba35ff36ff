internal import Shared

/// An upstream's whole answer on its way to the client.
extension Exchange {
    /// Plain answers are gathered up to this size, and judged before a byte of them is sent.
    private static let longestAnswer = 64 << 20

    /// How far an answer has been begun that the client's task brings to its end.
    enum AnswerBegun {
        /// The client takes no more for now.
        case partly
        case ended(Outcome)
    }

    /// Whether an answer with this head is read into the connection's own buffer, whole.
    static func isShort(_ connection: UpstreamConnection) -> Bool {
        guard let length = connection.announcedLength else { return false }
        return length <= 1 << 20
    }

    /// Reads a whole answer, and sends it with the public model name.
    func relayAnswer(
        _ client: ClientConnection, _ generation: Generation, _ attempt: Attempt, _ connection: UpstreamConnection
    ) async throws(UpstreamFailure) -> Outcome {
        guard Self.isShort(connection) else {
            takeFields(connection)
            let status = connection.head.status
            connection.discardHead()
            try await gather(client, connection, attempt.deadline)
            noteUpstreamIsDone()
            var outcome = start(client, generation, attempt.index, status, gathered.storage, gathered.readable)
            if outcome == nil { outcome = await finish(client, gathered.storage) }
            generation.pool(attempt.index).giveBack(connection)
            return outcome ?? .gone
        }
        var range = try connection.takeWhole()
        while range == nil {
            let wake = await connection.stream.receiver.wait(until: attempt.deadline, cancelledBy: client.cancellation)
            try connection.check(wake, .nextByte)
            range = try connection.takeWhole()
        }
        let outcome = startWhole(client, generation, attempt, connection, range ?? 0..<0)
        return await finishAnswer(client, generation, outcome.map(AnswerBegun.ended) ?? .partly)
    }

    /// Judges and sends an answer that lies whole in the connection's buffer; nil when `finishAnswer` has to send the rest.
    func startWhole(
        _ client: ClientConnection, _ generation: Generation, _ attempt: Attempt, _ connection: UpstreamConnection,
        _ range: Range<Int>
    ) -> Outcome? {
        noteUpstreamIsDone()
        takeFields(connection)
        return start(
            client, generation, attempt.index, connection.head.status, connection.input.storage, range)
    }

    /// Sends what is left of an answer, and gives its connection back.
    func finishAnswer(_ client: ClientConnection, _ generation: Generation, _ begun: AnswerBegun) async -> Outcome {
        answerBegun = nil
        guard let attempt, let connection else { return .gone }
        let outcome: Outcome
        switch begun {
        case .partly: outcome = await finish(client, connection.input.storage)
        case .ended(let ended): outcome = ended
        }
        connection.discardWhole()
        generation.pool(attempt.index).giveBack(connection)
        return outcome
    }

    /// Takes what the client is told of the head of an answer.
    private func takeFields(_ connection: UpstreamConnection) {
        takeProviderFields(connection)
        takeEncoding(connection)
    }

    /// Of a compressed answer, which nobody asked for, the client has to be told how to read it.
    private func takeEncoding(_ connection: UpstreamConnection) {
        let head = connection.head
        encodingFields.removeAll()
        guard let coding = head.first(.contentEncoding) else { return }
        let bytes = connection.input.storage
        guard Self.isEncoded(head, bytes) else { return }
        encodingFields.append(field: "content-encoding", bytes, coding)
        if let type = head.first(.contentType) { encodingFields.append(field: "content-type", bytes, type) }
    }

    private func gather(
        _ client: ClientConnection, _ connection: UpstreamConnection, _ deadline: Instant
    ) async throws(UpstreamFailure) {
        gathered.removeAll()
        while true {
            if let piece = try connection.bufferedBody() {
                guard gathered.count + piece.count <= Self.longestAnswer else {
                    throw .malformed(HTTPViolation(.bodyTooLarge, "the answer is larger than 64 MiB"))
                }
                gathered.append(connection.input.storage, piece)
            } else if connection.isComplete {
                return
            } else {
                try await connection.receiveMore(until: deadline, cancelledBy: client.cancellation)
            }
        }
    }

    /// Judges an answer and sends it, as far as that goes without waiting; nil when `finish` has to send the rest.
    private func start(
        _ client: ClientConnection, _ generation: Generation, _ index: Int, _ status: Int, _ bytes: [UInt8],
        _ range: Range<Int>
    ) -> Outcome? {
        do throws(Answer.Failure) {
            if encodingFields.isEmpty {
                try body.read(bytes, range, name: asked.name, asked.operation, like: generation.blocks[index].answers)
            } else {
                body.pass(range)
            }
        } catch {
            switch error {
            case .empty: return broken("it is empty")
            case .invalid(let reason): return broken("it is no valid JSON: \(reason)")
            case .reported(let message):
                return .failed(.upstream(.errorInAnswer(message: message), group: modelText), .noAnswer)
            }
        }
        let isPlain = encodingFields.isEmpty
        beginHead(client, status, isPlain ? HeadFields.json : Array(encodingFields.storage[encodingFields.readable]))
        noteAnswer(generation, isStream: false)
        noteSuccess(client, generation, tokens: generation.health.countsTokens ? body.tokens(bytes) : nil)
        appendAttempt(client)
        client.response.endHead(length: body.length)
        do throws(StreamFailure) {
            return try client.response.tryFinish(with: bytes, asked.name.storage, body.pieces) ? .answered : nil
        } catch {
            return .gone
        }
    }

    private func finish(_ client: ClientConnection, _ bytes: [UInt8]) async -> Outcome {
        do throws(StreamFailure) {
            try await client.response.finishRest(with: bytes, asked.name.storage)
            return .answered
        } catch {
            return .gone
        }
    }
}
