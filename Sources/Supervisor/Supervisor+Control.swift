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

    func answer(_ request: ControlRequest, _ client: Int) {
        switch request.action {
        case .status:
            let report = report()
            control.answer(client, ControlAnswer(text: report.text, data: report.json))
        case .reload where fleet.isStopping:
            control.answer(client, ControlAnswer(exit: ExitCode.refused, text: "stopping\n"))
        case .reload where request.waits:
            control.promise(client)
            reload("ctl", for: client)
        case .reload:
            let id = reload("ctl")
            control.answer(client, ControlAnswer(text: "reload \(id) begun\n"))
        case .stop:
            if request.waits {
                control.promise(client)
                waitingForEnd.append(client)
            } else {
                control.answer(client, ControlAnswer(text: "stopping\n"))
            }
            stop("ctl")
        }
    }

    func report() -> StatusReport {
        let now = Clock.now()
        let state =
            fleet.isStopping
            ? "stopping"
            : !fleet.hasStarted
                ? "starting" : fleet.isReloading ? "reloading" : fleet.isDegraded ? "degraded" : "ready"
        let workers = fleet.sorted.map { worker in
            let process = processes[worker.id]
            let figures = process.map { scoreboard.figures(of: $0.block) } ?? WorkerFigures()
            return StatusReport.Worker(
                slot: worker.slot, incarnation: worker.incarnation, process: process?.child.id ?? 0,
                state: worker.phase.rawValue, generation: worker.generation, uptime: now - worker.startedAt,
                deaths: fleet.deaths(of: worker.slot), figures: figures, silence: now - figures.heartbeat)
        }
        return StatusReport(
            state: state, version: Main.version, process: CurrentProcess.id, config: source.path,
            uptime: now - startedAt, generation: fleet.generation, wanted: fleet.size, ready: fleet.readyCount,
            listeners: listeners.listeners.map { "\($0.address)" }, workers: workers, lastReload: reloads.last)
    }
}
