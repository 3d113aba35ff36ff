internal import Shared

/// The life of one worker: started, told things, heard, replaced, gone.
extension Fleet {
    mutating func spawn(_ slot: Int, _ now: Instant) {
        slots[slot, default: Slot()].respawnAt = nil
        slots[slot, default: Slot()].incarnations += 1
        let id = nextID
        nextID += 1
        let incarnation = slots[slot]?.incarnations ?? 1
        workers[id] = Worker(
            id: id, slot: slot, incarnation: incarnation, startedAt: now, killAt: now + timing.boot)
        actions.append(.spawn(id, slot: slot, incarnation: incarnation))
        prepare(id, generation, now)
    }

    mutating func change(_ id: Int, _ body: (inout Worker) -> Void) {
        guard var worker = workers[id] else { return }
        body(&worker)
        workers[id] = worker
    }

    mutating func prepare(_ id: Int, _ number: UInt64, _ now: Instant) {
        order(id, .prepare, number, until: now + timing.prepare)
        actions.append(.send(id, .prepare(generation: number)))
    }

    mutating func commit(_ id: Int, _ number: UInt64, _ now: Instant) {
        order(id, .commit, number, until: now + timing.commit)
        actions.append(.send(id, .commit(generation: number)))
    }

    mutating func order(_ id: Int, _ step: Order.Step, _ number: UInt64, until deadline: Instant) {
        change(id) { worker in
            // A starting worker has `killAt` for its deadline.
            let deadline = worker.phase == .starting ? .never : deadline
            worker.order = Order(step: step, generation: number, deadline: deadline)
        }
    }

    mutating func kill(_ id: Int, _ reason: String) {
        guard let worker = workers[id], worker.phase != .killed else { return }
        change(id) { worker in
            worker.phase = .killed
            worker.order = nil
            worker.finishAt = .never
            worker.killAt = .never
            worker.reason = worker.reason ?? reason
        }
        actions.append(.kill(id, .kill))
    }

    mutating func drain(_ id: Int, _ reason: String, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .starting || worker.phase == .ready else { return }
        let lastWords = min(timing.lastWords.nanoseconds, timing.drain.nanoseconds / 2)
        let finishAt = now + TimeSpan(nanoseconds: timing.drain.nanoseconds - lastWords)
        let killAt = now + timing.drain
        change(id) { worker in
            worker.phase = .draining
            worker.order = nil
            worker.reason = reason
            worker.finishAt = finishAt
            worker.killAt = killAt
        }
        actions.append(.send(id, .drain))
    }

    mutating func heard(_ id: Int, _ message: ControlMessage, _ now: Instant) {
        guard let worker = workers[id] else { return }
        switch message {
        case .prepared(let number):
            guard let order = worker.order, order.step == .prepare, order.generation == number else { return }
            if candidate?.decided == nil, candidate?.generation == number {
                change(id) { $0.order = Order(step: .prepared, generation: number, deadline: .never) }
            } else if number != generation {
                prepare(id, generation, now)
            } else {
                commit(id, number, now)
            }
        case .refused(let number, let reason):
            guard let order = worker.order, order.step == .prepare, order.generation == number else { return }
            if candidate?.decided == nil, candidate?.generation == number {
                change(id) { $0.order = nil }
                failReload("slot \(worker.slot): \(reason)", now)
            } else {
                change(id) { $0.reason = reason }
                if !hasStarted { giveUp(ExitCode.configuration, "a worker refused the configuration: \(reason)") }
                kill(id, reason)
            }
        case .committed(let number):
            guard let order = worker.order, order.step == .commit, order.generation == number else { return }
            change(id) { worker in
                worker.order = nil
                worker.generation = number
            }
        case .ready: becameReady(worker, now)
        case .leaving:
            guard worker.phase == .ready, !worker.isReplaced, !isStopping, isNewest(worker) else { return }
            change(id) { $0.isReplaced = true }
            spawn(worker.slot, now)
        case .drained: break
        case .prepare, .commit, .abort, .poke, .drain, .finish:
            kill(id, "broke the protocol")
        }
        catchUp(id, now)
    }

    func isNewest(_ worker: Worker) -> Bool {
        worker.slot < size && worker.incarnation == slots[worker.slot]?.incarnations
    }

    mutating func becameReady(_ worker: Worker, _ now: Instant) {
        guard worker.phase == .starting else { return }
        change(worker.id) { worker in
            worker.phase = .ready
            worker.readyAt = now
            worker.killAt = .never
        }
        slots[worker.slot]?.bootFailures = 0
        actions.append(.tell(.workerReady(worker.id, took: now - worker.startedAt)))
        for other in sorted where other.slot == worker.slot && other.incarnation < worker.incarnation {
            drain(other.id, "replaced", now)
        }
        if !hasStarted, readyCount == size {
            hasStarted = true
            actions.append(.tell(.ready(took: now - startedAt)))
        }
    }

    /// A worker with an older generation than the one in force, and nothing else to do, is told of it.
    mutating func catchUp(_ id: Int, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .ready, worker.order == nil, worker.generation != generation
        else { return }
        prepare(id, generation, now)
    }

    mutating func exited(_ id: Int, _ status: ExitStatus, _ lost: Int, _ now: Instant) {
        guard let worker = workers.removeValue(forKey: id) else { return }
        let isExpected = worker.phase == .draining && (status == .code(0) || status == .code(ExitCode.cut))
        if isStopping || worker.phase == .draining { cut += lost }
        var nextTry: TimeSpan?
        if !isStopping, isNewest(worker) { nextTry = plan(worker, now) }
        actions.append(
            .tell(
                .workerExited(
                    worker, reason: Self.reason(worker, status), isExpected: isExpected, lost: lost, nextTry: nextTry)))
        if !isExpected, !isStopping {
            for other in sorted where other.phase == .ready { actions.append(.send(other.id, .poke)) }
        }
        if let nextTry, nextTry.nanoseconds == 0 { spawn(worker.slot, now) }
    }

    /// How long the slot of a dead worker waits for the next.
    mutating func plan(_ worker: Worker, _ now: Instant) -> TimeSpan? {
        var slot = slots[worker.slot, default: Slot()]
        if !hasStarted, worker.readyAt == nil {
            slot.bootFailures += 1
            slots[worker.slot] = slot
            if slot.bootFailures >= 3 {
                giveUp(ExitCode.failed, "workers do not start: \(worker.reason ?? "see their messages")")
                return nil
            }
        }
        let life = worker.readyAt.map { now - $0 }
        if let life, life >= Backoff.healthy {
            slot.deaths = []
            slot.isFailing = false
        }
        let delay = slot.backoff.delay(afterLife: life, using: &random)
        slot.deaths = slot.deaths.filter { now - $0 < .seconds(60) } + [now]
        slot.respawnAt = now + delay
        if slot.deaths.count >= 5, !slot.isFailing {
            slot.isFailing = true
            actions.append(.tell(.crashLoop(slot: worker.slot, deaths: slot.deaths.count)))
        }
        slots[worker.slot] = slot
        return delay
    }

    static func reason(_ worker: Worker, _ status: ExitStatus) -> String {
        let how =
            switch status {
            case .code(0): "exited"
            case .code(let code): "exit status \(code)"
            case .signal(Signal.kill.rawValue) where worker.phase != .killed: "SIGKILL, maybe out of memory"
            case .signal(let number): Signal.name(of: number)
            }
        if let reason = worker.reason { return status == .code(0) ? reason : "\(reason) (\(how))" }
        return worker.readyAt == nil ? "\(how) before it was ready" : how
    }
}
