internal import Shared
internal import Worker

/// One worker as the supervisor holds it: the process, the channel to it and its block on the scoreboard.
final class WorkerProcess {
    let id: Int
    let slot: Int
    let incarnation: Int
    let block: Int
    let child: ChildProcess
    let channel: ControlChannel
    let startedAt: Instant

    private init(
        id: Int, slot: Int, incarnation: Int, block: Int, child: ChildProcess, channel: ControlChannel,
        startedAt: Instant
    ) {
        self.id = id
        self.slot = slot
        self.incarnation = incarnation
        self.block = block
        self.child = child
        self.channel = channel
        self.startedAt = startedAt
    }

    /// Starts a worker from the image that runs now, with the listeners and the scoreboard.
    static func start(
        id: Int, slot: Int, incarnation: Int, block: Int, listeners: [DescriptorBox], scoreboard: DescriptorBox,
        environment: [String: String], now: Instant
    ) throws(SystemError) -> WorkerProcess {
        let (channel, theirs) = try ControlChannel.pair()
        var descriptors: [(from: Int32, to: Int32)] = [(theirs.number, ControlChannel.workerDescriptor)]
        for (index, listener) in listeners.enumerated() {
            descriptors.append((listener.number, ControlChannel.firstListener + Int32(index)))
        }
        descriptors.append((scoreboard.number, ControlChannel.firstListener + Int32(listeners.count)))
        let arguments = [
            "tagway", "worker", "--parent", "\(CurrentProcess.id)", "--slot", "\(slot)", "--incarnation",
            "\(incarnation)", "--block", "\(block)", "--listeners", "\(listeners.count)",
        ]
        let child = try ChildProcess(
            starting: ChildProcess.ownImage, arguments: arguments, environment: environment, descriptors: descriptors)
        return WorkerProcess(
            id: id, slot: slot, incarnation: incarnation, block: block, child: child, channel: channel, startedAt: now)
    }

    /// The environment of a worker: without what only the supervisor may say to the service manager.
    static func environment(from own: [String: String]) -> [String: String] {
        own.filter { name, _ in
            name != "NOTIFY_SOCKET" && !name.hasPrefix("WATCHDOG_") && !name.hasPrefix("LISTEN_")
        }
    }
}
