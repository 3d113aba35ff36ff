internal import Shared

/// Hears workers, buries them, and does what the fleet decides.
extension Supervisor {
    /// Everything a worker has said.
    func read(_ id: Int) {
        guard let process = processes[id] else { return }
        while true {
            switch process.channel.receive() {
            case .message(let message, _): handle(.said(id, message))
            case .wouldBlock: return
            case .end:
                epoll.remove(process.channel.number)
                return handle(.broke(id, nil))
            case .broken(let reason):
                epoll.remove(process.channel.number)
                return handle(.broke(id, "broke the protocol: \(reason)"))
            }
        }
    }

    /// Collects every child that ended: one signal may stand for several. Children that are not ours are orphans,
    /// which process 1 inherits.
    func reap() {
        while let (process, status) = ChildProcess.reap() {
            guard let worker = processes.values.first(where: { $0.child.id == process }) else { continue }
            // Its last words come first.
            read(worker.id)
            epoll.remove(worker.channel.number)
            // What it cut itself it has counted; what it could not count is still on the scoreboard.
            var lost = scoreboard.figures(of: worker.block).cut
            if status != .code(ExitCode.done), status != .code(ExitCode.cut) {
                let requests = scoreboard.requestsInFlight(of: worker.block).filter { $0.phase != .flushed }
                lost = max(lost, requests.count)
                metrics.lostRequests += requests.count
                log.lost(requests, worker, now: Clock.now())
            }
            processes[worker.id] = nil
            scoreboard.clearAttempts(of: worker.block)
            scoreboard.retire(worker.block)
            freeBlocks.append(worker.block)
            handle(.exited(worker.id, status, lost: lost))
        }
    }

    func spawn(_ id: Int, slot: Int, incarnation: Int) {
        guard let block = freeBlocks.popLast() else {
            return handle(.couldNotSpawn(id, "too many workers are draining"))
        }
        scoreboard.prepare(block, slot: slot)
        do throws(SystemError) {
            let process = try WorkerProcess.start(
                id: id, slot: slot, incarnation: incarnation, block: block,
                listeners: listeners.listeners.map(\.socket), scoreboard: scoreboard.memory.descriptor,
                environment: WorkerProcess.environment(from: environment), now: Clock.now())
            processes[id] = process
            log.spawned(process)
            try epoll.add(process.channel.number, .readable, token: Token.worker + UInt64(id))
        } catch {
            if let process = processes.removeValue(forKey: id) { process.child.send(.kill) }
            scoreboard.retire(block)
            freeBlocks.append(block)
            handle(.couldNotSpawn(id, error.description))
        }
    }

    /// Tells the fleet, and performs what it decides. What performing brings about comes after.
    func handle(_ event: Fleet.Event) {
        events.append(event)
        guard !isPerforming else { return }
        isPerforming = true
        while !events.isEmpty {
            for action in fleet.handle(events.removeFirst(), now: Clock.now()) { perform(action) }
        }
        isPerforming = false
    }

    func perform(_ action: Fleet.Action) {
        switch action {
        case .spawn(let id, let slot, let incarnation): spawn(id, slot: slot, incarnation: incarnation)
        case .send(let id, let message):
            var file: DescriptorBox?
            if case .prepare(let number) = message { file = files[number] }
            guard let process = processes[id], !process.channel.send(message, configuration: file) else { return }
            handle(.broke(id, "does not take orders"))
        case .kill(let id, let signal): processes[id]?.child.send(signal)
        case .closeListeners: listeners.close()
        case .tell(let news): tell(news)
        case .exit(let code): exitCode = code
        }
    }

    func tell(_ news: Fleet.News) {
        log.tell(news, processes, generation: fleet.generation)
        if case .workerExited(let worker, _, false, _, _) = news { metrics.deaths[worker.slot, default: 0] += 1 }
        defer { publishMetrics() }
        switch news {
        case .ready: manager.ready(status)
        case .workerReady, .workerExited, .crashLoop, .resized:
            if fleet.hasStarted, !fleet.isStopping { manager.status(status) }
        case .reloaded(let outcome): reloaded(outcome)
        case .cannotStart: break
        }
    }

    func publishMetrics() {
        var now = SupervisorMetrics.Now(generation: fleet.generation, isDegraded: fleet.isDegraded)
        for worker in fleet.workers.values { now.states[worker.phase, default: 0] += 1 }
        scoreboard.publish(metrics.text(now))
    }

    var status: String {
        let text = "\(fleet.readyCount)/\(fleet.size) workers, generation \(fleet.generation)"
        return fleet.isDegraded ? "degraded: \(text)" : text
    }
}
