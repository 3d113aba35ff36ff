internal import Shared

/// Answers `tagway ctl`.
extension Supervisor {
    func acceptControl() {
        for client in control.accept(now: Clock.now()) {
            guard let number = control.descriptor(of: client) else { continue }
            try? epoll.add(number, .readable, token: Token.client + UInt64(client))
        }
    }

    func readControl(_ client: Int) {
        for line in control.read(client, now: Clock.now()) {
            guard let request = ControlRequest(line) else {
                control.answer(client, ControlAnswer(exit: ExitCode.usage, text: "this is no request\n"))
                continue
            }
            answer(request, client)
        }
    }

    /// What cannot be begun now, if anything: a stop ends everything else.
    private func obstacle(to action: ControlOptions.Action) -> String? {
        switch action {
        case .status, .workers, .stop, .events, .version, .logLevel: nil
        case .reload, .scale, .upgrade: fleet.isStopping ? "stopping" : nil
        case .drain: fleet.isStopping ? "stopping" : upgrade.isReplacing ? "upgrading" : nil
        }
    }

    func answer(_ request: ControlRequest, _ client: Int) {
        if let obstacle = obstacle(to: request.action) {
            return control.answer(client, ControlAnswer(exit: ExitCode.refused, text: obstacle + "\n"))
        }
        switch request.action {
        case .status: control.answer(client, report().answer(isColoured: request.flags.contains(.colour)))
        case .workers: control.answer(client, report().workersAnswer(isColoured: request.flags.contains(.colour)))
        case .version:
            control.answer(client, ControlAnswer(text: "tagway \(Main.version), build \(BuildID.own)\n"))
        case .reload: answerReload(request, client)
        case .drain: answerDrain(request, client)
        case .scale:
            resize(request.number ?? fleet.size, "ctl")
            let text = "\(fleet.size) workers" + (fleet.size == request.number ? "" : ", which is the limit")
            control.answer(
                client, ControlAnswer(exit: fleet.size == request.number ? 0 : ExitCode.refused, text: text + "\n"))
        case .stop: answerStop(request, client)
        case .logLevel:
            let level = request.word.flatMap { Log.Level(name: $0) }
            if let level { setLogLevel(level) }
            let text = level.map { "events from \($0.name) on are logged\n" } ?? "this is no level\n"
            control.answer(client, ControlAnswer(exit: level == nil ? ExitCode.usage : 0, text: text))
        case .upgrade: answerUpgrade(request, client)
        case .events: answerEvents(request, client)
        }
    }

    private func answerReload(_ request: ControlRequest, _ client: Int) {
        if request.flags.contains(.dryRun) { return control.answer(client, rehearseReload()) }
        var wishes: ReloadWishes = []
        if request.flags.contains(.force) { wishes.insert(.force) }
        if request.flags.contains(.respawn) { wishes.insert(.respawn) }
        if request.waits {
            control.promise(client)
            reload("ctl", wishes, for: client)
        } else {
            let id = reload("ctl", wishes)
            control.answer(client, ControlAnswer(text: "reload \(id) begun\n"))
        }
    }

    private func answerDrain(_ request: ControlRequest, _ client: Int) {
        guard let slot = request.number, fleet.sorted.contains(where: { $0.slot == slot && $0.phase == .ready }) else {
            let text = "no worker is ready in that slot\n"
            return control.answer(client, ControlAnswer(exit: ExitCode.refused, text: text))
        }
        handle(.renew([slot], .replaced, reason: "drained by ctl"))
        control.answer(client, ControlAnswer(text: "the worker of slot \(slot) is replaced, then drains\n"))
    }

    private func answerStop(_ request: ControlRequest, _ client: Int) {
        if request.waits {
            control.promise(client)
            waitingForEnd.append(client)
        } else {
            control.answer(client, ControlAnswer(text: "stopping\n"))
        }
        if request.flags.contains(.now) {
            beginStop("ctl")
            handle(.stopNow)
        } else {
            stop("ctl")
        }
    }

    private func answerUpgrade(_ request: ControlRequest, _ client: Int) {
        if request.waits { control.promise(client) }
        if let obstacle = beginUpgrade(to: request.word, for: request.waits ? client : nil) {
            control.answer(client, ControlAnswer(exit: ExitCode.refused, text: obstacle + "\n"))
        } else if !request.waits {
            control.answer(client, ControlAnswer(text: "upgrade begun\n"))
        }
    }

    private func answerEvents(_ request: ControlRequest, _ client: Int) {
        guard request.flags.contains(.follow) else {
            let text = log.tail.lines.map { String(decoding: $0, as: UTF8.self) }.joined()
            return control.answer(client, ControlAnswer(text: text))
        }
        control.promise(client)
        guard log.tail.lines.allSatisfy({ control.push(client, $0) }) else { return }
        log.tail.followers.append(client)
    }

    private func setLogLevel(_ level: Log.Level) {
        log.log.level = level
        for process in processes.values { _ = process.channel.send(.logLevel(level)) }
    }

    // MARK: Status

    private var state: String {
        if fleet.isStopping { return "stopping" }
        if !fleet.hasStarted { return "starting" }
        if fleet.isReloading { return "reloading" }
        if upgrade.isUnderWay { return "upgrading" }
        return fleet.isDegraded || startedFromKept != nil ? "degraded" : "ready"
    }

    func report() -> StatusReport {
        let now = Clock.now()
        let workers = fleet.sorted.map { worker in
            let process = processes[worker.id]
            let figures = process.map { self.figures(of: $0) } ?? WorkerFigures()
            return StatusReport.Worker(
                slot: worker.slot, incarnation: worker.incarnation, process: process?.child.id ?? 0,
                state: worker.phase.rawValue, generation: worker.generation, uptime: now - worker.startedAt,
                deaths: fleet.deaths(of: worker.slot), figures: figures, silence: now - figures.heartbeat)
        }
        return StatusReport(
            state: state, version: Main.version, build: BuildID.own, process: CurrentProcess.id, config: source.path,
            hash: configuration.fingerprint, hasDrifted: hasDrifted,
            startedFromKept: startedFromKept, uptime: now - startedAt,
            generation: fleet.generation, wanted: fleet.size, configured: wantedWorkers, ready: fleet.readyCount,
            listeners: listeners.listeners.map {
                StatusReport.Listener(address: "\($0.address)", queued: Socket.queueLength($0.socket.number))
            }, workers: workers, lastReload: reloads.last, deaths: deaths.deaths,
            nowMilliseconds: Clock.unixMilliseconds())
    }
}
