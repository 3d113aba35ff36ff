internal import Shared

/// Which workers there should be, and what each is told next. Pure: events in, actions out.
///
/// A slot is a place for one serving worker; its incarnations follow each other. A worker that leaves is replaced
/// first, so for a while two live in one slot. What happens to a worker, by phase (`heard`, `exited`, `passDeadlines`):
///
///     phase      prepared   refused    committed  ready      leaving    its end       its deadline
///     starting   commit     killed     –          ready      –          started again killed, started again
///     ready      wait, or   reload     –          –          successor, started again killed, started again
///                commit     fails                            then drain
///     draining   –          –          –          –          –          gone          finish, then killed
///     killed     –          –          –          –          –          started again killed for good
///
/// "Started again" holds while its slot is wanted and no successor serves or starts there already; after repeated
/// deaths it waits (`Backoff`). Draining ends with `drained`, which says nothing new. Anything a supervisor says is
/// no answer, and kills who says it.
///
/// A generation becomes the truth (`generation`) when every ready worker has prepared it; whoever is behind then or
/// starts later is told of it by `catchUp`. Knows no process, no clock and no log.
struct Fleet {
    struct Worker: Equatable {
        enum Phase: String, CaseIterable { case starting, ready, draining, killed }

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
        /// It leaves once its successor is ready.
        var isReplaced = false
        /// Why we had it end, if we had.
        var cause: Cause?
        /// The same for the log, with particulars.
        var reason: String?
    }

    /// Why a worker was told to end, or was killed.
    enum Cause: String, CaseIterable {
        case stopped, replaced, recycled, notNeeded, watchdog, brokenProtocol, notReady, overdue
    }

    struct Order: Equatable {
        enum Step: String { case prepare, prepared, commit }
        var step: Step
        let generation: UInt64
        /// Never, once it has prepared a candidate: then it waits for the others.
        var deadline: Instant
    }

    struct Slot: Equatable {
        var incarnations = 0
        var backoff = Backoff()
        var deaths: [Instant] = []
        var bootFailures = 0
        var respawnAt: Instant?
        var isFailing = false
    }

    struct Candidate {
        let generation: UInt64
        let begun: Instant
        var decided: Instant?
        /// Workers that were busy with an earlier generation when it came: they are told of it once they have caught up, so
        /// that each is told of a generation once, and what it says of one is an answer to that.
        var behind: Set<Int> = []
    }

    /// A slot whose worker is to be replaced, the successor first, one slot after the other.
    struct Renewal: Equatable {
        let slot: Int
        let cause: Cause
        let reason: String
        /// The incarnation that leaves; 0 until the successor is started.
        var leaving = 0
        var failures = 0
    }

    enum Event {
        case start(workers: Int, generation: UInt64)
        /// Workers that an earlier image of this process has started.
        case adopt([Worker], slots: [Int: Slot], workers: Int, generation: UInt64)
        case said(Int, ControlMessage)
        /// The channel ended, or carries nonsense for the reason given.
        case broke(Int, String?)
        /// `lost` requests were cut, or under way when it ended.
        case exited(Int, ExitStatus, lost: Int)
        case couldNotSpawn(Int, String)
        /// Its loop has not turned for so long.
        case hung(Int, silence: TimeSpan)
        case reload(generation: UInt64)
        case resize(Int)
        /// Replace the workers of these slots, one after the other.
        case renew([Int], Cause, reason: String)
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
        case workerExited(Departure)
        case crashLoop(slot: Int, deaths: Int)
        case workerHung(Int, silence: TimeSpan)
        case draining(Worker)
        case reloaded(ReloadOutcome)
        case resized(from: Int, to: Int)
        /// Every renewal that was asked for is done.
        case renewed(Int)
        /// Successors do not start; who was to be replaced stays.
        case renewalFailed(String)
        case cannotStart(String)
        /// No worker has been ready for too long.
        case gaveUp(String)
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
        /// How long a stop is only announced before the drain begins.
        var lameDuck = TimeSpan(nanoseconds: 0)
        var start = TimeSpan.seconds(30)
        var boot = TimeSpan.seconds(10)
        var prepare = TimeSpan.seconds(5)
        var commit = TimeSpan.seconds(2)
        /// The end of a drain, in which requests are told that they are cut.
        var lastWords = TimeSpan.seconds(5)
        var hurry = TimeSpan.seconds(2)
        /// How long a hung worker may take to die of SIGABRT.
        var abort = TimeSpan.seconds(2)
        /// How long there may be no ready worker; nil: for ever.
        var noWorker: TimeSpan?
    }

    var timing = Timing()
    var workers: [Int: Worker] = [:]
    var size = 0
    /// In force, and what new workers get.
    var generation: UInt64 = 0
    var hasStarted = false
    var isStopping = false
    /// Requests that did not end by themselves while their worker left.
    var cut = 0
    var isHurried = false
    var exitCode: Int32?
    var startedAt = Instant(nanoseconds: 0)
    var slots: [Int: Slot] = [:]
    var candidate: Candidate?
    var renewal: Renewal?
    var renewals: [Renewal] = []
    var renewed = 0
    /// When the lame duck has to stop.
    var drainAt = Instant.never
    var noWorkerSince: Instant?
    var nextID = 1
    var random: SeededRandom
    var actions: [Action] = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    var isReloading: Bool { candidate != nil }
    var isRenewing: Bool { renewal != nil || !renewals.isEmpty }
    var isDegraded: Bool { slots.contains { $0.key < size && $0.value.isFailing } }
    /// Slots that serve.
    var readyCount: Int { Set(workers.values.filter { $0.phase == .ready && $0.slot < size }.map(\.slot)).count }
    var sorted: [Worker] { workers.values.sorted { ($0.slot, $0.incarnation) < ($1.slot, $1.incarnation) } }

    func deaths(of slot: Int) -> Int { slots[slot]?.deaths.count ?? 0 }

    func isFailing(_ slot: Int) -> Bool { slots[slot]?.isFailing ?? false }

    /// Whether a slot has a worker that is not on its way out, or will get one.
    func isCaredFor(_ slot: Int) -> Bool {
        slots[slot]?.respawnAt != nil
            || workers.values.contains { $0.slot == slot && $0.phase != .draining && !$0.isReplaced }
            || workers.values.contains { $0.slot == slot && $0.phase == .starting }
    }

    /// When something has to happen even if no event comes.
    var nextDeadline: Instant {
        var earliest = hasStarted || isStopping ? drainAt : startedAt + timing.start
        if let noWorkerSince, let limit = timing.noWorker { earliest = min(earliest, noWorkerSince + limit) }
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
        case .adopt(let workers, let slots, let count, let number): adopt(workers, slots, count, number, now)
        case .said(let id, let message): heard(id, message, now)
        case .broke(let id, let reason):
            // Its end is on the way, most likely; if not, it is hastened.
            change(id) { worker in
                guard worker.phase != .killed else { return }
                if let reason {
                    worker.cause = worker.cause ?? .brokenProtocol
                    worker.reason = worker.reason ?? reason
                }
                worker.killAt = min(worker.killAt, now + .seconds(1))
            }
        case .exited(let id, let status, let lost): exited(id, status, lost, now)
        case .couldNotSpawn(let id, let reason):
            change(id) { $0.reason = reason }
            exited(id, .code(ExitCode.system), 0, now)
        case .hung(let id, let silence): hung(id, silence, now)
        case .reload(let number): reload(number, now)
        case .resize(let count): resize(count, now)
        case .renew(let slots, let cause, let reason): renew(slots, cause, reason, now)
        case .stop: isStopping ? hurry(now) : stop(now)
        case .stopNow: stopNow()
        case .clock: break
        }
        passDeadlines(now)
        settleReload(now)
        if isStopping, workers.isEmpty { actions.append(.exit(exitCode ?? (cut > 0 ? ExitCode.cut : ExitCode.done))) }
        defer { actions = [] }
        return actions
    }
}
