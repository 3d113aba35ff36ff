internal import Shared

/// What a supervisor stands on before it starts a worker: sockets, the run directory with its lock, the scoreboard and
/// a configuration. Made anew, or taken over from an earlier image of the same process.
struct Ground {
    typealias StartFailure = Supervisor.StartFailure

    let listenRule: ListenRule
    let listeners: ListenerSet
    let runDirectory: RunDirectory
    let control: ControlServer
    let scoreboard: Scoreboard
    /// Whether the workers of an earlier image write to it.
    let sharesScoreboard: Bool
    let loaded: LoadedConfiguration
    let lastGood: LastGood?
    let startedAt: Instant
    /// The executable that an upgrade takes unless told otherwise.
    let executable: String

    struct LoadedConfiguration {
        var configuration: Configuration
        var encoded: [UInt8]
        var slots: DeploymentSlots
        /// Every file that was read for it, or afterwards, as far as they were.
        var files: [String: ConfigurationSource.FileState]
        /// The files say something else.
        var hasDrifted = false
        /// What was started from, for the files are bad.
        var kept: LastGood.Record?
    }

    /// An ordinary start, in the order in which it may fail: another supervisor, the configuration, the addresses.
    init(
        _ options: ServeOptions, _ environment: [String: String], _ source: inout ConfigurationSource,
        _ log: SupervisorLog
    ) throws(StartFailure) {
        startedAt = Clock.now()
        executable = ChildProcess.ownPath
        let inherited = try Self.inherited(environment)
        listenRule = try ListenRule(options, activated: inherited.filter { $0.storedAs == nil }.map(\.address))
        // A port that the kernel picks cannot be anybody else's.
        let directory = options.port == 0 ? nil : try Self.takeDirectory(options, options.port, environment)
        lastGood = try Self.lastGood(options)
        loaded = try Self.load(&source, listenRule, lastGood, log)
        let addresses = listenRule.addresses(loaded.configuration)
        do throws(ListenerSet.BindError) {
            listeners = try ListenerSet(binding: addresses, inherited: inherited)
        } catch {
            throw StartFailure(error.exitCode, error.message)
        }
        runDirectory =
            if let directory { directory } else {
                try Self.takeDirectory(options, listeners.port, environment)
            }
        do throws(SystemError) {
            scoreboard = try Scoreboard()
            sharesScoreboard = true
            control = try ControlServer(at: RunDirectory.controlSocket(in: runDirectory.path))
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
        scoreboard.usedDeployments = loaded.slots.used
    }

    /// What an earlier image has left. The configuration in force stays in force, whatever has become of its files,
    /// as long as this image can read it.
    ///
    /// `isReturn`: a newer image has given up, and this is the older one.
    init(
        adopting handover: Handover, isReturn: Bool, _ options: ServeOptions,
        _ source: inout ConfigurationSource, _ log: SupervisorLog
    ) throws(StartFailure) {
        startedAt = handover.startedAt
        executable = isReturn ? handover.path : ChildProcess.ownPath
        let board = DescriptorBox(FileDescriptor(owning: handover.scoreboard))
        runDirectory = RunDirectory(
            adopting: FileDescriptor(owning: handover.lock), at: handover.runDirectory)
        do throws(SystemError) {
            listeners = ListenerSet(
                adopting: try handover.listeners.map { (one) throws(SystemError) in
                    ListenerSet.Listener(
                        address: try Socket.localAddress(one.descriptor),
                        socket: DescriptorBox(FileDescriptor(owning: one.descriptor)), origin: one.origin,
                        storedAs: one.storedAs)
                })
            control = ControlServer(
                adopting: FileDescriptor(owning: handover.control),
                at: RunDirectory.controlSocket(in: handover.runDirectory), clients: handover.clients, now: Clock.now())
            // One of another layout belongs to the workers of the earlier image alone.
            let shared = try? Scoreboard(mapping: board)
            sharesScoreboard = shared != nil
            if let shared { scoreboard = shared } else { scoreboard = try Scoreboard() }
        } catch {
            throw StartFailure(ExitCode.system, error.description)
        }
        // What the manager opened has been used, or the first image would not have started.
        listenRule = try ListenRule(
            options,
            activated: listeners.listeners.filter { $0.origin == .systemd && $0.storedAs == nil }.map(\.address))
        lastGood = try Self.lastGood(options)
        if let configuration = try? Configuration(encoded: handover.configuration) {
            loaded = LoadedConfiguration(
                configuration: configuration, encoded: handover.configuration,
                slots: DeploymentSlots(adopting: configuration), files: handover.files,
                hasDrifted: handover.hasDrifted)
        } else {
            loaded = try Self.load(&source, listenRule, lastGood, log)
        }
        scoreboard.usedDeployments = max(scoreboard.usedDeployments, loaded.slots.used)
    }

    // MARK: Pieces

    private static func inherited(_ environment: [String: String]) throws(StartFailure) -> [ListenerSet.Listener] {
        do throws(ListenerSet.BindError) {
            return try InheritedSockets.take(InheritedSockets.announced(environment, process: CurrentProcess.id))
        } catch {
            throw StartFailure(ExitCode.unavailable, error.message)
        }
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

    private static func lastGood(_ options: ServeOptions) throws(StartFailure) -> LastGood? {
        guard let directory = options.lastGood else { return nil }
        do throws(SystemError) {
            return try LastGood(in: File.absolute(directory))
        } catch {
            throw StartFailure(ExitCode.system, "--last-good \(directory): \(error.description)")
        }
    }

    private static func load(
        _ source: inout ConfigurationSource, _ listenRule: ListenRule, _ lastGood: LastGood?, _ log: SupervisorLog
    ) throws(StartFailure) -> LoadedConfiguration {
        let files = source.load()
        switch judge(files, source, listenRule, log) {
        case .fit(let configuration): return configuration
        case .unfit(let reasons):
            guard let kept = lastGood?.read() else {
                throw StartFailure(ExitCode.configuration, reasons.joined(separator: "\n"))
            }
            switch judge(source.load(from: kept), source, listenRule, log) {
            case .fit(var configuration):
                log.startsFromLastGood(kept)
                configuration.kept = kept
                configuration.files = files.files
                configuration.hasDrifted = true
                return configuration
            case .unfit(let others):
                let also = "and what was kept by --last-good on \(kept.date) cannot be served now:"
                throw StartFailure(ExitCode.configuration, (reasons + [also] + others).joined(separator: "\n"))
            }
        }
    }

    private enum Judgement {
        case fit(LoadedConfiguration)
        case unfit([String])
    }

    private static func judge(
        _ loaded: ConfigurationSource.Loaded, _ source: ConfigurationSource, _ listenRule: ListenRule,
        _ log: SupervisorLog
    ) -> Judgement {
        log.problems(loaded.decoded.problems)
        var slots = DeploymentSlots()
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, .start, isStrict: source.isStrict, isLoopback: listenRule.isLoopback(loaded.decoded.configuration),
            slots: &slots)
        log.problems(warnings)
        switch verdict {
        case .candidate(let configuration, let encoded):
            return .fit(
                LoadedConfiguration(
                    configuration: configuration, encoded: encoded, slots: slots, files: loaded.files))
        case .refused(let reasons): return .unfit(reasons)
        case .unchanged: preconditionFailure("there is nothing yet that a first configuration could equal")
        }
    }
}
