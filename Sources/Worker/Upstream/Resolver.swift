internal import Shared

/// Names to addresses, without blocking the loop: numeric ones at once, others from the helper thread of
/// `NameLookup`, kept for a minute; when a name cannot be resolved anew, what was known of it serves on.
@Loop final class Resolver {
    private struct Entry {
        var addresses: [SocketAddress]
        var validUntil: Instant
    }

    private var known: [String: Entry] = [:]
    /// Why the last question for a name went unanswered.
    private var failures: [String: String] = [:]
    private var waiting: [String: [Waiter]] = [:]
    private var lookup: NameLookup?
    private let lifetime = TimeSpan.seconds(60)

    func resolve(
        _ name: String, until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) -> [SocketAddress] {
        if let address = SocketAddress(host: name, port: 0) { return [address] }
        if let entry = known[name] {
            if entry.validUntil > EventLoop.now { return entry.addresses }
            // Stale: good enough for this request, while the next may find a fresh one.
            if waiting[name] == nil { try? ask(name) }
            return entry.addresses
        }
        let waiter = Waiter()
        do throws(SystemError) {
            if waiting[name] == nil { try ask(name) }
        } catch {
            throw .resolve(name: name, reason: error.reason)
        }
        waiting[name, default: []].append(waiter)
        let wake = await waiter.wait(until: deadline, cancelledBy: cancellation)
        waiter.close()
        switch wake {
        case .deadline: throw .deadline(.connect)
        case .cancelled: throw .cancelled
        case .ready: break
        }
        guard let entry = known[name] else { throw .resolve(name: name, reason: failures[name] ?? "no address") }
        return entry.addresses
    }

    private func ask(_ name: String) throws(SystemError) {
        if lookup == nil {
            let made = try NameLookup()
            let readiness = try Readiness(watching: made.descriptor)
            lookup = made
            EventLoop.shared.start { await self.receiveAnswers(made, readiness) }
        }
        waiting[name] = []
        do throws(SystemError) {
            try lookup?.ask(name)
        } catch {
            waiting[name] = nil
            throw error
        }
    }

    private func receiveAnswers(_ lookup: NameLookup, _ readiness: Readiness) async {
        while true {
            _ = await readiness.waitReadable(until: .never)
            readiness.isReadable = false
            for answer in lookup.takeAnswers() {
                if answer.addresses.isEmpty {
                    failures[answer.name] = answer.reason
                } else {
                    failures[answer.name] = nil
                    known[answer.name] = Entry(
                        addresses: answer.addresses, validUntil: EventLoop.now + lifetime)
                }
                for waiter in waiting.removeValue(forKey: answer.name) ?? [] { waiter.wake(.ready) }
            }
        }
    }
}
