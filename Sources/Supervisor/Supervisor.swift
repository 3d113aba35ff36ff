internal import Shared

/// The supervisor: one thread, one epoll loop, no request ever passes through it.
///
/// Signals, messages of workers, their deaths and deadlines go into `Fleet`; its actions are performed here. The
/// configuration is read here and nowhere else. What there is to say is said by `SupervisorLog`.
final class Supervisor {
    private let options: ServeOptions
    private let source: ConfigurationSource
    private let environment: [String: String]
    private let log: SupervisorLog
    private let signals: SignalDescriptor
    private let runDirectory: RunDirectory
    private let control: ControlServer
    private let scoreboard: Scoreboard
    private let manager: ServiceManager
    private let isLoopback: Bool
    private let startedAt = Clock.now()
    private var listeners: ListenerSet
    private var epoll: Epoll
    private var fleet = Fleet(seed: SystemRandom.seed())
    private var processes: [Int: WorkerProcess] = [:]
    private var freeBlocks: [Int] = Array((0..<Scoreboard.mostWorkers).reversed())
    /// Each generation that a worker may still be told of, encoded.
    private var files: [UInt64: DescriptorBox] = [:]
    private var configuration: Configuration
    private var encoded: [UInt8]
    private var lastGeneration: UInt64 = 1
    private var reloads = ReloadQueue()
    /// Clients of the control socket that wait for the reload of that number, and for the end.
    private var waitingForReload: [(client: Int, reload: Int)] = []
    private var waitingForEnd: [Int] = []
    private var events: [Fleet.Event] = []
    private var isPerforming = false
    private var stopBegun: Instant?
    private var nextProgress = Instant.never
    private var nextSignOfLife = Instant.never
    private var exitCode: Int32?

    struct StartFailure: Error {
        let code: Int32
        let reason: String

        init(_ code: Int32, _ reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    private enum Token {
        static let signals: UInt64 = 0
        static let control: UInt64 = 1
        /// And the number of a worker, or of a client of the control socket.
        static let worker: UInt64 = 1 << 32
        static let client: UInt64 = 1 << 48
    }

    /// The role `serve`, from start to end; answers the exit status.
    static func run(_ options: ServeOptions) -> Int32 {
        let log = SupervisorLog()
        do throws(StartFailure) {
            return try Supervisor(options, log).loop()
        } catch {
            log.startFailed(error)
            return error.code
        }
    }

    // MARK: Start

    private init(_ options: ServeOptions, _ log: SupervisorLog) throws(StartFailure) {
        self.options = options
        self.log = log
        do throws(SystemError) {
            // Before anything else: none may be lost, whatever our parent made of them.
            signals = try SignalDescriptor(taking: [
                .hangUp, .interrupt, .quit, .user1, .user2, .terminate, .child, .ttyInput, .ttyOutput, .windowChange,
            ])
            SignalDescriptor.ignore([.pipe, .alarm])
            epoll = try Epoll(eventsPerWait: 64)
            try epoll.add(signals.number, .readable, token: Token.signals)
            scoreboard = try Scoreboard()
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
        environment = CurrentProcess.environment()
        manager = ServiceManager(environment: environment)
        source = ConfigurationSource(
            path: options.config, environmentFile: options.environmentFile, isStrict: options.isStrict)
        let addresses = try Self.addresses(options)
        isLoopback = addresses.joined().allSatisfy(\.isLoopback)
        // A port that the kernel picks cannot be anybody else's.
        var directory = options.port == 0 ? nil : try Self.takeDirectory(options, options.port, environment)
        (configuration, encoded) = try Self.firstConfiguration(source, isLoopback: isLoopback, log)
        do throws(ListenerSet.BindError) {
            listeners = try ListenerSet(binding: addresses)
        } catch {
            throw StartFailure(error.exitCode, error.message)
        }
        runDirectory =
            if let taken = directory.take() { taken } else {
                try Self.takeDirectory(options, listeners.port, environment)
            }
        do throws(SystemError) {
            control = try ControlServer(at: RunDirectory.controlSocket(in: runDirectory.path))
            try epoll.add(control.number, .readable, token: Token.control)
            files[1] = try SealedBytes.make(named: "generation-1", encoded)
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
    }

    private static func addresses(_ options: ServeOptions) throws(StartFailure) -> [[SocketAddress]] {
        var addresses: [[SocketAddress]] = []
        for host in options.hosts.isEmpty ? ["127.0.0.1"] : options.hosts {
            guard let found = ListenerSet.addresses(of: host, port: options.port) else {
                throw StartFailure(
                    ExitCode.usage, "--host \(host) is no address; give an IPv4 or IPv6 address, localhost or *")
            }
            addresses.append(found)
        }
        return addresses
    }

    private static func takeDirectory(
        _ options: ServeOptions, _ port: UInt16, _ environment: [String: String]
    ) throws(StartFailure) -> RunDirectory {
        let path = RunDirectory.path(
            told: options.runDirectory, port: port, environment: environment, user: CurrentProcess.userID)
        do throws(RunDirectory.Failure) {
            return try RunDirectory(taking: File.absolute(path))
        } catch {
            switch error {
            case .held(let holder):
                throw StartFailure(
                    ExitCode.alreadyRunning, "already running: \(holder) holds \(path)/supervisor.lock")
            case .unusable(let reason):
                throw StartFailure(ExitCode.alreadyRunning, "the run directory cannot be used: \(reason)")
            }
        }
    }

    private static func firstConfiguration(
        _ source: ConfigurationSource, isLoopback: Bool, _ log: SupervisorLog
    ) throws(StartFailure) -> (Configuration, [UInt8]) {
        let loaded = source.load()
        log.problems(loaded.decoded.problems)
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, .start, isStrict: source.isStrict, isLoopback: isLoopback)
        log.warnings(warnings)
        switch verdict {
        case .candidate(let configuration, let encoded): return (configuration, encoded)
        case .refused(let reasons):
            throw StartFailure(ExitCode.configuration, reasons.joined(separator: "\n"))
        case .unchanged: preconditionFailure("there is nothing yet that a first configuration could equal")
        }
    }

    private var wantedWorkers: Int {
        switch options.workers {
        case .exactly(let count): count
        case .automatic: min(WorkerCount.most, CurrentProcess.usableProcessors)
        case nil: min(WorkerCount.most, configuration.process.workers ?? CurrentProcess.usableProcessors)
        }
    }

    // MARK: The loop

    private func loop() -> Int32 {
        log.start(version: Main.version, config: source.path, workers: wantedWorkers)
        log.listening(listeners, smallerBacklog: ListenerSet.smallerBacklog())
        if manager.watchdogInterval != nil { nextSignOfLife = startedAt }
        fleet.timing.drain = .seconds(configuration.process.drainTimeout)
        handle(.start(workers: wantedWorkers, generation: 1))
        while exitCode == nil {
            let count = epoll.wait(milliseconds: waitingTime())
            for index in 0..<count {
                let token = epoll.event(index).token
                switch token {
                case Token.signals: readSignals()
                case Token.control: acceptControl()
                case Token.client...: readControl(Int(token - Token.client))
                default: read(Int(token - Token.worker))
                }
            }
            handle(.clock)
            keepHouse()
        }
        let code = exitCode ?? ExitCode.failed
        log.stopped(begun: stopBegun, code: code, cut: fleet.cut)
        for client in waitingForEnd {
            control.answer(client, ControlAnswer(exit: code, text: "stopped, \(fleet.cut) requests cut\n"))
        }
        control.remove()
        return code
    }

    private func waitingTime() -> Int32 {
        var deadline = min(fleet.nextDeadline, nextProgress, nextSignOfLife)
        if control.hasClients { deadline = min(deadline, Clock.now() + .seconds(1)) }
        guard deadline != .never else { return -1 }
        let wait = deadline - Clock.now()
        // Rounded up: waking before the deadline would only mean waiting again.
        return Int32(clamping: min(60_000, max(0, wait.nanoseconds / 1_000_000 + 1)))
    }

    private func keepHouse() {
        let now = Clock.now()
        if control.hasClients { control.closeIdle(now: now) }
        if nextSignOfLife <= now, let interval = manager.watchdogInterval {
            nextSignOfLife = now + interval
            manager.alive()
        }
        if nextProgress <= now {
            nextProgress = now + .seconds(5)
            let figures = processes.values.map { scoreboard.figures(of: $0.block) }
            let left = figures.reduce(0) { $0 + $1.connections }
            let inFlight = figures.reduce(0) { $0 + $1.inFlight }
            log.draining(workers: processes.count, connections: left, inFlight: inFlight)
            manager.extend(.seconds(15), "draining, \(inFlight) requests in flight")
        }
    }

    private func readSignals() {
        while let record = signals.next() {
            switch record.signal {
            case .child: reap()
            case .hangUp:
                log.signal(record)
                reload("SIGHUP")
            case .terminate, .interrupt:
                log.signal(record)
                stop(record.signal.name)
            case .quit:
                log.signal(record)
                beginStop(record.signal.name)
                handle(.stopNow)
            case .ttyInput:
                log.signal(record)
                handle(.resize(min(WorkerCount.most, fleet.size + 1)))
            case .ttyOutput:
                log.signal(record)
                handle(.resize(max(1, fleet.size - 1)))
            case .user1, .user2, .windowChange, .abort, .kill, .pipe, .alarm: break
            }
        }
    }

    private func stop(_ reason: String) {
        beginStop(reason)
        handle(.stop)
    }

    private func beginStop(_ reason: String) {
        guard stopBegun == nil else { return }
        stopBegun = Clock.now()
        nextProgress = Clock.now() + .seconds(5)
        log.stopping(reason, drain: fleet.timing.drain)
        manager.stopping("stopping")
    }

    // MARK: Workers

    /// Everything a worker has said.
    private func read(_ id: Int) {
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
    private func reap() {
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
                log.lost(requests, worker, now: Clock.now())
            }
            processes[worker.id] = nil
            freeBlocks.append(worker.block)
            handle(.exited(worker.id, status, lost: lost))
        }
    }

    private func spawn(_ id: Int, slot: Int, incarnation: Int) {
        guard let block = freeBlocks.popLast() else {
            return handle(.couldNotSpawn(id, "too many workers are draining"))
        }
        scoreboard.prepare(block)
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
            freeBlocks.append(block)
            handle(.couldNotSpawn(id, error.description))
        }
    }

    /// Tells the fleet, and performs what it decides. What performing brings about comes after.
    private func handle(_ event: Fleet.Event) {
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
            if case .prepare(let number) = message { file = files[number] }
            guard let process = processes[id], !process.channel.send(message, configuration: file) else { return }
            handle(.broke(id, "does not take orders"))
        case .kill(let id, let signal): processes[id]?.child.send(signal)
        case .closeListeners: listeners.close()
        case .tell(let news): tell(news)
        case .exit(let code): exitCode = code
        }
    }

    private func tell(_ news: Fleet.News) {
        log.tell(news, processes, generation: fleet.generation)
        switch news {
        case .ready: manager.ready(status)
        case .workerReady, .workerExited, .crashLoop, .resized:
            if fleet.hasStarted, !fleet.isStopping { manager.status(status) }
        case .reloaded(let outcome): reloaded(outcome)
        case .cannotStart: break
        }
    }

    private var status: String {
        let text = "\(fleet.readyCount)/\(fleet.size) workers, generation \(fleet.generation)"
        return fleet.isDegraded ? "degraded: \(text)" : text
    }

    // MARK: Reload

    /// Reads the configuration again, now or after the reload under way: requests that come meanwhile are one.
    @discardableResult
    private func reload(_ trigger: String, for client: Int? = nil) -> Int {
        let (id, begins) = reloads.ask(trigger)
        if let client { waitingForReload.append((client, id)) }
        if begins { beginReload() }
        return id
    }

    private func beginReload() {
        guard let reload = reloads.current else { return }
        log.reloadBegun(reload)
        manager.reloading(now: Clock.now())
        let loaded = source.load()
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, .reload(encoded), isStrict: source.isStrict, isLoopback: isLoopback)
        switch verdict {
        case .unchanged: finishReload(.unchanged)
        case .refused(let reasons):
            log.problems(loaded.decoded.problems)
            finishReload(.failed(reasons))
        case .candidate(let configuration, let encoded):
            log.problems(loaded.decoded.problems)
            log.warnings(warnings)
            do throws(SystemError) {
                lastGeneration += 1
                files[lastGeneration] = try SealedBytes.make(named: "generation-\(lastGeneration)", encoded)
                reloads.offered(configuration, encoded: encoded)
                handle(.reload(generation: lastGeneration))
            } catch {
                finishReload(.failed([error.description]))
            }
        }
    }

    private func reloaded(_ outcome: Fleet.ReloadOutcome) {
        if let refusal = outcome.refusal { return finishReload(.failed([refusal])) }
        if let offer = reloads.current?.offer {
            let difference = ModelDifference(from: self.configuration, to: offer.configuration)
            configuration = offer.configuration
            encoded = offer.encoded
            fleet.timing.drain = .seconds(configuration.process.drainTimeout)
            finishReload(.done(difference, outcome))
            if options.workers == nil { handle(.resize(wantedWorkers)) }
        }
    }

    private func finishReload(_ result: ReloadResult) {
        files = files.filter { $0.key == fleet.generation }
        guard let finished = reloads.finish(result, generation: fleet.generation) else { return }
        log.reloaded(finished)
        for waiting in waitingForReload where waiting.reload <= finished.id {
            control.answer(waiting.client, finished.answer)
        }
        waitingForReload.removeAll { $0.reload <= finished.id }
        if !fleet.isStopping {
            manager.ready(finished.failure.map { "reload failed: \($0); still \(status)" } ?? status)
        }
        if reloads.current != nil { beginReload() }
    }

    // MARK: Control

    private func acceptControl() {
        for client in control.accept(now: Clock.now()) {
            guard let number = control.descriptor(of: client) else { continue }
            try? epoll.add(number, .readable, token: Token.client + UInt64(client))
        }
    }

    private func readControl(_ client: Int) {
        for line in control.read(client, now: Clock.now()) {
            guard let request = ControlRequest(line) else {
                control.answer(client, ControlAnswer(exit: ExitCode.usage, text: "this is no request\n"))
                continue
            }
            answer(request, client)
        }
    }

    private func answer(_ request: ControlRequest, _ client: Int) {
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

    private func report() -> StatusReport {
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
