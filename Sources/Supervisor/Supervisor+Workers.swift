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

    /// What a worker has written to standard error goes on to ours, line by line.
    func readErrors(_ id: Int) {
        guard let process = processes[id] else { return }
        let (lines, isEnd) = process.readErrors(&room)
        for line in lines { log.output(line, process) }
        if isEnd { epoll.remove(process.errors.number) }
    }

    /// Collects every child that ended: one signal may stand for several. Children that are not ours are orphans,
    /// which process 1 inherits.
    func reap() {
        while let (process, status) = ChildProcess.reap() {
            if probeHasEnded(process, status) { continue }
            guard let worker = processes.values.first(where: { $0.child.id == process }) else { continue }
            // Its last words come first.
            read(worker.id)
            epoll.remove(worker.channel.number)
            bury(worker, status)
        }
    }

    private func bury(_ worker: WorkerProcess, _ status: ExitStatus) {
        readErrors(worker.id)
        for line in worker.output.finish() { log.output(line, worker) }
        epoll.remove(worker.errors.number)
        let now = Clock.now()
        let figures = figures(of: worker)
        // What it cut itself it has counted and named; what it could not is still on the scoreboard.
        var lost = figures.cut
        if status != .code(ExitCode.done), status != .code(ExitCode.cut), lost == 0 {
            let requests = requestsInFlight(of: worker).filter { $0.phase != .flushed }
            lost = requests.count
            metrics.lostRequests += requests.count
            log.lost(requests, worker, now: now)
        }
        processes[worker.id] = nil
        if let block = worker.block {
            scoreboard.clearAttempts(of: block)
            scoreboard.retire(block)
            freeBlocks.append(block)
        }
        grave = Grave(
            process: worker.child.id, output: worker.output.kept, connections: figures.connections,
            outOfMemory: memoryKills.newKills())
        handle(.exited(worker.id, status, lost: lost))
        grave = nil
    }

    /// Nothing of one whose scoreboard this image cannot read.
    func figures(of process: WorkerProcess) -> WorkerFigures {
        process.block.map { scoreboard.figures(of: $0) } ?? WorkerFigures()
    }

    func requestsInFlight(of process: WorkerProcess) -> [RequestInFlight] {
        process.block.map { scoreboard.requestsInFlight(of: $0) } ?? []
    }

    func spawn(_ id: Int, slot: Int, incarnation: Int) {
        guard let block = freeBlocks.popLast() else {
            return handle(.couldNotSpawn(id, "too many workers are draining"))
        }
        scoreboard.prepare(block, slot: slot)
        do throws(SystemError) {
            let process = try WorkerProcess.start(
                id: id, slot: slot, incarnation: incarnation, block: block,
                listeners: listeners.listeners, scoreboard: scoreboard.memory.descriptor,
                environment: WorkerProcess.environment(from: environment), now: Clock.now())
            processes[id] = process
            log.spawned(process, generation: fleet.generation)
            try watch(process)
            if log.log.level != .info { _ = process.channel.send(.logLevel(log.log.level)) }
        } catch {
            if let process = processes.removeValue(forKey: id) { process.child.send(.kill) }
            scoreboard.retire(block)
            freeBlocks.append(block)
            handle(.couldNotSpawn(id, error.description))
        }
    }

    func watch(_ process: WorkerProcess) throws(SystemError) {
        try epoll.add(process.channel.number, .readable, token: Token.worker + UInt64(process.id))
        try epoll.add(process.errors.number, .readable, token: Token.errors + UInt64(process.id))
    }

    // MARK: What the fleet decides

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

    private func perform(_ action: Fleet.Action) {
        switch action {
        case .spawn(let id, let slot, let incarnation): spawn(id, slot: slot, incarnation: incarnation)
        case .send(let id, let message):
            var file: DescriptorBox?
            guard let process = processes[id] else { return }
            switch message {
            case .prepare(let number): file = published[number]?.configuration
            case .commit(let number): tellListeners(of: number, process)
            default: break
            }
            guard !process.channel.send(message, with: file) else { return }
            handle(.broke(id, "does not take orders"))
        case .kill(let id, let signal): processes[id]?.child.send(signal)
        case .closeListeners: closeListeners()
        case .tell(let news): tell(news)
        case .exit(let code): exitCode = code
        }
    }

    private func tell(_ news: Fleet.News) {
        switch news {
        case .workerReady(let id, let took):
            log.ready(processes[id], took: took, generation: fleet.generation)
            proveUpgrade(id)
            tellManager()
        case .ready(let took):
            log.ready(workers: fleet.size, took: took, generation: fleet.generation)
            manager.ready(status)
            readiness.take()?.tell()
            if startedFromKept == nil { keepLastGood() }
            // From now on it mostly waits.
            CurrentProcess.forgetCode()
        case .workerExited(let departure): departed(departure)
        case .crashLoop(let slot, let deaths):
            log.crashLoop(slot: slot, deaths: deaths)
            tellManager()
        case .workerHung(let id, let silence):
            guard let process = processes[id] else { return }
            log.hung(
                process, silence: silence, figures: figures(of: process),
                requests: requestsInFlight(of: process), now: Clock.now())
        case .draining(let worker):
            guard let process = processes[worker.id] else { return }
            log.draining(
                worker, figures: figures(of: process), deadline: worker.killAt - Clock.now())
        case .reloaded(let outcome): reloaded(outcome)
        case .resized(let from, let to):
            log.scaled(from: from, to: to, trigger: resizeTrigger)
            tellManager()
        case .renewed(let count):
            log.renewed(count)
            upgradeIsDone(Clock.now())
        case .renewalFailed(let reason):
            log.renewalFailed(reason)
            upgradeDoesNotServe(reason)
        case .cannotStart(let reason): log.cannotStart(reason)
        case .gaveUp(let reason): log.gaveUp(reason)
        }
        publishMetrics()
    }

    private func departed(_ departure: Departure) {
        let worker = departure.worker
        let grave = grave ?? Grave()
        let now = Clock.now()
        metrics.restarts[SupervisorMetrics.Restart(slot: worker.slot, kind: departure.kind), default: 0] += 1
        log.exited(departure, grave, uptime: now - worker.startedAt)
        if !departure.isExpected {
            deaths.add(
                DeathLog.Death(
                    atMilliseconds: Clock.unixMilliseconds(), slot: worker.slot, incarnation: worker.incarnation,
                    process: grave.process, kind: departure.kind, reason: departure.reason,
                    uptime: now - worker.startedAt, generation: worker.generation, lost: departure.lost,
                    output: grave.output))
            if fleet.hasStarted, !fleet.isStopping { blameConfiguration(slot: worker.slot) }
        }
        tellManager()
    }

    func tellManager() {
        if fleet.hasStarted, !fleet.isStopping { manager.status(status) }
    }

    var status: String {
        let text = "\(fleet.readyCount)/\(fleet.size) workers, generation \(fleet.generation)"
        guard fleet.isDegraded else {
            return startedFromKept == nil
                ? text : "degraded: the files cannot be served, an older configuration is, \(text)"
        }
        let failing = (0..<fleet.size).filter { fleet.isFailing($0) }.map(String.init).joined(separator: ", ")
        return "degraded: slot \(failing) failing, \(text)"
    }
}

/// What is left of a worker when it is buried, beside what the fleet knows.
struct Grave {
    var process: Int32 = 0
    var output: [String] = []
    var connections = 0
    /// Whether the kernel has killed somebody for memory since the last death.
    var outOfMemory = false
}
