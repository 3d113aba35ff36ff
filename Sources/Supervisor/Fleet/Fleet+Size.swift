internal import Shared

/// How many workers there are, how they end together, and what happens when time is up.
extension Fleet {
    mutating func resize(_ count: Int, _ now: Instant) {
        guard count != size, count > 0, !isStopping else { return }
        actions.append(.tell(.resized(from: size, to: count)))
        let before = size
        size = count
        if count > before {
            for slot in before..<count { spawn(slot, now) }
        } else {
            for slot in count..<before { slots[slot]?.respawnAt = nil }
            renewals.removeAll { $0.slot >= count }
            if let current = renewal, current.slot >= count { renewal = nil }
            for worker in sorted where worker.slot >= count { drain(worker.id, .notNeeded, "no longer needed", now) }
            renew([], .replaced, "replaced", now)
        }
        startIsDone(now)
    }

    mutating func startIsDone(_ now: Instant) {
        guard !hasStarted, readyCount == size else { return }
        hasStarted = true
        actions.append(.tell(.ready(took: now - startedAt)))
    }

    // MARK: The end

    mutating func stop(_ now: Instant) {
        isStopping = true
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        renewal = nil
        renewals = []
        guard timing.lameDuck.nanoseconds > 0 else { return drainAll(now) }
        drainAt = now + timing.lameDuck
        for worker in sorted where worker.phase == .ready { actions.append(.send(worker.id, .lameDuck)) }
    }

    private mutating func drainAll(_ now: Instant) {
        drainAt = .never
        actions.append(.closeListeners)
        for worker in sorted { drain(worker.id, .stopped, "stopped", now) }
    }

    mutating func stopNow() {
        isStopping = true
        drainAt = .never
        actions.append(.closeListeners)
        for id in workers.keys.sorted() { kill(id, .stopped, "stopped at once") }
    }

    mutating func hurry(_ now: Instant) {
        if isHurried {
            for id in workers.keys.sorted() { kill(id, .stopped, "stopped at once") }
            return
        }
        isHurried = true
        if drainAt != .never { drainAll(now) }
        let killAt = now + timing.hurry
        for id in workers.keys.sorted() {
            change(id) { worker in
                worker.finishAt = min(worker.finishAt, now)
                worker.killAt = min(worker.killAt, killAt)
            }
        }
    }

    mutating func giveUp(_ code: Int32, _ reason: String) {
        guard exitCode == nil else { return }
        exitCode = code
        isStopping = true
        actions.append(.tell(hasStarted ? .gaveUp(reason) : .cannotStart(reason)))
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        for id in workers.keys.sorted() { kill(id, .stopped, reason) }
    }

    mutating func passDeadlines(_ now: Instant) {
        if !hasStarted, !isStopping, startedAt + timing.start <= now {
            giveUp(ExitCode.failed, "workers were not ready in time")
        }
        watchForWorkers(now)
        if drainAt <= now { drainAll(now) }
        for worker in sorted {
            if let order = worker.order, order.deadline <= now {
                let reason = "no answer to \(order.step == .commit ? "commit" : "prepare") in time"
                kill(worker.id, .watchdog, reason)
                failReload(of: worker, reason, now)
            }
            if worker.finishAt <= now {
                change(worker.id) { $0.finishAt = .never }
                actions.append(.send(worker.id, .finish))
            }
            guard worker.killAt <= now else { continue }
            switch worker.phase {
            case .killed:
                change(worker.id) { $0.killAt = .never }
                actions.append(.kill(worker.id, .kill))
            case .starting: kill(worker.id, .notReady, "not ready in time")
            case .ready, .draining: kill(worker.id, .overdue, "not gone in time")
            }
        }
        for slot in slots.keys.sorted() {
            if let due = slots[slot]?.respawnAt, due <= now { spawn(slot, now) }
        }
    }

    private mutating func watchForWorkers(_ now: Instant) {
        guard hasStarted, !isStopping, readyCount == 0 else {
            noWorkerSince = nil
            return
        }
        let since = noWorkerSince ?? now
        noWorkerSince = since
        if let limit = timing.noWorker, since + limit <= now {
            giveUp(ExitCode.timeout, "no worker has been ready for \(Int(limit.seconds)) s")
        }
    }
}
