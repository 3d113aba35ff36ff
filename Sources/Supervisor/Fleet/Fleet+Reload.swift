internal import Shared

/// A generation on its way to all workers at once, or to none.
extension Fleet {
    mutating func reload(_ number: UInt64, _ now: Instant) {
        precondition(candidate == nil, "one reload at a time")
        candidate = Candidate(generation: number, begun: now)
        guard !isStopping else { return failReload("stopping", now) }
        for worker in sorted where worker.phase == .ready {
            if worker.order == nil {
                prepare(worker.id, number, now)
            } else {
                candidate?.behind.insert(worker.id)
            }
        }
    }

    mutating func failReload(_ reason: String, _ now: Instant) {
        guard let failed = candidate else { return }
        candidate = nil
        let took = now - failed.begun
        actions.append(
            .tell(
                .reloaded(
                    ReloadOutcome(
                        generation: generation, refusal: reason, prepare: took, commit: TimeSpan(nanoseconds: 0)))))
        for worker in sorted where worker.order?.generation == failed.generation {
            change(worker.id) { $0.order = nil }
            actions.append(.send(worker.id, .abort(generation: failed.generation)))
            catchUp(worker.id, now)
        }
    }

    /// A worker that cannot prepare fails the reload; one that cannot commit is replaced by one that can.
    mutating func failReload(of worker: Worker, _ reason: String, _ now: Instant) {
        guard candidate?.decided == nil, let order = worker.order, order.generation == candidate?.generation else {
            return
        }
        failReload("slot \(worker.slot): \(reason)", now)
    }

    /// Decides once all have prepared, and reports once all have committed. Who died meanwhile is not waited for.
    mutating func settleReload(_ now: Instant) {
        guard var current = candidate else { return }
        if isStopping { return current.decided == nil ? failReload("stopping", now) : report(current, now) }
        let involved = sorted.filter { $0.order?.generation == current.generation && $0.phase == .ready }
        if current.decided == nil {
            let isBehind = sorted.contains { current.behind.contains($0.id) && $0.phase == .ready }
            guard !isBehind, involved.allSatisfy({ $0.order?.step == .prepared }) else { return }
            current.decided = now
            candidate = current
            generation = current.generation
            for worker in involved { commit(worker.id, current.generation, now) }
            for worker in sorted { catchUp(worker.id, now) }
            guard involved.isEmpty else { return }
        } else if !involved.isEmpty {
            return
        }
        report(current, now)
    }

    mutating func report(_ done: Candidate, _ now: Instant) {
        candidate = nil
        let decided = done.decided ?? now
        actions.append(
            .tell(
                .reloaded(
                    ReloadOutcome(
                        generation: generation, refusal: nil, prepare: decided - done.begun, commit: now - decided))))
    }
}
