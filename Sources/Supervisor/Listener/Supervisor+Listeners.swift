internal import Shared

/// Listens on other addresses from one generation to the next. Sockets are bound before anything is decided; workers
/// begin and leave with the generation; ours is closed last, so that no connection is in a queue without an owner.
extension Supervisor {
    /// How long a socket stays open that all workers have left: a handshake that had begun may end until then.
    private static let grace = TimeSpan.milliseconds(200)

    /// Before a worker is told to serve with a generation, it is told where.
    func tellListeners(of generation: UInt64, _ process: WorkerProcess) {
        guard let next = published[generation]?.listeners else { return }
        for listener in listeners.listeners where !next.has(listener.address) {
            listener.refuseConnections(isGone: true)
        }
        let wanted = Set(next.listeners.map { "\($0.address)" })
        for listener in next.listeners where !process.addresses.contains("\(listener.address)") {
            _ = process.channel.send(.open(address: "\(listener.address)"), with: listener.socket)
        }
        for address in process.addresses.subtracting(wanted) { _ = process.channel.send(.close(address: address)) }
        process.addresses = wanted
    }

    /// All workers listen there now, and nowhere else.
    func listen(_ next: ListenerSet) {
        guard next.listeners.map(\.address) != listeners.listeners.map(\.address) else { return }
        let closeAt = Clock.now() + Self.grace
        for listener in listeners.listeners where !next.has(listener.address) {
            listener.refuseConnections(isGone: true)
            leftListeners.append((listener, closeAt))
            log.listenerClosed(listener)
        }
        log.listening(
            next.listeners.filter { !listeners.has($0.address) }, smallerBacklog: ListenerSet.smallerBacklog())
        listeners = next
        listeners.store(in: manager)
    }

    /// Lets go of every socket, so that nobody's connection waits for us.
    func closeListeners() {
        listeners.close()
        leftListeners = []
        published = published.mapValues { PublishedGeneration($0.configuration, ListenerSet(adopting: [])) }
    }

    func closeLeftListeners(_ now: Instant) {
        if !leftListeners.isEmpty { leftListeners.removeAll { $0.closeAt <= now } }
    }
}
