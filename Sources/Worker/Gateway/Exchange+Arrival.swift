internal import Shared

/// What an upstream says while the client's task waits: dealt with in the turn of the loop that has noticed it, for as long
/// as neither side has to be waited for. Most requests so wake no task at all.
extension Exchange: ReadObserver {
    func cameToRead() {
        guard let client, client.isWaiting, let generation, let attempt, let connection else { return }
        if stream != nil { return settle(client, connection, receiveAndPassOn(client, connection)) }
        do throws(UpstreamFailure) {
            guard try connection.takeHead() else { return waitForMore(client, connection) }
            switch Self.kind(of: connection, isStream: asksForStream) {
            case .whole where Self.isShort(connection):
                guard let range = try connection.takeWhole() else { return waitForMore(client, connection) }
                let outcome = startWhole(client, generation, attempt, connection, range)
                guard case .answered? = outcome else {
                    outbound.release()
                    answerBegun = outcome.map(AnswerBegun.ended) ?? .partly
                    return client.needsTask()
                }
                connection.stream.readiness.observer = nil
                connection.discardWhole()
                generation.pool(attempt.index).giveBack(connection)
                complete(client, generation, attempt.index)
            case .stream:
                beginRelay(client, generation, attempt, connection)
                settle(client, connection, passOn(client, connection))
            case .whole, .redirect, .failure: client.needsTask()
            }
        } catch {
            attemptFailure = error
            client.needsTask()
        }
    }

    /// What is awaited may need room to send first, which only the task waits for.
    private func waitForMore(_ client: ClientConnection, _ connection: UpstreamConnection) {
        if connection.stream.waitsToWrite { client.needsTask() }
    }

    /// How a stream goes on that was passed on so far.
    private func settle(_ client: ClientConnection, _ connection: UpstreamConnection, _ step: Step) {
        switch step {
        case .waits where !connection.stream.waitsToWrite:
            expectMore(client, connection)
            client.waits(until: waitsUntil(client))
        case .ended:
            do throws(StreamEnd) {
                guard try finishEvents(client) else {
                    stream?.step = .unfinished
                    return client.needsTask()
                }
            } catch {
                stream?.step = .failed(error)
                return client.needsTask()
            }
            guard let generation, let attempt else { return }
            connection.stream.readiness.observer = nil
            endRelay(connection)
            giveBack(connection, generation.pool(attempt.index))
            complete(client, generation, attempt.index)
        case .waits, .pauses, .unsent, .unfinished, .failed:
            stream?.step = step
            client.needsTask()
        }
    }
}
