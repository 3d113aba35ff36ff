/// What a worker has counted since it began. Only ever grows, so that sums over workers do, too: what a dead one has
/// counted is added to a base by `Scoreboard.retire`.
public struct WorkerCounters: Equatable, Sendable {
    /// Requests begun.
    public var requests = 0
    public var accepts = 0
    /// Requests that were cut at the deadline of a drain.
    public var cut = 0
    /// Events and access lines that nobody took.
    public var droppedLines = 0
    /// Requests that found the table of those in flight full.
    public var untracked = 0
    /// Answers that were sent as streams.
    public var streams = 0
    public var bytesSent = 0
    public var retries = 0
    public var fallbacks = 0
    /// Answers by status, from `firstStatus` on: to calls of models, and to anything else.
    public var calls = [Int](repeating: 0, count: statusCount)
    public var others = [Int](repeating: 0, count: statusCount)
    /// From the whole request to the end of the answer, of calls.
    public var duration = LatencyCounts()
    /// The part of it in which an upstream had the word.
    public var upstream = LatencyCounts()

    public static let firstStatus = 100
    public static let statusCount = 500

    public init() {}

    /// Those that are one number each, and where they lie in a block.
    private static let scalars: [(any WritableKeyPath<WorkerCounters, Int> & Sendable, Int)] = [
        (\.requests, WorkerBlock.Field.requests), (\.accepts, WorkerBlock.Field.accepts),
        (\.cut, WorkerBlock.Field.cut), (\.droppedLines, WorkerBlock.Field.droppedLines),
        (\.untracked, WorkerBlock.Field.untracked), (\.streams, WorkerBlock.Field.streams),
        (\.bytesSent, WorkerBlock.Field.bytesSent), (\.retries, WorkerBlock.Field.retries),
        (\.fallbacks, WorkerBlock.Field.fallbacks),
    ]

    init(_ memory: SharedMemory, _ offset: Int) {
        for (path, field) in Self.scalars { self[keyPath: path] = Int(memory.load(offset + field)) }
        for index in 0..<Self.statusCount {
            calls[index] = Int(memory.load(offset + WorkerBlock.callsOffset + 8 * index))
            others[index] = Int(memory.load(offset + WorkerBlock.othersOffset + 8 * index))
        }
        duration = LatencyCounts(memory, offset + WorkerBlock.durationOffset)
        upstream = LatencyCounts(memory, offset + WorkerBlock.upstreamOffset)
    }

    func store(_ memory: SharedMemory, _ offset: Int) {
        for (path, field) in Self.scalars { memory.store(Int64(self[keyPath: path]), offset + field) }
        for index in 0..<Self.statusCount {
            memory.store(Int64(calls[index]), offset + WorkerBlock.callsOffset + 8 * index)
            memory.store(Int64(others[index]), offset + WorkerBlock.othersOffset + 8 * index)
        }
        duration.store(memory, offset + WorkerBlock.durationOffset)
        upstream.store(memory, offset + WorkerBlock.upstreamOffset)
    }

    public static func += (left: inout WorkerCounters, right: WorkerCounters) {
        for (path, _) in scalars { left[keyPath: path] &+= right[keyPath: path] }
        for index in 0..<statusCount {
            left.calls[index] &+= right.calls[index]
            left.others[index] &+= right.others[index]
        }
        left.duration += right.duration
        left.upstream += right.upstream
    }
}

/// How many answers took how long.
public struct LatencyCounts: Equatable, Sendable {
    /// Upper bounds in seconds, a part of those of the reference, so that its dashboards find theirs. One more
    /// bucket takes what is beyond the last.
    public static let bounds: [StaticString] = [
        "0.005", "0.0125", "0.025", "0.05", "0.1", "0.5", "1.0", "2.0", "3.0", "5.0", "10.0", "15.0", "20.0", "30.0",
        "60.0", "120.0", "300.0",
    ]
    private static let microseconds: [Int64] = [
        5_000, 12_500, 25_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000,
        15_000_000, 20_000_000, 30_000_000, 60_000_000, 120_000_000, 300_000_000,
    ]
    /// Written out, so that places in a block are constants of the compiler.
    private static let boundCount = 17
    static let size = 8 * (boundCount + 2)

    /// Not cumulative: each answer is in one bucket.
    public var buckets = [Int](repeating: 0, count: boundCount + 1)
    public var nanoseconds = 0

    public init() {}

    public var count: Int { buckets.reduce(0, &+) }

    init(_ memory: SharedMemory, _ offset: Int) {
        for index in buckets.indices { buckets[index] = Int(memory.load(offset + 8 * index)) }
        nanoseconds = Int(memory.load(offset + 8 * buckets.count))
    }

    func store(_ memory: SharedMemory, _ offset: Int) {
        for index in buckets.indices { memory.store(Int64(buckets[index]), offset + 8 * index) }
        memory.store(Int64(nanoseconds), offset + 8 * buckets.count)
    }

    /// Counts one answer in place.
    @inline(__always)
    static func count(_ span: TimeSpan, _ memory: SharedMemory, _ offset: Int) {
        var index = 0
        while index < boundCount, microseconds[index] * 1000 < span.nanoseconds { index += 1 }
        memory.add(1, offset + 8 * index)
        memory.add(max(0, span.nanoseconds), offset + 8 * (boundCount + 1))
    }

    static func += (left: inout LatencyCounts, right: LatencyCounts) {
        for index in left.buckets.indices { left.buckets[index] &+= right.buckets[index] }
        left.nanoseconds &+= right.nanoseconds
    }
}
