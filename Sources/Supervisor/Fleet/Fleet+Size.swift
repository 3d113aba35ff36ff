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
            for worker in sorted where worker.slot >= count { drain(worker.id, "no longer needed", now) }
        }
        if !hasStarted, readyCount == size {
            hasStarted = true
            actions.append(.tell(.ready(took: now - startedAt)))
        }
    }

    mutating func stop(_ now: Instant) {
        isStopping = true
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        actions.append(.closeListeners)
        for worker in sorted { drain(worker.id, "stopped", now) }
    }

    mutating func hurry(_ now: Instant) {
        if isHurried {
            for id in workers.keys.sorted() { kill(id, "stopped at once") }
            return
        }
        isHurried = true
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
        actions.append(.tell(.cannotStart(reason)))
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        for id in workers.keys.sorted() { kill(id, reason) }
    }

    mutating func passDeadlines(_ now: Instant) {
        if !hasStarted, !isStopping, startedAt + timing.start <= now {
            giveUp(ExitCode.failed, "workers were not ready in time")
        }
        for worker in sorted {
            if let order = worker.order, order.deadline <= now {
                let reason = "no answer to \(order.step == .commit ? "commit" : "prepare") in time"
                kill(worker.id, reason)
                if candidate?.decided == nil, candidate?.generation == order.generation {
                    failReload("slot \(worker.slot): \(reason)", now)
                }
            }
            if worker.finishAt <= now {
                change(worker.id) { $0.finishAt = .never }
                actions.append(.send(worker.id, .finish))
            }
            if worker.killAt <= now {
                kill(worker.id, worker.phase == .starting ? "not ready in time" : "not gone in time")
            }
        }
        for slot in slots.keys.sorted() {
            if let due = slots[slot]?.respawnAt, due <= now { spawn(slot, now) }
        }
    }
}
