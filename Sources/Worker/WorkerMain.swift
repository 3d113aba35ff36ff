internal import Shared

/// The role `worker`: takes what the supervisor has handed down, and serves until told otherwise.
///
/// Descriptors: 0, 1, 2, the control channel at 3, listeners from 4 on, the scoreboard behind them.
public enum WorkerMain {
    /// What a supervisor says of a worker on its command line.
    public struct Arguments: Equatable, Sendable {
        /// The supervisor's process number, to notice that it died before we could ask to be told.
        public var parent: Int32
        public var slot: Int
        public var incarnation: Int
        /// Its block on the scoreboard.
        public var block: Int
        public var listeners: Int

        public init(parent: Int32, slot: Int, incarnation: Int, block: Int, listeners: Int) {
            self.parent = parent
            self.slot = slot
            self.incarnation = incarnation
            self.block = block
            self.listeners = listeners
        }
    }

    /// Never returns; the process ends with one of `WorkerExit`.
    public static func run(_ arguments: Arguments) -> Never {
        CurrentProcess.dieWithParent(.terminate)
        guard CurrentProcess.parent == arguments.parent else { CurrentProcess.end(WorkerExit.lostSupervisor) }
        // A terminal sends to the whole process group; what it means is the supervisor's to decide.
        SignalDescriptor.ignore([
            .hangUp, .interrupt, .user1, .user2, .pipe, .alarm, .ttyInput, .ttyOutput, .windowChange,
        ])
        guard (try? Socket.localAddress(ControlChannel.workerDescriptor)) != nil else {
            StandardStream.error.write("tagway: a worker is started by `tagway serve` only\n")
            CurrentProcess.end(WorkerExit.usage)
        }
        EventLoop.shared.takeProcess()
        CurrentProcess.takeShortTurns()
        // Large bodies come one after the other: a megabyte costs 256 page faults otherwise.
        CurrentProcess.keepFreedMemory(32 << 20)
        Loop.assumeIsolated { begin(arguments, makeLog()) }
        EventLoop.shared.run()
        CurrentProcess.end(WorkerExit.failed)
    }

    /// The supervisor reads what we say; should it not, for once, that must not hold up requests.
    private static func makeLog() -> Log {
        Log { bytes, range in
            if StandardStream.error.hasRoom { StandardStream.error.write(bytes, range) }
        }
    }

    @Loop private static func begin(_ arguments: Arguments, _ log: Log) {
        do throws(SystemError) {
            let last = ControlChannel.firstListener + Int32(arguments.listeners)
            // What was handed down to us is handed on to nobody.
            for number in ControlChannel.workerDescriptor...last { FileDescriptor.setInheritable(number, false) }
            let scoreboard = try Scoreboard(mapping: DescriptorBox(FileDescriptor(owning: last)))
            guard arguments.block < scoreboard.blockCount else { throw SystemError(call: "scoreboard", code: 22) }
            let worker = try Worker(
                arguments, channel: ControlChannel(), signals: try SignalDescriptor(taking: [.terminate]),
                board: WorkerBoard(scoreboard, block: arguments.block), log: log)
            worker.start()
        } catch {
            log.event(.error, "worker-failed") { fields in
                fields.member("slot", arguments.slot)
                fields.member("error", error.description)
            }
            CurrentProcess.end(WorkerExit.failed)
        }
    }
}

/// What the exit status of a worker means.
public enum WorkerExit {
    public static let drained: Int32 = 0
    /// As `drained`, but some requests had to be cut.
    public static let cut: Int32 = 8
    public static let usage: Int32 = 64
    public static let failed: Int32 = 70
    public static let lostSupervisor: Int32 = 74
    public static let brokenProtocol: Int32 = 76
}
