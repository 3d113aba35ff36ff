/// Memory that the supervisor makes and all workers map: what each of them is doing, readable after its death.
///
/// One block per worker process (not per slot: a worker and its successor live side by side for a while), written
/// by that worker with plain stores of 8 aligned bytes, so that it is valid after a kill at any instruction. One
/// region holds the state of each deployment, and one, worker by worker, its attempts under way: both are laid out by
/// `DeploymentBoard`. One holds the supervisor's metrics, which any worker may serve.
public final class Scoreboard {
    public let memory: SharedMemory
    public let blockCount: Int

    /// How many workers may exist at a time, those that drain included.
    public static let mostWorkers = 256
    /// Room for the state of deployments.
    public static let deploymentBytes = Configuration.mostDeployments * DeploymentBoard.entryBytes
    /// Room for one worker's attempts under way, a number for each deployment.
    static let attemptBytes = Configuration.mostDeployments * 8
    private static let textBytes = 1 << 20
    private static let headerBytes = 4096
    private static let magic: Int64 = 0x5441_4757_4159_0003

    private enum Field {
        static let magic = 0
        static let blockCount = 8
        /// One past the highest block that was ever in use.
        static let usedBlocks = 16
        static let usedDeployments = 24
        /// Odd while the supervisor moves counters from a block to the base.
        static let retirements = 32
    }

    private static let textOffset = headerBytes
    private static let deploymentOffset = textOffset + textBytes
    private static let attemptsOffset = deploymentOffset + deploymentBytes
    private static let blocksOffset = attemptsOffset + mostWorkers * attemptBytes

    /// New, empty memory. Sparse: only what is written to takes up memory.
    public init() throws(SystemError) {
        blockCount = Self.mostWorkers
        memory = try SharedMemory(
            named: "tagway-scoreboard", size: Self.blocksOffset + (blockCount + 1) * WorkerBlock.size)
        memory.store(Int64(blockCount), Field.blockCount)
        memory.store(Self.magic, Field.magic)
    }

    /// The memory that another process has made.
    public init(mapping descriptor: DescriptorBox) throws(SystemError) {
        memory = try SharedMemory(mapping: descriptor)
        let blocks = memory.size >= Self.headerBytes ? memory.load(Field.blockCount) : 0
        guard memory.size >= Self.headerBytes, memory.load(Field.magic) == Self.magic,
            blocks == Self.mostWorkers, memory.size == Self.blocksOffset + (Int(blocks) + 1) * WorkerBlock.size
        else { throw SystemError(call: "scoreboard", code: 22) }
        blockCount = Int(blocks)
    }

    /// Where the state of a deployment begins in `memory`.
    @inline(__always)
    func offset(ofDeployment slot: Int) -> Int {
        precondition(slot >= 0 && slot < Configuration.mostDeployments, "no such deployment on the scoreboard")
        return Self.deploymentOffset + slot * DeploymentBoard.entryBytes
    }

    /// Where the number of attempts of one worker at a deployment lies in `memory`.
    @inline(__always)
    func offset(ofAttempts block: Int, at slot: Int) -> Int {
        precondition(slot >= 0 && slot < Configuration.mostDeployments, "no such deployment on the scoreboard")
        return Self.attemptsOffset + block * Self.attemptBytes + slot * 8
    }

    /// Forgets a deployment that had this place.
    public func clearDeployment(_ slot: Int) {
        memory.clear(offset(ofDeployment: slot), DeploymentBoard.entryBytes)
    }

    /// The attempts of a worker that has died are no longer under way.
    public func clearAttempts(of block: Int) {
        for slot in 0..<usedDeployments where memory.load(offset(ofAttempts: block, at: slot)) != 0 {
            memory.store(0, offset(ofAttempts: block, at: slot))
        }
    }

    /// One past the highest place that a deployment ever had.
    public var usedDeployments: Int {
        get { max(0, min(Configuration.mostDeployments, Int(memory.load(Field.usedDeployments)))) }
        set { memory.store(Int64(newValue), Field.usedDeployments) }
    }

    /// Where the block of a worker begins in `memory`.
    func offset(of block: Int) -> Int {
        precondition(block >= 0 && block < blockCount, "no such block on the scoreboard")
        return Self.blocksOffset + block * WorkerBlock.size
    }

    public func figures(of block: Int) -> WorkerFigures {
        WorkerBlock.figures(memory, offset(of: block))
    }

    public func requestsInFlight(of block: Int) -> [RequestInFlight] {
        WorkerBlock.requestsInFlight(memory, offset(of: block))
    }

    /// One past the highest block that was ever in use.
    public var usedBlocks: Int { max(0, min(blockCount, Int(memory.load(Field.usedBlocks)))) }

    /// Whether a worker was given the block and nobody has buried it.
    public func isInUse(_ block: Int) -> Bool {
        memory.load(offset(of: block) + WorkerBlock.Field.slot) != 0
    }

    /// Makes a block ready for its next worker.
    public func prepare(_ block: Int, slot: Int) {
        WorkerBlock.clear(memory, offset(of: block))
        clearAttempts(of: block)
        memory.store(Int64(slot + 1), offset(of: block) + WorkerBlock.Field.slot)
        if block >= usedBlocks { memory.store(Int64(block + 1), Field.usedBlocks) }
    }

    // MARK: Sums over all workers

    /// Counters of workers that are gone.
    private var baseOffset: Int { Self.blocksOffset + blockCount * WorkerBlock.size }

    public func counters(of block: Int) -> WorkerCounters { WorkerCounters(memory, offset(of: block)) }

    /// Keeps what the worker of a block has counted, and frees the block. For the supervisor, when it has buried
    /// the worker.
    public func retire(_ block: Int) {
        var base = WorkerCounters(memory, baseOffset)
        base += counters(of: block)
        memory.add(1, Field.retirements)
        SharedMemory.fence()
        base.store(memory, baseOffset)
        WorkerBlock.clear(memory, offset(of: block))
        SharedMemory.fence()
        memory.add(1, Field.retirements)
    }

    /// What all workers have counted, those that are gone included; nil while a worker is being retired, which takes
    /// microseconds.
    public func totals() -> WorkerCounters? {
        for _ in 0..<100 {
            let before = memory.load(Field.retirements)
            guard before & 1 == 0 else { continue }
            SharedMemory.fence()
            var sum = WorkerCounters(memory, baseOffset)
            for block in occupiedBlocks { sum += counters(of: block) }
            SharedMemory.fence()
            if memory.load(Field.retirements) == before { return sum }
        }
        return nil
    }

    private var occupiedBlocks: [Int] {
        (0..<usedBlocks).filter { memory.load(offset(of: $0) + WorkerBlock.Field.slot) != 0 }
    }

    /// The workers there are, those that drain included.
    public func workers() -> [(slot: Int, figures: WorkerFigures)] {
        occupiedBlocks.map { block in
            (Int(memory.load(offset(of: block) + WorkerBlock.Field.slot)) - 1, figures(of: block))
        }
    }

    // MARK: The supervisor's metrics

    /// Publishes text that any worker may serve. Bracketed by a sequence number, odd while it is being written.
    public func publish(_ text: [UInt8]) {
        let count = min(text.count, Self.textBytes - 16)
        let sequence = memory.load(Self.textOffset)
        memory.store((sequence | 1), Self.textOffset)
        SharedMemory.fence()
        memory.store(Int64(count), Self.textOffset + 8)
        memory.store(text, 0..<count, Self.textOffset + 16)
        SharedMemory.fence()
        memory.store((sequence | 1) + 1, Self.textOffset)
    }

    /// What was published last; nil while it is being replaced, which takes microseconds.
    public func published() -> [UInt8]? {
        let sequence = memory.load(Self.textOffset)
        guard sequence & 1 == 0 else { return nil }
        SharedMemory.fence()
        let count = Int(memory.load(Self.textOffset + 8))
        guard count >= 0, count <= Self.textBytes - 16 else { return nil }
        let text = memory.bytes(Self.textOffset + 16, count)
        SharedMemory.fence()
        return memory.load(Self.textOffset) == sequence ? text : nil
    }
}

/// What a worker says of itself.
public struct WorkerFigures: Equatable, Sendable {
    /// When its loop turned last; 0 before the first turn.
    public var heartbeat = Instant(nanoseconds: 0)
    public var turns = 0
    public var connections = 0
    public var inFlight = 0
    public var accepts = 0
    /// Requests begun.
    public var requests = 0
    /// Requests that were cut at the deadline of a drain.
    public var cut = 0
    /// How late its loop served a timer, the last time it looked.
    public var loopLag = TimeSpan(nanoseconds: 0)
    public var residentBytes = 0
    public var generation: UInt64 = 0
    /// Generations that some request still holds, the one in force included.
    public var liveGenerations = 0
    /// Events and access lines that nobody took.
    public var droppedLines = 0
    /// Requests that found the table of those in flight full.
    public var untracked = 0

    public init() {}
}

/// A request that had begun and was not done.
public struct RequestInFlight: Equatable, Sendable {
    public enum Phase: Int64, Sendable {
        case begun = 1
        /// Bytes of the response have left.
        case sending = 2
        /// The response is complete, but for the mark.
        case flushed = 3

        public var name: String {
            switch self {
            case .begun: "begun"
            case .sending: "sending"
            case .flushed: "flushed"
            }
        }
    }

    public var id: String
    public var model: String
    public var tag: String
    public var begun: Instant
    public var bytesSent: Int
    public var phase: Phase
}
