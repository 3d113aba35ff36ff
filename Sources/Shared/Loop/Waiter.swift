/// Why a wait ended.
public enum Wake: Sendable {
    case ready
    case deadline
    case cancelled
}

/// Ends the wait that somebody is in, when what he waits for has become pointless: the client hung up, the process
/// is told to finish. One per client connection; asked before each wait and told during it.
@Loop public final class Cancellation {
    public private(set) var isCancelled = false
    fileprivate var waiter: Waiter?

    public init() {}

    public func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        waiter?.wake(.cancelled)
    }
}

/// A place where one task waits for one thing, with a deadline.
///
/// The timer stays armed between waits and is only moved to an earlier time, never to a later one: when it fires
/// early it finds a later deadline and is set to that. So the usual wait, which ends long before its deadline,
/// costs no work on the heap.
@safe @Loop public final class Waiter {
    private var continuation: UnsafeContinuation<Wake, Never>?
    private var deadline = Instant.never
    private var timer: Int?
    private var armedFor = Instant.never
    private var isClosed = false

    public init() {}

    public var isWaiting: Bool { unsafe continuation != nil }

    /// Waits until `wake`, `deadline` or `cancellation`, whichever comes first.
    public func wait(until deadline: Instant, cancelledBy cancellation: Cancellation? = nil) async -> Wake {
        unsafe precondition(continuation == nil, "two tasks wait at one place")
        if isClosed { return .cancelled }
        if let cancellation {
            if cancellation.isCancelled { return .cancelled }
            cancellation.waiter = self
        }
        self.deadline = deadline
        arm()
        let wake = await unsafe withUnsafeContinuation { unsafe continuation = $0 }
        self.deadline = .never
        cancellation?.waiter = nil
        return wake
    }

    /// Has the wait that somebody is in go on until another deadline.
    public func wait(on deadline: Instant) {
        self.deadline = deadline
        arm()
    }

    private func arm() {
        guard deadline < armedFor else { return }
        timer = Reactor.shared.arm(self, number: timer, at: deadline)
        armedFor = deadline
    }

    /// Ends the wait, if there is one.
    public func wake(_ reason: Wake) {
        guard let waiting = unsafe continuation else { return }
        unsafe continuation = nil
        unsafe waiting.resume(returning: reason)
    }

    /// Ends the wait and every later one, and gives the timer back.
    public func close() {
        isClosed = true
        wake(.cancelled)
        if let timer { Reactor.shared.disarm(timer) }
        timer = nil
        armedFor = .never
    }

    func timerFired(_ now: Instant) {
        timer = nil
        armedFor = .never
        if deadline <= now {
            wake(.deadline)
        } else if isWaiting, deadline != .never {
            timer = Reactor.shared.arm(self, number: nil, at: deadline)
            armedFor = deadline
        }
    }
}

/// Deals with what has come while a task waits for it, in the turn of the loop that has noticed it, so that the task need
/// not be woken for each piece of a long answer.
@Loop public protocol ReadHandler: AnyObject {
    /// There may be something to read. Until when to go on waiting; nil to wake the task.
    func mayRead() -> Instant?
}

/// Deals with what has come for somebody whose task waits elsewhere, in the turn of the loop that has noticed it.
@Loop public protocol ReadObserver: AnyObject {
    /// There may be something to read.
    func cameToRead()
}

/// What the kernel has said about one descriptor, and who waits for it to say more.
///
/// Registered once, edge-triggered, for both directions: no system call changes the interest later. `isReadable`
/// and `isWritable` mean "worth a try"; whoever tries and is told `wouldBlock` (or receives less than asked for)
/// clears them.
@Loop public final class Readiness {
    public let number: Int32
    public var isReadable = false
    public var isWritable = false
    /// The other side closed its sending direction, or the connection failed.
    public private(set) var isHungUp = false
    /// Whether something to read also ends a wait for room to write: an early answer to a body under way.
    public var readingInterruptsWriting = false
    /// Cancelled when the other side hangs up.
    public var whenHungUp: Cancellation?
    /// Whether what comes here begins new work, which waits for its turn behind what has been begun.
    public var beginsWork = false

    /// Asked before a task that waits to read is woken.
    private var handler: (any ReadHandler)?
    /// Told when something has come, while no task waits here to read.
    public var observer: (any ReadObserver)?
    /// Where its one reader waits, and its one writer.
    public let reader = Waiter()
    public let writer = Waiter()
    private var slot: Int?

    /// Watches `number`, which stays its owner's to close, after `close()` here.
    public init(watching number: Int32) throws(SystemError) {
        self.number = number
        slot = try Reactor.shared.register(self, [.readable, .writable, .peerClosed, .edgeTriggered])
    }

    /// Watches a listener that is shared with other processes: level-triggered, one of them woken.
    public init(sharing number: Int32) throws(SystemError) {
        self.number = number
        slot = try Reactor.shared.register(self, [.readable, .exclusive])
    }

    /// Goes to the end of a shared listener's wait queue, so that the next connection wakes another process.
    public func yieldTurn() throws(SystemError) {
        guard let slot else { return }
        try Reactor.shared.reregister(number, slot: slot, [.readable, .exclusive])
    }

    /// Leaves a shared listener to the other processes, until `yieldTurn`.
    public func pause() {
        Reactor.shared.pause(number)
    }

    public func waitReadable(until deadline: Instant, cancelledBy cancellation: Cancellation? = nil) async -> Wake {
        if isReadable { return .ready }
        return await reader.wait(until: deadline, cancelledBy: cancellation)
    }

    /// The same; `handler` is asked each time when something has come, and may have the wait go on.
    public func waitReadable(
        until deadline: Instant, cancelledBy cancellation: Cancellation?, handledBy handler: any ReadHandler
    ) async -> Wake {
        if isReadable { return .ready }
        return await wait(until: deadline, cancelledBy: cancellation, handledBy: handler)
    }

    /// The same where what has come already may stay: waits until `handler` ends the wait.
    public func wait(
        until deadline: Instant, cancelledBy cancellation: Cancellation?, handledBy handler: any ReadHandler
    ) async -> Wake {
        self.handler = handler
        let wake = await reader.wait(until: deadline, cancelledBy: cancellation)
        self.handler = nil
        return wake
    }

    /// What will be touched when something comes, for as long as nobody says otherwise.
    public func expect(_ footprint: Footprint) {
        if let slot { Reactor.shared.expect(footprint, slot: slot) }
    }

    public func waitWritable(until deadline: Instant, cancelledBy cancellation: Cancellation? = nil) async -> Wake {
        if isWritable { return .ready }
        return await writer.wait(until: deadline, cancelledBy: cancellation)
    }

    public func close() {
        if let slot { Reactor.shared.forget(slot: slot, number) }
        slot = nil
        observer = nil
        reader.close()
        writer.close()
    }

    /// Whether it does no harm to be told of `ready` a few turns later.
    @inline(__always)
    func mayWait(_ ready: Epoll.Interest) -> Bool {
        beginsWork && !writer.isWaiting && ready.isDisjoint(with: [.peerClosed, .hangUp, .error])
    }

    func happened(_ ready: Epoll.Interest) {
        if !ready.isDisjoint(with: [.peerClosed, .hangUp, .error]) {
            isHungUp = true
            whenHungUp?.cancel()
        }
        if !ready.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) {
            isReadable = true
            if let observer {
                observer.cameToRead()
            } else if let handler, reader.isWaiting, let deadline = handler.mayRead() {
                // It may have closed the stream, or cancelled the wait.
                if reader.isWaiting { reader.wait(on: deadline) }
            } else {
                reader.wake(.ready)
            }
            if readingInterruptsWriting { writer.wake(.ready) }
        }
        if !ready.isDisjoint(with: [.writable, .hangUp, .error]) {
            isWritable = true
            writer.wake(.ready)
        }
    }
}
