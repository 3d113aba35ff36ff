internal import Shared

/// Which workers there should be, and what each is told next. Pure: events in, actions out.
///
/// A slot is a place for one serving worker; its incarnations follow each other. A worker that leaves is replaced
/// first, so for a while two live in one slot.
///
///     starting ──ready──▶ ready ──drain──▶ draining ──exit──▶ (gone)
///         └──────────────── killed ──exit──▶ (gone) ── the newest of its slot is started again
///
/// A generation becomes the truth (`generation`) when every ready worker has prepared it; whoever is behind then or
/// starts later is told of it by `catchUp`. Knows no process, no clock and no log.
struct Fleet {
    struct Worker: Equatable {
        enum Phase: String { case starting, ready, draining, killed }

        let id: Int
        let slot: Int
        let incarnation: Int
        var phase = Phase.starting
        var startedAt: Instant
        var readyAt: Instant?
        /// The one it serves with; 0 before the first.
        var generation: UInt64 = 0
        /// What it was told and has not answered.
        var order: Order?
        var finishAt = Instant.never
        var killAt: Instant
        var isReplaced = false
        /// Why it was killed or will end, for the log.
        var reason: String?
    }

    struct Order: Equatable {
        enum Step { case prepare, prepared, commit }
        var step: Step
        let generation: UInt64
        /// Never, once it has prepared a candidate: then it waits for the others.
        var deadline: Instant
    }

    private struct Slot {
        var incarnations = 0
        var backoff = Backoff()
        var deaths: [Instant] = []
        var bootFailures = 0
        var respawnAt: Instant?
        var isFailing = false
    }

    private struct Candidate {
        let generation: UInt64
        let begun: Instant
        var decided: Instant?
    }

    enum Event {
        case start(workers: Int, generation: UInt64)
        case said(Int, ControlMessage)
        /// The channel ended, or carries nonsense for the reason given.
        case broke(Int, String?)
        /// `lost` requests were cut, or under way when it ended.
        case exited(Int, ExitStatus, lost: Int)
        case couldNotSpawn(Int, String)
        case reload(generation: UInt64)
        case resize(Int)
        /// Again: do not wait for the end of requests.
        case stop
        case stopNow
        /// A deadline may have passed.
        case clock
    }

    enum Action: Equatable {
        case spawn(Int, slot: Int, incarnation: Int)
        /// `prepare` takes the configuration of its generation along.
        case send(Int, ControlMessage)
        case kill(Int, Signal)
        /// No connection is accepted by this process any more.
        case closeListeners
        case tell(News)
        /// Nothing is left to supervise.
        case exit(Int32)
    }

    /// What an operator may want to know.
    enum News: Equatable {
        case workerReady(Int, took: TimeSpan)
        /// All workers are ready for the first time.
        case ready(took: TimeSpan)
        case workerExited(Worker, reason: String, isExpected: Bool, lost: Int, nextTry: TimeSpan?)
        case crashLoop(slot: Int, deaths: Int)
        case reloaded(ReloadOutcome)
        case resized(from: Int, to: Int)
        case cannotStart(String)
    }

    struct ReloadOutcome: Equatable {
        var generation: UInt64
        /// Nil: it is in force.
        var refusal: String?
        var prepare: TimeSpan
        var commit: TimeSpan
    }

    struct Timing: Equatable {
        var drain = TimeSpan.seconds(300)
        var start = TimeSpan.seconds(30)
        var boot = TimeSpan.seconds(10)
        var prepare = TimeSpan.seconds(5)
        var commit = TimeSpan.seconds(2)
        /// The end of a drain, in which requests are told that they are cut.
        var lastWords = TimeSpan.seconds(5)
        var hurry = TimeSpan.seconds(2)
    }

    var timing = Timing()
    private(set) var workers: [Int: Worker] = [:]
    private(set) var size = 0
    /// In force, and what new workers get.
    private(set) var generation: UInt64 = 0
    private(set) var hasStarted = false
    private(set) var isStopping = false
    /// Requests that did not end by themselves while their worker left.
    private(set) var cut = 0
    private var isHurried = false
    private var exitCode: Int32?
    private var startedAt = Instant(nanoseconds: 0)
    private var slots: [Int: Slot] = [:]
    private var candidate: Candidate?
    private var nextID = 1
    private var random: SeededRandom
    private var actions: [Action] = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    var isReloading: Bool { candidate != nil }
    var isDegraded: Bool { slots.contains { $0.key < size && $0.value.isFailing } }
    /// Slots that serve.
    var readyCount: Int { Set(workers.values.filter { $0.phase == .ready && $0.slot < size }.map(\.slot)).count }
    var sorted: [Worker] { workers.values.sorted { ($0.slot, $0.incarnation) < ($1.slot, $1.incarnation) } }

    func deaths(of slot: Int) -> Int { slots[slot]?.deaths.count ?? 0 }

    /// Whether a slot has a worker that is not on its way out, or will get one.
    func isCaredFor(_ slot: Int) -> Bool {
        slots[slot]?.respawnAt != nil
            || workers.values.contains { $0.slot == slot && $0.incarnation == slots[slot]?.incarnations }
    }

    /// When something has to happen even if no event comes.
    var nextDeadline: Instant {
        var earliest = hasStarted || isStopping ? Instant.never : startedAt + timing.start
        for slot in slots.values { earliest = min(earliest, slot.respawnAt ?? .never) }
        for worker in workers.values {
            earliest = min(earliest, worker.finishAt, worker.killAt, worker.order?.deadline ?? .never)
        }
        return earliest
    }

    mutating func handle(_ event: Event, now: Instant) -> [Action] {
        actions = []
        switch event {
        case .start(let count, let number):
            startedAt = now
            generation = number
            size = count
            for slot in 0..<count { spawn(slot, now) }
        case .said(let id, let message): heard(id, message, now)
        case .broke(let id, let reason):
            // Its end is on the way, most likely; if not, it is hastened.
            change(id) { worker in
                guard worker.phase != .killed else { return }
                worker.reason = worker.reason ?? reason
                worker.killAt = min(worker.killAt, now + .seconds(1))
            }
        case .exited(let id, let status, let lost): exited(id, status, lost, now)
        case .couldNotSpawn(let id, let reason):
            change(id) { $0.reason = reason }
            exited(id, .code(ExitCode.system), 0, now)
        case .reload(let number): reload(number, now)
        case .resize(let count): resize(count, now)
        case .stop: isStopping ? hurry(now) : stop(now)
        case .stopNow:
            isStopping = true
            actions.append(.closeListeners)
            for id in workers.keys.sorted() { kill(id, "stopped at once") }
        case .clock: break
        }
        passDeadlines(now)
        settleReload(now)
        if isStopping, workers.isEmpty { actions.append(.exit(exitCode ?? (cut > 0 ? ExitCode.cut : ExitCode.done))) }
        defer { actions = [] }
        return actions
    }

    // MARK: Workers

    private mutating func spawn(_ slot: Int, _ now: Instant) {
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

    private mutating func change(_ id: Int, _ body: (inout Worker) -> Void) {
        guard var worker = workers[id] else { return }
        body(&worker)
        workers[id] = worker
    }

    private mutating func prepare(_ id: Int, _ number: UInt64, _ now: Instant) {
        order(id, .prepare, number, until: now + timing.prepare)
        actions.append(.send(id, .prepare(generation: number)))
    }

    private mutating func commit(_ id: Int, _ number: UInt64, _ now: Instant) {
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

    private mutating func kill(_ id: Int, _ reason: String) {
        guard let worker = workers[id], worker.phase != .killed else { return }
        change(id) { worker in
            worker.phase = .killed
            worker.order = nil
            worker.finishAt = .never
            worker.killAt = .never
            worker.reason = worker.reason ?? reason
        }
        actions.append(.kill(id, .kill))
    }

    private mutating func drain(_ id: Int, _ reason: String, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .starting || worker.phase == .ready else { return }
        let lastWords = min(timing.lastWords.nanoseconds, timing.drain.nanoseconds / 2)
        let finishAt = now + TimeSpan(nanoseconds: timing.drain.nanoseconds - lastWords)
        let killAt = now + timing.drain
        change(id) { worker in
            worker.phase = .draining
            worker.order = nil
            worker.reason = reason
            worker.finishAt = finishAt
            worker.killAt = killAt
        }
        actions.append(.send(id, .drain))
    }

    private mutating func heard(_ id: Int, _ message: ControlMessage, _ now: Instant) {
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
                change(id) { $0.reason = reason }
                if !hasStarted { giveUp(ExitCode.configuration, "a worker refused the configuration: \(reason)") }
                kill(id, reason)
            }
        case .committed(let number):
            guard let order = worker.order, order.step == .commit, order.generation == number else { return }
            change(id) { worker in
                worker.order = nil
                worker.generation = number
            }
        case .ready: becameReady(worker, now)
        case .leaving:
            guard worker.phase == .ready, !worker.isReplaced, !isStopping, isNewest(worker) else { return }
            change(id) { $0.isReplaced = true }
            spawn(worker.slot, now)
        case .drained: break
        case .prepare, .commit, .abort, .poke, .drain, .finish:
            kill(id, "broke the protocol")
        }
        catchUp(id, now)
    }

    private func isNewest(_ worker: Worker) -> Bool {
        worker.slot < size && worker.incarnation == slots[worker.slot]?.incarnations
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
        for other in sorted where other.slot == worker.slot && other.incarnation < worker.incarnation {
            drain(other.id, "replaced", now)
        }
        if !hasStarted, readyCount == size {
            hasStarted = true
            actions.append(.tell(.ready(took: now - startedAt)))
        }
    }

    /// A worker with an older generation than the one in force, and nothing else to do, is told of it.
    private mutating func catchUp(_ id: Int, _ now: Instant) {
        guard let worker = workers[id], worker.phase == .ready, worker.order == nil, worker.generation != generation
        else { return }
        prepare(id, generation, now)
    }

    private mutating func exited(_ id: Int, _ status: ExitStatus, _ lost: Int, _ now: Instant) {
        guard let worker = workers.removeValue(forKey: id) else { return }
        let isExpected = worker.phase == .draining && (status == .code(0) || status == .code(ExitCode.cut))
        if isStopping || worker.phase == .draining { cut += lost }
        var nextTry: TimeSpan?
        if !isStopping, isNewest(worker) { nextTry = plan(worker, now) }
        actions.append(
            .tell(
                .workerExited(
                    worker, reason: Self.reason(worker, status), isExpected: isExpected, lost: lost, nextTry: nextTry)))
        if !isExpected, !isStopping {
            for other in sorted where other.phase == .ready { actions.append(.send(other.id, .poke)) }
        }
        if let nextTry, nextTry.nanoseconds == 0 { spawn(worker.slot, now) }
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

    private static func reason(_ worker: Worker, _ status: ExitStatus) -> String {
        let how =
            switch status {
            case .code(0): "exited"
            case .code(let code): "exit status \(code)"
            case .signal(Signal.kill.rawValue) where worker.phase != .killed: "SIGKILL, maybe out of memory"
            case .signal(let number): Signal.name(of: number)
            }
        if let reason = worker.reason { return status == .code(0) ? reason : "\(reason) (\(how))" }
        return worker.readyAt == nil ? "\(how) before it was ready" : how
    }

    // MARK: Reload

    private mutating func reload(_ number: UInt64, _ now: Instant) {
        precondition(candidate == nil, "one reload at a time")
        candidate = Candidate(generation: number, begun: now)
        guard !isStopping else { return failReload("stopping", now) }
        for worker in sorted where worker.phase == .ready { prepare(worker.id, number, now) }
    }

    private mutating func failReload(_ reason: String, _ now: Instant) {
        guard let failed = candidate else { return }
        candidate = nil
        let took = now - failed.begun
        actions.append(
            .tell(
                .reloaded(
                    ReloadOutcome(
                        generation: generation, refusal: reason, prepare: took, commit: TimeSpan(nanoseconds: 0)))))
        for worker in sorted where worker.order?.generation == failed.generation {
            change(worker.id) { $0.order = nil }
            actions.append(.send(worker.id, .abort(generation: failed.generation)))
            catchUp(worker.id, now)
        }
    }

    /// Decides once all have prepared, and reports once all have committed. Who died meanwhile is not waited for.
    private mutating func settleReload(_ now: Instant) {
        guard var current = candidate else { return }
        if isStopping { return current.decided == nil ? failReload("stopping", now) : report(current, now) }
        let involved = sorted.filter { $0.order?.generation == current.generation && $0.phase == .ready }
        if current.decided == nil {
            guard involved.allSatisfy({ $0.order?.step == .prepared }) else { return }
            current.decided = now
            candidate = current
            generation = current.generation
            for worker in involved { commit(worker.id, current.generation, now) }
            for worker in sorted { catchUp(worker.id, now) }
            guard involved.isEmpty else { return }
        } else if !involved.isEmpty {
            return
        }
        report(current, now)
    }

    private mutating func report(_ done: Candidate, _ now: Instant) {
        candidate = nil
        let decided = done.decided ?? now
        actions.append(
            .tell(
                .reloaded(
                    ReloadOutcome(
                        generation: generation, refusal: nil, prepare: decided - done.begun, commit: now - decided))))
    }

    // MARK: Size and end

    private mutating func resize(_ count: Int, _ now: Instant) {
        guard count != size, count > 0, !isStopping else { return }
        actions.append(.tell(.resized(from: size, to: count)))
        let before = size
        size = count
        if count > before {
            for slot in before..<count { spawn(slot, now) }
        } else {
            for slot in count..<before { slots[slot]?.respawnAt = nil }
            for worker in sorted where worker.slot >= count { drain(worker.id, "no longer needed", now) }
        }
        if !hasStarted, readyCount == size {
            hasStarted = true
            actions.append(.tell(.ready(took: now - startedAt)))
        }
    }

    private mutating func stop(_ now: Instant) {
        isStopping = true
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        actions.append(.closeListeners)
        for worker in sorted { drain(worker.id, "stopped", now) }
    }

    private mutating func hurry(_ now: Instant) {
        if isHurried {
            for id in workers.keys.sorted() { kill(id, "stopped at once") }
            return
        }
        isHurried = true
        let killAt = now + timing.hurry
        for id in workers.keys.sorted() {
            change(id) { worker in
                worker.finishAt = min(worker.finishAt, now)
                worker.killAt = min(worker.killAt, killAt)
            }
        }
    }

    private mutating func giveUp(_ code: Int32, _ reason: String) {
        guard exitCode == nil else { return }
        exitCode = code
        isStopping = true
        actions.append(.tell(.cannotStart(reason)))
        for slot in slots.keys { slots[slot]?.respawnAt = nil }
        for id in workers.keys.sorted() { kill(id, reason) }
    }

    private mutating func passDeadlines(_ now: Instant) {
        if !hasStarted, !isStopping, startedAt + timing.start <= now {
            giveUp(ExitCode.failed, "workers were not ready in time")
        }
        for worker in sorted {
            if let order = worker.order, order.deadline <= now {
                let reason = "no answer to \(order.step == .commit ? "commit" : "prepare") in time"
                kill(worker.id, reason)
                if candidate?.decided == nil, candidate?.generation == order.generation {
                    failReload("slot \(worker.slot): \(reason)", now)
                }
            }
            if worker.finishAt <= now {
                change(worker.id) { $0.finishAt = .never }
                actions.append(.send(worker.id, .finish))
            }
            if worker.killAt <= now {
                kill(worker.id, worker.phase == .starting ? "not ready in time" : "not gone in time")
            }
        }
        for slot in slots.keys.sorted() {
            if let due = slots[slot]?.respawnAt, due <= now { spawn(slot, now) }
        }
    }
}
