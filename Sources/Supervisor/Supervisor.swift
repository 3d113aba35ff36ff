internal import Shared

/// The supervisor: one thread, one epoll loop, no request ever passes through it.
///
/// Signals, messages of workers, their deaths and deadlines go into `Fleet`; its actions are performed here. The
/// configuration is read here and nowhere else. What there is to say is said by `SupervisorLog`.
final class Supervisor {
    let options: ServeOptions
    var source: ConfigurationSource
    let environment: [String: String]
    let log: SupervisorLog
    let signals: SignalDescriptor
    let runDirectory: RunDirectory
    let control: ControlServer
    let scoreboard: Scoreboard
    let manager: ServiceManager
    /// Whether workers of an earlier image, if there are any, write to it.
    let sharesScoreboard: Bool
    var readiness: ReadyDescriptor?
    let listenRule: ListenRule
    let startedAt: Instant
    /// The executable that an upgrade takes unless told otherwise.
    let executable: String
    var listeners: ListenerSet
    var epoll: Epoll
    var fleet = Fleet(seed: SystemRandom.seed())
    var processes: [Int: WorkerProcess] = [:]
    var freeBlocks: [Int] = Array((0..<Scoreboard.mostWorkers).reversed())
    /// Each generation that a worker may still be told of.
    var published: [UInt64: PublishedGeneration] = [:]
    /// Sockets that no worker listens on any more, and when they are closed.
    var leftListeners: [(listener: ListenerSet.Listener, closeAt: Instant)] = []
    var configuration: Configuration
    var encoded: [UInt8]
    var slots: DeploymentSlots
    var lastGeneration: UInt64 = 1
    var reloads = ReloadQueue()
    let watch = ConfigurationWatch()
    /// Clients of the control socket that wait for the reload of that number, and for the end.
    var waitingForReload: [(client: Int, reload: Int)] = []
    var waitingForEnd: [Int] = []
    var waitingForUpgrade: [Int] = []
    var upgrade = Upgrade.none
    var events: [Fleet.Event] = []
    var isPerforming = false
    var stopBegun: Instant?
    var nextProgress = Instant.never
    var nextSignOfLife = Instant.never
    var nextTick = Instant.never
    var ticks = 0
    var exitCode: Int32?
    var metrics = SupervisorMetrics(lastReloadSeconds: Int(Clock.unixMilliseconds() / 1000))
    var deaths = DeathLog()
    var watchdog = Watchdog()
    var memoryKills = MemoryKills()
    /// Workers of which it was said that they hold many generations.
    var heldGenerations: Set<Int> = []
    var knownOverflows: Int?
    /// The files are not what is in force.
    var hasDrifted = false
    var lastGood: LastGood?
    /// When the configuration in force was kept, if the files were too bad to start from; seconds since 1970.
    var startedFromKept: Int?
    /// Every file as it was when the configuration was last read, for whatever reason.
    var looked: [String: ConfigurationSource.FileState] = [:]
    /// What was in force before, and what must not come into force again by itself.
    var former: (configuration: Configuration, encoded: [UInt8])?
    var condemned: [UInt8]?
    var probation = Probation()
    /// Who asked for another number of workers.
    var resizeTrigger = ""
    /// Of the worker that is being buried.
    var grave: Grave?
    /// For what workers write to standard error.
    var room = [UInt8](repeating: 0, count: 16 << 10)

    struct StartFailure: Error {
        let code: Int32
        let reason: String

        init(_ code: Int32, _ reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    enum Token {
        static let signals: UInt64 = 0
        static let control: UInt64 = 1
        static let watch: UInt64 = 2
        static let probe: UInt64 = 3
        /// And the number of a worker, or of a client of the control socket.
        static let worker: UInt64 = 1 << 32
        static let errors: UInt64 = 1 << 40
        static let client: UInt64 = 1 << 48
    }

    /// The role `serve`, from start to end; answers the exit status.
    static func run(_ options: ServeOptions) -> Int32 {
        let log = SupervisorLog()
        let inheritance = Inheritance.take()
        inheritance?.armWayBack()
        do throws(StartFailure) {
            return try Supervisor(options, log, inheritance).loop(inheritance)
        } catch {
            inheritance?.goBack(error.reason)
            log.startFailed(error)
            return error.code
        }
    }

    // MARK: Start

    init(_ options: ServeOptions, _ log: SupervisorLog, _ inheritance: Inheritance?) throws(StartFailure) {
        self.options = options
        self.log = log
        do throws(SystemError) {
            // Before its number can be anything of ours. An earlier image of this process has said it already.
            readiness =
                if let number = options.readyDescriptor, inheritance == nil {
                    try ReadyDescriptor(taking: number)
                } else { nil }
        } catch {
            throw StartFailure(ExitCode.usage, "--ready-fd: \(error.description)")
        }
        do throws(SystemError) {
            // Before anything else: none may be lost, whatever our parent made of them.
            signals = try SignalDescriptor(taking: [
                .hangUp, .interrupt, .quit, .user1, .user2, .terminate, .child, .ttyInput, .ttyOutput, .windowChange,
            ])
            SignalDescriptor.ignore([.pipe, .alarm])
            epoll = try Epoll(eventsPerWait: 64)
            try epoll.add(signals.number, .readable, token: Token.signals)
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
        environment = Inheritance.environment
        manager = ServiceManager(environment: environment)
        var source = ConfigurationSource(
            path: options.config, environmentFile: options.environmentFile, isStrict: options.isStrict,
            memory: ConfigurationMemory())
        let ground =
            if let inheritance {
                try Ground(
                    adopting: inheritance.handover, isReturn: inheritance.reason != nil, options, &source, log)
            } else {
                try Ground(options, environment, &source, log)
            }
        self.source = source
        listeners = ground.listeners
        listenRule = ground.listenRule
        runDirectory = ground.runDirectory
        control = ground.control
        scoreboard = ground.scoreboard
        sharesScoreboard = ground.sharesScoreboard
        configuration = ground.loaded.configuration
        encoded = ground.loaded.encoded
        slots = ground.loaded.slots
        looked = ground.loaded.files
        hasDrifted = ground.loaded.hasDrifted
        lastGood = ground.lastGood
        startedFromKept = inheritance?.handover.startedFromKept
        if let kept = ground.loaded.kept {
            lastGood?.adopt(kept)
            startedFromKept = kept.keptAt
            metrics.isLastReloadGood = false
        }
        startedAt = ground.startedAt
        executable = ground.executable
        watch.note(looked, isComplete: true, now: startedAt)
        let generation = inheritance?.handover.generation ?? 1
        do throws(SystemError) {
            try epoll.add(control.number, .readable, token: Token.control)
            published[generation] = try PublishedGeneration(generation, encoded, listeners)
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
    }

    var wantedWorkers: Int {
        switch options.workers {
        case .exactly(let count): count
        case .automatic: min(WorkerCount.most, CurrentProcess.usableProcessors)
        case nil: min(WorkerCount.most, configuration.process.workers ?? CurrentProcess.usableProcessors)
        }
    }

    // MARK: The loop

    func loop(_ inheritance: Inheritance?) -> Int32 {
        log.start(
            config: source.path, hash: configuration.fingerprint, workers: wantedWorkers,
            listeners: listeners.listeners.map { "\($0.address)" })
        log.listening(listeners, smallerBacklog: ListenerSet.smallerBacklog(), isInherited: inheritance != nil)
        if listenRule.overrules(configuration) { log.listenIsOverruled() }
        listeners.store(in: manager)
        log.tail.send = { [control] in control.push($0, $1) }
        if manager.watchdogInterval != nil { nextSignOfLife = startedAt }
        nextTick = startedAt
        applyTiming()
        if let inheritance {
            takeOver(inheritance)
        } else {
            handle(.start(workers: wantedWorkers, generation: 1))
        }
        adjustWatch()
        while exitCode == nil {
            let count = epoll.wait(milliseconds: waitingTime())
            for index in 0..<count {
                let token = epoll.event(index).token
                switch token {
                case Token.signals: readSignals()
                case Token.control: acceptControl()
                case Token.watch: watch.readEvents(now: Clock.now())
                case Token.probe: readProbe()
                case Token.client...: readControl(Int(token - Token.client))
                case Token.errors...: readErrors(Int(token - Token.errors))
                default: read(Int(token - Token.worker))
                }
            }
            handle(.clock)
            keepHouse()
            driveUpgrade()
        }
        let code = exitCode ?? ExitCode.failed
        log.stopped(begun: stopBegun, code: code, cut: fleet.cut)
        for client in waitingForEnd {
            control.answer(client, ControlAnswer(exit: code, text: "stopped, \(fleet.cut) requests cut\n"))
        }
        control.remove()
        return code
    }

    func waitingTime() -> Int32 {
        var deadline = min(fleet.nextDeadline, nextProgress, nextSignOfLife, nextTick)
        if control.hasClients { deadline = min(deadline, Clock.now() + .seconds(1)) }
        // A look waits for the reload under way, whose end is an event of its own.
        if !fleet.isStopping, reloads.current == nil { deadline = min(deadline, watch.nextDeadline) }
        guard deadline != .never else { return -1 }
        let wait = deadline - Clock.now()
        // Rounded up: waking before the deadline would only mean waiting again.
        return Int32(clamping: min(60_000, max(0, wait.nanoseconds / 1_000_000 + 1)))
    }

    /// From now on the configuration in force says how long things may take.
    func applyTiming() {
        let settings = configuration.supervision
        fleet.timing.drain = .seconds(configuration.process.drainTimeout)
        fleet.timing.lameDuck = .seconds(settings.lameDuck)
        fleet.timing.noWorker = settings.noWorkerExit > 0 ? .seconds(settings.noWorkerExit) : nil
    }
}
