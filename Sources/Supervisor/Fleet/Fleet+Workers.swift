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

    private mutating func order(_ id: Int, _ step: Order.Step, _ number: UInt64, until deadline: Instant) {
        change(id) { worker in
            // A starting worker has `killAt` for its deadline.
            let deadline = worker.phase == .starting ? .never : deadline
            worker.order = Order(step: step, generation: number, deadline: deadline)
        }
    }

    mutating func kill(_ id: Int, _ cause: Cause, _ reason: String, _ signal: Signal = .kill) {
        guard let worker = workers[id], worker.phase != .killed else { return }
        change(id) { worker in
            worker.phase = .killed
            worker.order = nil
            worker.finishAt = .never
            worker.killAt = .never
            worker.cause = worker.cause ?? cause
            worker.reason = worker.reason ?? reason
        }
        actions.append(.kill(id, signal))
    }

    mutating func drain(_ id: Int, _ cause: Cause, _ reason: String, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .starting || worker.phase == .ready else { return }
        let lastWords = min(timing.lastWords.nanoseconds, timing.drain.nanoseconds / 2)
        let finishAt = now + TimeSpan(nanoseconds: timing.drain.nanoseconds - lastWords)
        let killAt = now + timing.drain
        change(id) { worker in
            worker.phase = .draining
            worker.order = nil
            worker.cause = worker.cause ?? cause
            worker.reason = worker.reason ?? reason
            worker.finishAt = finishAt
            worker.killAt = killAt
        }
        actions.append(.send(id, .drain))
        if let worker = workers[id] { actions.append(.tell(.draining(worker))) }
    }

    /// The first stroke lets it print where it hangs, the second works on a stopped process, too.
    mutating func hung(_ id: Int, _ silence: TimeSpan, _ now: Instant) {
        guard let worker = workers[id], worker.phase != .killed else { return }
        actions.append(.tell(.workerHung(id, silence: silence)))
        change(id) { worker in
            // Whatever it was to end for: this is what ends it.
            worker.cause = .watchdog
            worker.reason = "its loop has not turned for \(silence.milliseconds) ms"
        }
        kill(id, .watchdog, "hung", .abort)
        let killAt = now + timing.abort
        change(id) { $0.killAt = killAt }
        failReload(of: worker, "it hangs", now)
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
                if !hasStarted { giveUp(ExitCode.configuration, "a worker refused the configuration: \(reason)") }
                kill(id, .notReady, reason)
            }
        case .committed(let number):
            guard let order = worker.order, order.step == .commit, order.generation == number else { return }
            change(id) { worker in
                worker.order = nil
                worker.generation = number
            }
        case .ready: becameReady(worker, now)
        case .leaving:
            guard worker.phase == .ready, !worker.isReplaced, !isStopping, worker.slot < size else { return }
            change(id) { $0.isReplaced = true }
            if needsSuccessor(worker.slot) { spawn(worker.slot, now) }
        case .drained: break
        case .prepare, .commit, .abort, .open, .close, .poke, .lameDuck, .drain, .finish, .logLevel:
            kill(id, .brokenProtocol, "broke the protocol")
        }
        catchUp(id, now)
    }

    private mutating func becameReady(_ worker: Worker, _ now: Instant) {
        guard worker.phase == .starting else { return }
        change(worker.id) { worker in
            worker.phase = .ready
            worker.readyAt = now
            worker.killAt = .never
        }
        slots[worker.slot]?.bootFailures = 0
        actions.append(.tell(.workerReady(worker.id, took: now - worker.startedAt)))
        if drainAt != .never { actions.append(.send(worker.id, .lameDuck)) }
        for other in sorted where other.slot == worker.slot && other.incarnation < worker.incarnation {
            let isAsked = renewal?.leaving == other.incarnation && renewal?.slot == other.slot
            drain(
                other.id, isAsked ? renewal?.cause ?? .replaced : .replaced,
                isAsked ? renewal?.reason ?? "replaced" : "replaced", now)
        }
        renewalIsReady(worker, now)
        startIsDone(now)
    }

    /// A worker with an older generation than the one in force, and nothing else to do, is told of it; then of the
    /// candidate, if it has not been.
    mutating func catchUp(_ id: Int, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .ready, worker.order == nil else { return }
        if worker.generation != generation {
            prepare(id, generation, now)
        } else if let number = candidate?.generation, candidate?.behind.remove(id) != nil {
            prepare(id, number, now)
        }
    }

    // MARK: Its end

    mutating func exited(_ id: Int, _ status: ExitStatus, _ lost: Int, _ now: Instant) {
        guard let worker = workers.removeValue(forKey: id) else { return }
        if isStopping || worker.phase == .draining { cut += lost }
        renewalHasEnded(worker, now)
        var nextTry: TimeSpan?
        if needsSuccessor(worker.slot) { nextTry = plan(worker, now) }
        let departure = Departure(worker, status, lost: lost, nextTry: nextTry)
        actions.append(.tell(.workerExited(departure)))
        if !departure.isExpected, !isStopping {
            for other in sorted where other.phase == .ready { actions.append(.send(other.id, .poke)) }
        }
        if let nextTry, nextTry.nanoseconds == 0 { spawn(worker.slot, now) }
    }

    /// Whether nobody serves in a slot, and nobody is about to.
    func needsSuccessor(_ slot: Int) -> Bool {
        !isStopping && slot < size && slots[slot]?.respawnAt == nil
            && !workers.values.contains {
                $0.slot == slot && ($0.phase == .starting || $0.phase == .ready && !$0.isReplaced)
            }
    }

    /// How long the slot of a dead worker waits for the next.
    private mutating func plan(_ worker: Worker, _ now: Instant) -> TimeSpan? {
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
}
