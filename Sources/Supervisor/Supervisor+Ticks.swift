internal import Shared

/// What has to be done from time to time: four times a second while the supervisor runs.
extension Supervisor {
    func keepHouse() {
        let now = Clock.now()
        if control.hasClients { control.closeIdle(now: now) }
        lookAtFiles()
        if nextSignOfLife <= now, let interval = manager.watchdogInterval {
            nextSignOfLife = now + interval
            // Not for a service that serves nobody and will not: the manager is to notice.
            if fleet.readyCount > 0 || !fleet.hasStarted || fleet.isStopping || isRespawning { manager.alive() }
        }
        if nextTick <= now {
            nextTick = now + Watchdog.tick
            tick(now)
        }
        if nextProgress <= now {
            nextProgress = now + .seconds(5)
            reportProgress(now)
        }
    }

    private var isRespawning: Bool {
        fleet.workers.values.contains { $0.phase == .starting } || fleet.slots.values.contains { $0.respawnAt != nil }
    }

    private func tick(_ now: Instant) {
        ticks &+= 1
        closeLeftListeners(now)
        watchLoops(now)
        recycle(now)
        if ticks % 4 == 0 { publishMetrics() }
        if ticks % 20 == 0 { watchQueues() }
        if ticks % 120 == 0 { checkDrift() }
    }

    // MARK: Workers that hang

    private func watchLoops(_ now: Instant) {
        let limit = configuration.supervision.watchdogTimeout
        var observed: [Watchdog.Observation] = []
        for worker in fleet.workers.values where worker.phase != .starting {
            guard let process = processes[worker.id], process.block != nil else { continue }
            let figures = figures(of: process)
            observed.append(
                Watchdog.Observation(
                    id: worker.id, turns: figures.turns, lag: figures.loopLag, isDying: worker.phase == .killed))
            if figures.liveGenerations > Self.mostLiveGenerations, heldGenerations.insert(worker.id).inserted {
                log.generationsHeld(process, figures.liveGenerations)
            }
        }
        let never = TimeSpan(nanoseconds: .max)
        let findings = watchdog.tick(observed, limit: limit > 0 ? .seconds(limit) : never, now: now)
        for finding in findings {
            switch finding {
            case .hung(let id, let silence): handle(.hung(id, silence: silence))
            case .lagging(let id, let lag): if let process = processes[id] { log.lagging(process, lag) }
            }
        }
    }

    /// Former configurations that requests of one worker still use; more than these are told of.
    private static let mostLiveGenerations = 8

    // MARK: Workers that have served long enough

    private func recycle(_ now: Instant) {
        guard !fleet.isRenewing, !fleet.isStopping, fleet.hasStarted else { return }
        let rule = RecycleRule(configuration.supervision)
        guard rule.isAny else { return }
        for worker in fleet.sorted where worker.phase == .ready && !worker.isReplaced {
            guard let process = processes[worker.id] else { continue }
            let figures = figures(of: process)
            let age = now - (worker.readyAt ?? worker.startedAt)
            guard let reason = rule.reason(age: age, figures, seed: UInt64(worker.id)) else { continue }
            return handle(.renew([worker.slot], .recycled, reason: reason))
        }
    }

    // MARK: Figures

    func publishMetrics() {
        var now = SupervisorMetrics.Now()
        for worker in fleet.workers.values {
            now.states[worker.phase, default: 0] += 1
            if worker.phase == .draining, let process = processes[worker.id] {
                now.drainingConnections += figures(of: process).connections
            }
        }
        now.generation = fleet.generation
        now.isDegraded = fleet.isDegraded || startedFromKept != nil
        now.hasDrifted = hasDrifted
        now.queues = listeners.listeners.map { ("\($0.address)", Socket.queueLength($0.socket.number)) }
        scoreboard.publish(metrics.text(now))
    }

    private func watchQueues() {
        let count = ListenOverflows.count()
        if let known = knownOverflows, count > known {
            metrics.overflows += count - known
            log.listenOverflow(count - known, listeners.listeners.map { Socket.queueLength($0.socket.number) })
        }
        knownOverflows = count
    }

    private func reportProgress(_ now: Instant) {
        let figures = processes.values.map { self.figures(of: $0) }
        let begun = processes.values.flatMap { requestsInFlight(of: $0) }.map(\.begun).min()
        let deadline = fleet.workers.values.map(\.killAt).max() ?? now
        let progress = SupervisorLog.Progress(
            workers: processes.count, connections: figures.reduce(0) { $0 + $1.connections },
            inFlight: figures.reduce(0) { $0 + $1.inFlight }, oldest: begun.map { now - $0 },
            deadline: deadline == .never ? nil : deadline - now)
        log.progress(progress)
        manager.extend(.seconds(15), "draining, \(progress.inFlight) requests in flight")
    }
}

/// When a worker is replaced though nothing is wrong with it. Pure.
struct RecycleRule {
    private let age: Double
    private let requests: Int
    private let memory: Int

    init(_ settings: SupervisionSettings) {
        age = settings.recycleAge
        requests = settings.recycleRequests
        memory = settings.recycleMemory
    }

    var isAny: Bool { age > 0 || requests > 0 || memory > 0 }

    /// Nil: it stays. Each limit is a fifth more or less for each worker, so that they do not all leave together.
    func reason(age: TimeSpan, _ figures: WorkerFigures, seed: UInt64) -> String? {
        var random = SeededRandom(seed: seed)
        let share = Double.random(in: 0.8...1.2, using: &random)
        if self.age > 0, age.seconds >= self.age * share { return "\(Int(age.seconds)) s old" }
        if requests > 0, Double(figures.requests) >= Double(requests) * share {
            return "has answered \(figures.requests) requests"
        }
        if memory > 0, Double(figures.residentBytes) >= Double(memory) * share {
            return "takes \(figures.residentBytes >> 20) MB"
        }
        return nil
    }
}

/// What the kernel says of full queues of listeners, of all processes of this machine or container.
enum ListenOverflows {
    static func count() -> Int {
        guard case .success(let bytes) = File.read("/proc/net/netstat", limit: 256 << 10) else { return 0 }
        return count(String(decoding: bytes, as: UTF8.self))
    }

    /// Two lines belong together: names, then values. Pure.
    static func count(_ text: String) -> Int {
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("TcpExt:") }.map { $0.split(separator: " ") }
        guard lines.count == 2, let index = lines[0].firstIndex(of: "ListenOverflows"), index < lines[1].count else {
            return 0
        }
        return Int(lines[1][index]) ?? 0
    }
}
