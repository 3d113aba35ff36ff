internal import Shared

/// One worker: a server, the gateway it asks, and the orders of the supervisor.
///
///     starting ──commit──▶ serving ──drain, or the supervisor is gone──▶ draining ──last connection──▶ exit
///
/// Owns the listeners' copies of this process. A generation is built beside the one in force and then swapped in by
/// one assignment, so all requests see one or the other.
@Loop final class Worker {
    private let arguments: WorkerMain.Arguments
    private let channel: ControlChannel
    private let channelReadiness: Readiness
    private let signals: SignalDescriptor
    private let signalReadiness: Readiness
    private let board: WorkerBoard
    private let log: Log
    private let gateway = Gateway()
    private let server: HTTPServer
    private let accessLog = LineSink()
    private var listeners: [String: Listener] = [:]
    private var prepared: Generation?
    /// The number of the generation that is being prepared.
    private var preparing: UInt64?
    private var isReady = false
    private var isDraining = false
    private var isOrphan = false
    private var cut = 0
    private var acceptFailureLoggedAt = Instant(nanoseconds: 0)
    private var idleMemory = IdleMemory()

    /// How long requests may go on when the supervisor is gone.
    private static let orphanDrain = TimeSpan.seconds(10)
    /// How long cut requests may take to say so to their clients.
    private static let lastWords = TimeSpan.seconds(2)

    init(
        _ arguments: WorkerMain.Arguments, channel: ControlChannel, signals: consuming SignalDescriptor,
        board: WorkerBoard, log: Log
    ) throws(SystemError) {
        self.arguments = arguments
        self.channel = channel
        channelReadiness = try Readiness(watching: channel.number)
        signalReadiness = try Readiness(watching: signals.number)
        self.signals = signals
        self.board = board
        self.log = log
        server = HTTPServer(handler: gateway)
    }

    /// Begins the tasks of this worker; they run once the loop turns.
    func start() {
        let board = board
        let accessLog = accessLog
        gateway.board = board
        gateway.deployments = DeploymentBoard(board.scoreboard, block: board.block)
        gateway.accessLines = accessLog
        gateway.log = log
        EventLoop.shared.eachTurn { now in
            board.beat(now)
            accessLog.flush(at: now)
        }
        EventLoop.shared.beforeWaiting { accessLog.due(EventLoop.now) }
        server.connectionsChanged = { [unowned self] count in
            self.board.setConnections(count)
            for listener in self.listeners.values { listener.connectionsChanged() }
            self.endWhenDrained()
        }
        EventLoop.shared.start { await self.obey() }
        EventLoop.shared.start { await self.watchSignals() }
        EventLoop.shared.start { await self.reportLoad() }
    }

    // MARK: Orders

    private func obey() async {
        while true {
            switch channel.receive() {
            case .message(let message, let descriptor): await obey(message, descriptor)
            case .wouldBlock:
                channelReadiness.isReadable = false
                _ = await channelReadiness.waitReadable(until: .never)
            case .end: return await outliveSupervisor()
            case .broken(let reason):
                fail(WorkerExit.brokenProtocol, reason)
            }
        }
    }

    private func obey(_ message: ControlMessage, _ descriptor: DescriptorBox?) async {
        switch message {
        case .prepare(let number): prepare(number, descriptor)
        case .commit(let number): await commit(number)
        case .abort(let number):
            if preparing == number { preparing = nil }
            if prepared?.number == number { prepared = nil }
        case .open(let address):
            guard let descriptor else { fail(WorkerExit.brokenProtocol, "open without a socket") }
            open(address, descriptor)
        case .close(let address):
            listeners.removeValue(forKey: address)?.stop()
        case .poke:
            for listener in listeners.values { listener.tryAccept() }
        case .lameDuck:
            gateway.isReady = false
            server.announceEnd()
        case .drain: drain()
        case .finish: finish()
        case .logLevel(let level): log.level = level
        case .prepared, .refused, .committed, .ready, .leaving, .drained:
            fail(WorkerExit.brokenProtocol, "an order that is an answer")
        }
    }

    /// Begins to build a generation, which takes many turns of the loop. Another order to prepare, or one to abort, ends
    /// that without an answer.
    private func prepare(_ number: UInt64, _ file: DescriptorBox?) {
        guard let file else { fail(WorkerExit.brokenProtocol, "prepare without a configuration") }
        preparing = number
        prepared = nil
        EventLoop.shared.start { await self.build(number, file) }
    }

    private func build(_ number: UInt64, _ file: DescriptorBox) async {
        let answer: ControlMessage
        do throws(GenerationRefused) {
            let generation = try await gateway.prepare(number, file) { preparing == number }
            guard let generation else { return }
            prepared = generation
            answer = .prepared(generation: number)
        } catch {
            guard preparing == number else { return }
            answer = .refused(generation: number, reason: error.reason)
        }
        preparing = nil
        await send(answer)
    }

    private func commit(_ number: UInt64) async {
        guard let generation = prepared, generation.number == number else {
            fail(WorkerExit.brokenProtocol, "commit of a generation that was not prepared")
        }
        prepared = nil
        server.settings = ServerSettings(generation.settings)
        board.countGenerations(1)
        generation.whenReleased = { [gateway] in
            Loop.assumeIsolated { gateway.board?.countGenerations(-1) }
        }
        gateway.commit(generation)
        board.setGeneration(number)
        await send(.committed(generation: number))
        guard !isReady else { return }
        isReady = true
        listen()
        await send(.ready(generation: number))
        CurrentProcess.forgetCode()
    }

    /// Tries again until there is room. More than one may wait for that.
    private func send(_ message: ControlMessage) async {
        while !channel.send(message), !channelReadiness.isHungUp {
            await EventLoop.shared.sleep(until: EventLoop.now + .milliseconds(20))
        }
    }

    // MARK: Accepting

    /// On the sockets that this worker was born with.
    private func listen() {
        for index in 0..<arguments.listeners {
            let descriptor = FileDescriptor(owning: ControlChannel.firstListener + Int32(index))
            do throws(SystemError) {
                listen(on: try Socket.localAddress(descriptor.number).description, descriptor)
            } catch {
                fail(WorkerExit.failed, error.description)
            }
        }
        if !isDraining { board.setAccepting(true) }
    }

    private func open(_ address: String, _ descriptor: DescriptorBox) {
        do throws(SystemError) {
            listen(on: address, try descriptor.duplicate())
        } catch {
            fail(WorkerExit.failed, error.description)
        }
    }

    private func listen(on address: String, _ descriptor: consuming FileDescriptor) {
        guard !isDraining else { return }
        do throws(SystemError) {
            let listener = try Listener(
                descriptor, server: server, mayAccept: { [board] in board.mayAccept(now: EventLoop.now) },
                accepted: { [unowned self] in self.accepted($0) })
            listeners[address] = listener
            EventLoop.shared.start { await listener.run() }
        } catch {
            fail(WorkerExit.failed, error.description)
        }
    }

    private func accepted(_ error: SystemError?) {
        guard let error else { return board.accepted() }
        // Out of descriptors, most likely: it would be said for every try.
        guard EventLoop.now - acceptFailureLoggedAt >= .seconds(1) else { return }
        acceptFailureLoggedAt = EventLoop.now
        log.event(.error, "accept-failed") { fields in
            fields.member("slot", arguments.slot)
            fields.member("error", error.description)
            fields.member("connections", server.connectionCount)
        }
    }

    // MARK: Leaving

    /// Takes what is queued at the listeners, closes them, and lets the open connections end.
    private func drain() {
        guard !isDraining else { return }
        isDraining = true
        board.setAccepting(false)
        gateway.isReady = false
        for listener in listeners.values { listener.stop() }
        listeners = [:]
        EventLoop.shared.start { await self.server.drain() }
        endWhenDrained()
    }

    /// Cuts what has not ended by itself.
    private func finish() {
        drain()
        for request in board.requestsInFlight() where request.phase != .flushed {
            log.event(.warn, "cut") { fields in
                fields.member("request", request.id)
                fields.member("model", request.model)
                fields.member("tag", request.tag)
                fields.member("age_ms", (EventLoop.now - request.begun).milliseconds)
                fields.member("bytes_sent", request.bytesSent)
                fields.member("slot", arguments.slot)
            }
        }
        cut += board.inFlight
        board.countCut(board.inFlight)
        server.finish()
        endWhenDrained()
    }

    private func endWhenDrained() {
        guard isDraining, server.connectionCount == 0 else { return }
        if isOrphan { end(WorkerExit.lostSupervisor) }
        _ = channel.send(.drained(cut: cut))
        end(cut == 0 ? WorkerExit.drained : WorkerExit.cut)
    }

    private func outliveSupervisor() async {
        isOrphan = true
        log.event(.error, "supervisor-lost") { fields in
            fields.member("slot", arguments.slot)
            fields.member("connections", server.connectionCount)
        }
        drain()
        endWhenDrained()
        await EventLoop.shared.sleep(until: EventLoop.now + Self.orphanDrain)
        finish()
        await EventLoop.shared.sleep(until: EventLoop.now + Self.lastWords)
        end(WorkerExit.lostSupervisor)
    }

    private func end(_ code: Int32) -> Never {
        accessLog.finish()
        CurrentProcess.end(code)
    }

    private func fail(_ code: Int32, _ reason: String) -> Never {
        log.event(.error, "worker-failed") { fields in
            fields.member("slot", arguments.slot)
            fields.member("error", reason)
        }
        end(code)
    }

    // MARK: Housekeeping

    /// SIGTERM from an operator: the supervisor replaces this worker first. The kernel also sends it when the
    /// supervisor has died; then the channel tells, too.
    private func watchSignals() async {
        while true {
            while signals.next() != nil { await send(.leaving) }
            signalReadiness.isReadable = false
            _ = await signalReadiness.waitReadable(until: .never)
        }
    }

    /// Once a second: how late the loop is, and what memory it takes.
    private func reportLoad() async {
        while true {
            let due = EventLoop.now + .seconds(1)
            await EventLoop.shared.sleep(until: due)
            let now = Clock.now()
            board.setLoad(
                lag: now - due, residentBytes: CurrentProcess.residentBytes(), droppedLines: accessLog.dropped)
            if idleMemory.isDue(now, isBusy: board.hasRequestsInFlight) { lookForIdleMemory() }
        }
    }

    private func lookForIdleMemory() {
        let start = Clock.now()
        let freed = CurrentProcess.freedBytes
        idleMemory.looked(from: start, to: Clock.now())
        switch idleMemory.look(freed) {
        case .wait: break
        case .shrink: releaseUnused()
        case .giveBack:
            releaseUnused()
            CurrentProcess.returnFreedMemory()
        }
    }

    private func releaseUnused() {
        gateway.releaseUnused()
        server.releaseUnused()
    }
}

extension ServerSettings {
    fileprivate init(_ configuration: Configuration) {
        self.init()
        let process = configuration.process
        idleGrace = .seconds(configuration.supervision.idleGrace)
        headerLimit = process.headerBytes
        bodyLimit = process.bodyBytes
        idleTimeout = .seconds(process.clientIdle)
        headerTimeout = .seconds(process.clientHeader)
        bodyTimeout = .seconds(process.clientBody)
        writeTimeout = .seconds(process.clientWrite)
    }
}
