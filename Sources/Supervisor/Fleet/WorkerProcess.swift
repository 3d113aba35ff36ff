internal import Shared
internal import Worker

/// One worker as the supervisor holds it: the process, the channel to it, its block on the scoreboard and the pipe
/// that its standard error is.
final class WorkerProcess {
    let id: Int
    let slot: Int
    let incarnation: Int
    /// Nil: it writes to the scoreboard of a former image, which this one cannot read.
    let block: Int?
    let child: ChildProcess
    let channel: ControlChannel
    let errors: DescriptorBox
    var output = WorkerOutput()
    /// Where it listens, or will with the generation that it is told to serve with.
    var addresses: Set<String>
    let startedAt: Instant

    init(
        id: Int, slot: Int, incarnation: Int, block: Int?, child: ChildProcess, channel: ControlChannel,
        errors: DescriptorBox, addresses: Set<String>, startedAt: Instant
    ) {
        self.id = id
        self.slot = slot
        self.incarnation = incarnation
        self.block = block
        self.child = child
        self.channel = channel
        self.errors = errors
        self.addresses = addresses
        self.startedAt = startedAt
    }

    /// Starts a worker from the image that runs now, with the listeners and the scoreboard.
    static func start(
        id: Int, slot: Int, incarnation: Int, block: Int, listeners: [ListenerSet.Listener], scoreboard: DescriptorBox,
        environment: [String: String], now: Instant
    ) throws(SystemError) -> WorkerProcess {
        let (channel, theirs) = try ControlChannel.pair()
        let errors = try Pipe.make()
        var descriptors: [(from: Int32, to: Int32)] = [
            (errors.writing.number, StandardStream.error.rawValue),
            (theirs.number, ControlChannel.workerDescriptor),
        ]
        for (index, listener) in listeners.enumerated() {
            descriptors.append((listener.socket.number, ControlChannel.firstListener + Int32(index)))
        }
        descriptors.append((scoreboard.number, ControlChannel.firstListener + Int32(listeners.count)))
        let arguments = [
            "tagway", "worker", "--parent", "\(CurrentProcess.id)", "--slot", "\(slot)", "--incarnation",
            "\(incarnation)", "--block", "\(block)", "--listeners", "\(listeners.count)",
        ]
        let child = try ChildProcess(
            starting: ChildProcess.ownImage, arguments: arguments, environment: environment, descriptors: descriptors)
        return WorkerProcess(
            id: id, slot: slot, incarnation: incarnation, block: block, child: child, channel: channel,
            errors: errors.reading, addresses: Set(listeners.map { "\($0.address)" }), startedAt: now)
    }

    /// One that an earlier image of this process has started.
    convenience init(
        adopting one: Handover.Worker, listeners: [ListenerSet.Listener], sharesScoreboard: Bool
    ) throws(SystemError) {
        let channel = ControlChannel(inherited: one.channel)
        let errors = DescriptorBox(FileDescriptor(owning: one.errors))
        self.init(
            id: one.worker.id, slot: one.worker.slot, incarnation: one.worker.incarnation,
            block: sharesScoreboard ? one.block : nil, child: try ChildProcess(adopting: one.process),
            channel: channel, errors: errors, addresses: Set(listeners.map { "\($0.address)" }),
            startedAt: one.worker.startedAt)
    }

    /// What it has written to standard error since the last call; `isEnd` when nobody can write there any more.
    func readErrors(_ room: inout [UInt8]) -> (lines: [WorkerOutput.Line], isEnd: Bool) {
        var lines: [WorkerOutput.Line] = []
        // Bounded: one that never stops writing is heard again in the next turn.
        for _ in 0..<16 {
            switch Pipe.read(errors.number, into: &room) {
            case .bytes(let count): lines += output.take(room[..<count])
            case .wouldBlock: return (lines, false)
            case .end: return (lines, true)
            }
        }
        return (lines, false)
    }

    /// The environment of a worker: without what only the supervisor may say to the service manager.
    static func environment(from own: [String: String]) -> [String: String] {
        own.filter { name, _ in
            name != "NOTIFY_SOCKET" && name != "FDSTORE" && !name.hasPrefix("WATCHDOG_") && !name.hasPrefix("LISTEN_")
        }
    }
}
