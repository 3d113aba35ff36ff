internal import Shared

/// Accepts connections from one listening socket that all workers share, and hands them to the server.
///
/// One accept a wake-up, then to the end of the kernel's wait queue: so that connections spread over the workers.
/// It also tries once a second without being woken, for a worker that died between wake-up and accept has
/// swallowed somebody else's wake-up.
///
/// A worker that has its fair share leaves connections to others until it has less again, and looks for itself every
/// 20 ms, for the share grows with what others take. To wait out those 20 ms when its own connections have ended would
/// bound what it takes, and a busy machine on which the others are late would never catch up.
@Loop final class Listener {
    private let descriptor: FileDescriptor
    private let readiness: Readiness
    private let server: HTTPServer
    /// Asked before each accept: whether this worker has its fair share of connections already.
    private let mayAccept: @Loop () -> Bool
    /// Told of every connection accepted, and of every failure to accept.
    private let accepted: @Loop (SystemError?) -> Void
    /// Where it waits while connections are left to others.
    private let share = Waiter()
    private var isStopped = false

    init(
        _ descriptor: consuming FileDescriptor, server: HTTPServer, mayAccept: @escaping @Loop () -> Bool,
        accepted: @escaping @Loop (SystemError?) -> Void
    ) throws(SystemError) {
        readiness = try Readiness(sharing: descriptor.number)
        self.descriptor = descriptor
        self.server = server
        self.mayAccept = mayAccept
        self.accepted = accepted
    }

    func run() async {
        while !isStopped {
            _ = await readiness.waitReadable(until: EventLoop.now + .seconds(1))
            readiness.isReadable = false
            guard !isStopped else { break }
            guard mayAccept() else {
                // Level-triggered: out of the set while others take the connections, or the loop would spin.
                readiness.pause()
                _ = await share.wait(until: EventLoop.now + .milliseconds(20))
                guard !isStopped else { break }
                try? readiness.yieldTurn()
                continue
            }
            if tryAccept() { continue }
        }
    }

    /// This worker has more connections or fewer: perhaps it may have another one.
    func connectionsChanged() {
        if share.isWaiting, mayAccept() { share.wake(.ready) }
    }

    /// Takes one queued connection, if there is one. False when the system refused.
    @discardableResult
    func tryAccept() -> Bool {
        guard !isStopped else { return true }
        do throws(SystemError) {
            guard let connection = try Socket.accept(descriptor.number) else { return true }
            try server.serve(connection)
            try readiness.yieldTurn()
            accepted(nil)
            return true
        } catch {
            accepted(error)
            return false
        }
    }

    /// Takes what is queued already and then leaves the listener for good.
    func stop() {
        guard !isStopped else { return }
        while let connection = try? Socket.accept(descriptor.number) {
            do throws(SystemError) {
                try server.serve(connection)
                accepted(nil)
            } catch {
                accepted(error)
            }
        }
        isStopped = true
        share.close()
        readiness.close()
    }
}
