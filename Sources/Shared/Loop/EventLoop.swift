/// One epoll loop on one thread: waits for descriptors and deadlines, and runs the tasks that they wake.
///
/// A process has at most one, run by its first thread. It knows no protocol. A turn is: run what is ready, wait
/// for the kernel, wake whoever waited for what happened, wake whoever's deadline passed.
public final class EventLoop: SerialExecutor, TaskExecutor {
    public static let shared = EventLoop()

    // Touched by the loop's thread only, which is what being an executor promises.
    private nonisolated(unsafe) var jobs = WaitingLine<UnownedJob>()
    private nonisolated(unsafe) var isRunning = false
    /// Whether all of the process's Swift code runs here, so that tasks need no preference for this executor.
    private nonisolated(unsafe) var ownsProcess = false

    /// Makes this loop the place of all jobs, those included that belong to no executor, such as a continuation that
    /// is resumed. For a process with one thread of Swift code: a task that has to prefer an executor asks its
    /// preference, under a lock, at every call of an async function (a third of a worker's instructions for a
    /// request). Not for a test, whose runner has jobs of its own.
    public nonisolated func takeProcess() {
        unsafe ownsProcess = true
        unsafe GlobalJobs.take { job in
            // The runtime hands over the job itself; UnownedJob is that pointer.
            if let job = unsafe job { EventLoop.shared.makeReady(unsafe unsafeBitCast(job, to: UnownedJob.self)) }
        }
    }

    private nonisolated func makeReady(_ job: UnownedJob) {
        unsafe jobs.append(job)
    }

    public nonisolated func enqueue(_ job: consuming ExecutorJob) {
        unsafe jobs.append(UnownedJob(job))
    }

    /// Turns until `stop()`. Call it on the first thread of the process.
    public nonisolated func run() {
        // Once for all turns: to enter isolated code allocates.
        Loop.assumeIsolated { turnUntilStopped() }
    }

    @Loop private func turnUntilStopped() {
        unsafe isRunning = true
        let serial = unsafe asUnownedSerialExecutor()
        let task = unsafe asUnownedTaskExecutor()
        while unsafe isRunning {
            // Bounded, so that tasks which wake each other cannot keep the kernel waiting.
            for _ in 0..<16 {
                // Those that are ready now; the ones that they make ready come with the next round.
                var left = unsafe jobs.count
                if left == 0 { break }
                while left > 0 {
                    left -= 1
                    let job = unsafe jobs.removeFirst()
                    if unsafe ownsProcess {
                        unsafe job.runSynchronously(on: serial)
                    } else {
                        unsafe job.runSynchronously(isolatedTo: serial, taskExecutor: task)
                    }
                }
            }
            let mayBlock = unsafe jobs.count == 0 && isRunning
            Reactor.shared.turn(mayBlock: mayBlock)
        }
    }

    @Loop public func stop() {
        unsafe isRunning = false
    }

    /// The time at which the current turn began to run tasks; precise enough for deadlines.
    @Loop public static var now: Instant {
        if unsafe turnBegan.nanoseconds == 0 { unsafe turnBegan = Clock.now() }
        return unsafe turnBegan
    }

    /// Starts a task that lives on the loop. The only place where one is made.
    public nonisolated func start(_ body: @escaping @Loop () async -> Void) {
        if unsafe ownsProcess {
            Task { @Loop in await body() }
        } else {
            Task(executorPreference: self) { await body() }
        }
    }

    /// Waits until `deadline`.
    @Loop public func sleep(until deadline: Instant) async {
        _ = await Waiter().wait(until: deadline)
    }

    /// Lets everybody else go first: what is ready now, and what the kernel has to tell.
    @Loop public func turn() async {
        await sleep(until: Instant(nanoseconds: 0))
    }

    /// Called once each turn, and at least once a second: heartbeats and other housekeeping.
    @Loop public func eachTurn(_ body: @escaping @Loop (Instant) -> Void) {
        Reactor.shared.eachTurn = body
    }

    /// Called when nothing is left to do until the kernel has something to tell; until when it may wait for that.
    @Loop public func beforeWaiting(_ body: @escaping @Loop () -> Instant) {
        Reactor.shared.beforeWaiting = body
    }
}

/// Of the loop's thread only. A global of a plain value, for it is asked a dozen times a request, and what a class holds in
/// a static one is looked up each time.
private nonisolated(unsafe) var turnBegan = Instant(nanoseconds: 0)

/// The loop's dealings with the kernel: which descriptor belongs to whom, and which deadline.
@Loop final class Reactor {
    static let shared = Reactor()

    var eachTurn: (@Loop (Instant) -> Void)?
    var beforeWaiting: (@Loop () -> Instant)?

    private var epoll: Epoll
    /// Ends a wait at the next deadline.
    private var alarm: Alarm
    /// Beginnings of new work that the kernel has told of, the oldest first, for turns to come.
    private var beginnings = WaitingLine<(token: UInt64, ready: Epoll.Interest)>()
    private var registered: [Readiness?] = []
    /// What is touched when something comes, by slot, where that is known.
    private var footprints = FootprintTable()
    private var freeSlots: [Int] = []
    /// Counts the uses of a slot, so that an event for a closed descriptor never reaches its successor.
    private var uses: [UInt32] = []
    private var timers = TimerHeap()
    private var sleepers: [Waiter?] = []
    private var freeSleepers: [Int] = []

    private init() {
        do throws(SystemError) {
            epoll = try Epoll()
            alarm = try Alarm()
            // A slot in which nobody is: what it rings for is seen by the clock.
            _ = addSlot()
            try epoll.add(alarm.number, [.readable, .edgeTriggered], token: 0)
        } catch {
            preconditionFailure("no event loop without epoll and a timer: \(error)")
        }
    }

    /// New work that is begun in one turn. What has been begun goes first: so the memory that few requests need is used
    /// again and again while it is in the processor's caches, and no more connections to upstreams are open than that takes.
    private static let mostBegun = 8

    func turn(mayBlock: Bool) {
        let count = epoll.wait(milliseconds: mayBlock && mayWait() ? -1 : 0)
        let now = Clock.now()
        unsafe turnBegan = now
        if !footprints.isEmpty {
            lookAhead(from: -2, of: count)
            lookAhead(from: -1, of: count)
        }
        for index in 0..<count {
            if !footprints.isEmpty { lookAhead(from: index, of: count) }
            let (token, ready) = epoll.event(index)
            guard let readiness = readiness(of: token) else { continue }
            if readiness.mayWait(ready) {
                beginnings.append((token, ready))
            } else {
                readiness.happened(ready)
            }
        }
        for _ in 0..<min(beginnings.count, Self.mostBegun) {
            let (token, ready) = beginnings.removeFirst()
            readiness(of: token)?.happened(ready)
        }
        while let number = timers.popDue(now) {
            guard let waiter = sleepers[number] else { continue }
            release(sleeper: number)
            waiter.timerFired(now)
        }
        eachTurn?(now)
    }

    /// Whether nothing is to be done before the kernel has something to tell; the alarm is set then.
    private func mayWait() -> Bool {
        guard beginnings.isEmpty else { return false }
        let now = EventLoop.now
        // A second, which is a promise of `eachTurn`.
        let deadline = min(beforeWaiting?() ?? .never, timers.earliest ?? .never, now + .seconds(1))
        guard deadline > now else { return false }
        alarm.ring(by: deadline, now: now)
        return true
    }

    /// While one event is dealt with, what the next one touches comes into the caches, and where that lies for the one
    /// behind it. The state of a thousand streams does not stay there, and would be waited for line by line.
    @inline(__always)
    private func lookAhead(from index: Int, of count: Int) {
        if index + 2 < count { footprints.fetchList(Self.slot(epoll.event(index + 2).token)) }
        if index >= -1, index + 1 < count { footprints.fetch(Self.slot(epoll.event(index + 1).token)) }
    }

    /// What will be touched when something comes for `slot`.
    func expect(_ footprint: Footprint, slot: Int) {
        footprints.set(slot, to: footprint)
    }

    // MARK: Descriptors

    func register(_ readiness: Readiness, _ interest: Epoll.Interest) throws(SystemError) -> Int {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = addSlot()
        }
        do throws(SystemError) {
            try epoll.add(readiness.number, interest, token: token(slot))
        } catch {
            freeSlots.append(slot)
            throw error
        }
        registered[slot] = readiness
        return slot
    }

    private func addSlot() -> Int {
        registered.append(nil)
        footprints.append()
        uses.append(0)
        return registered.count - 1
    }

    func reregister(_ number: Int32, slot: Int, _ interest: Epoll.Interest) throws(SystemError) {
        epoll.remove(number)
        try epoll.add(number, interest, token: token(slot))
    }

    func pause(_ number: Int32) {
        epoll.remove(number)
    }

    func forget(slot: Int, _ number: Int32) {
        epoll.remove(number)
        registered[slot] = nil
        footprints.set(slot, to: Footprint())
        uses[slot] &+= 1
        freeSlots.append(slot)
    }

    /// Nil where the descriptor has been closed since.
    @inline(__always)
    private func readiness(of token: UInt64) -> Readiness? {
        let slot = Self.slot(token)
        return uses[slot] == UInt32(token >> 32) ? registered[slot] : nil
    }

    private static func slot(_ token: UInt64) -> Int { Int(token & 0xFFFF_FFFF) }

    private func token(_ slot: Int) -> UInt64 { UInt64(uses[slot]) << 32 | UInt64(slot) }

    // MARK: Deadlines

    /// Arms `waiter`'s timer and answers its number.
    func arm(_ waiter: Waiter, number: Int?, at deadline: Instant) -> Int {
        let index: Int
        if let number {
            index = number
        } else if let free = freeSleepers.popLast() {
            index = free
            sleepers[index] = waiter
        } else {
            index = sleepers.count
            sleepers.append(waiter)
        }
        timers.set(index, to: deadline)
        return index
    }

    func disarm(_ number: Int) {
        timers.remove(number)
        release(sleeper: number)
    }

    private func release(sleeper number: Int) {
        sleepers[number] = nil
        freeSleepers.append(number)
    }
}
