/// A worker's own block on the scoreboard, as it writes it. A few stores per call, no allocation.
///
/// A request is entered with `begin` as soon as it has an id, completed with `describe` once model and tags are
/// known, and moves on with `sent` and `flushed` until `end`. Should the worker die meanwhile, the supervisor names
/// it in a `request-lost` record, unless it was `flushed`:
///
///     let place = board?.begin(id: bytes, range, now: loop.now) ?? WorkerBoard.untracked
///     board?.describe(place, model: bytes, modelRange, tag: bytes, tagRange)
///     board?.sent(place, response.bytesSent)      // after each write to the client: the total so far
///     board?.flushed(place)                       // after the last byte of the response was written
///     board?.end(place)                           // exactly once for each `begin`
public final class WorkerBoard {
    private typealias Field = WorkerBlock.Field
    private typealias Entry = WorkerBlock.Entry

    public let scoreboard: Scoreboard
    public let block: Int
    private let memory: SharedMemory
    private let offset: Int
    /// Entries given back, the most recent last: their memory is in use already.
    private var free: [Int32] = []
    private var used = 0
    private var turns: Int64 = 0
    private var requests: Int64 = 0
    private var accepts: Int64 = 0
    private var cut: Int64 = 0
    private var untracked: Int64 = 0
    private var liveGenerations: Int64 = 0
    public private(set) var inFlight = 0
    /// When the latest request began.
    public private(set) var latestBegin = Instant(nanoseconds: 0)
    public private(set) var connections = 0

    /// The place of a request for which the table had no room.
    public static let untracked = -1

    public init(_ scoreboard: Scoreboard, block: Int) {
        self.scoreboard = scoreboard
        self.block = block
        memory = scoreboard.memory
        offset = scoreboard.offset(of: block)
    }

    // MARK: Requests

    /// Enters a request and counts it; answers its place in the table.
    public func begin(id: [UInt8], _ range: Range<Int>, now: Instant) -> Int {
        requests &+= 1
        memory.store(requests, offset + Field.requests)
        inFlight += 1
        latestBegin = now
        memory.store(Int64(inFlight), offset + Field.inFlight)
        guard let place = takePlace() else {
            untracked &+= 1
            memory.store(untracked, offset + Field.untracked)
            return Self.untracked
        }
        let entry = entry(place)
        memory.store(0, entry + Entry.bytesSent)
        memory.store(RequestInFlight.Phase.begun.rawValue, entry + Entry.phase)
        memory.store(0, entry + Entry.model)
        memory.store(0, entry + Entry.tag)
        store(id, range, entry + Entry.id)
        memory.store(max(1, now.nanoseconds), entry + Entry.begun)
        return place
    }

    /// Adds what the request turned out to ask for.
    public func describe(
        _ place: Int, model: [UInt8], _ modelRange: Range<Int>, tag: [UInt8], _ tagRange: Range<Int>
    ) {
        guard place >= 0 else { return }
        store(model, modelRange, entry(place) + Entry.model)
        store(tag, tagRange, entry(place) + Entry.tag)
    }

    /// `bytes` of the response have left, head included.
    public func sent(_ place: Int, _ bytes: Int) {
        guard place >= 0 else { return }
        memory.store(Int64(bytes), entry(place) + Entry.bytesSent)
        memory.store(RequestInFlight.Phase.sending.rawValue, entry(place) + Entry.phase)
    }

    /// The whole response has left: the client lacks nothing, should the worker die now.
    public func flushed(_ place: Int) {
        guard place >= 0 else { return }
        memory.store(RequestInFlight.Phase.flushed.rawValue, entry(place) + Entry.phase)
    }

    /// The request is over, in whatever way.
    public func end(_ place: Int) {
        inFlight -= 1
        memory.store(Int64(inFlight), offset + Field.inFlight)
        guard place >= 0 else { return }
        memory.store(0, entry(place) + Entry.begun)
        free.append(Int32(truncatingIfNeeded: place))
    }

    /// Counts an answer, with its status as the client saw it, or would have. A few stores.
    public func countAnswer(
        status: Int, isCall: Bool, isStream: Bool, bytesSent: Int, duration: TimeSpan, upstream: TimeSpan
    ) {
        let index = status - WorkerCounters.firstStatus
        if index >= 0, index < WorkerCounters.statusCount {
            memory.add(1, offset + (isCall ? WorkerBlock.callsOffset : WorkerBlock.othersOffset) + 8 * index)
        }
        memory.add(Int64(bytesSent), offset + Field.bytesSent)
        guard isCall else { return }
        if isStream { memory.add(1, offset + Field.streams) }
        LatencyCounts.count(duration, memory, offset + WorkerBlock.durationOffset)
        if upstream.nanoseconds > 0 { LatencyCounts.count(upstream, memory, offset + WorkerBlock.upstreamOffset) }
    }

    public func countRetries(_ retries: Int, fallbacks: Int) {
        if retries > 0 { memory.add(Int64(retries), offset + Field.retries) }
        if fallbacks > 0 { memory.add(Int64(fallbacks), offset + Field.fallbacks) }
    }

    /// Those under way now.
    public func requestsInFlight() -> [RequestInFlight] {
        scoreboard.requestsInFlight(of: block)
    }

    /// Whether one is, those included that found the table full.
    public var hasRequestsInFlight: Bool { inFlight > 0 }

    private func takePlace() -> Int? {
        if let place = free.popLast() { return Int(place) }
        guard used < WorkerBlock.entries else { return nil }
        used += 1
        memory.store(Int64(used), offset + Field.usedEntries)
        return used - 1
    }

    @inline(__always)
    private func entry(_ place: Int) -> Int { offset + WorkerBlock.tableOffset + place * WorkerBlock.entryBytes }

    private func store(_ text: [UInt8], _ range: Range<Int>, _ at: Int) {
        let kept = range.lowerBound..<min(range.upperBound, range.lowerBound + WorkerBlock.textBytes)
        memory.store(text, kept, at + 8)
        memory.store(Int64(kept.count), at)
    }

    // MARK: The process

    /// The loop turned: the sign of life that the supervisor's watchdog reads.
    public func beat(_ now: Instant) {
        turns &+= 1
        memory.store(now.nanoseconds, offset + Field.heartbeat)
        memory.store(turns, offset + Field.turns)
    }

    public func accepted() {
        accepts &+= 1
        memory.store(accepts, offset + Field.accepts)
    }

    public func setConnections(_ count: Int) {
        connections = count
        memory.store(Int64(count), offset + Field.connections)
    }

    public func setAccepting(_ accepts: Bool) {
        memory.store(accepts ? 1 : 0, offset + Field.accepting)
    }

    public func setLoad(lag: TimeSpan, residentBytes: Int, droppedLines: Int) {
        memory.store(lag.nanoseconds, offset + Field.loopLag)
        memory.store(Int64(residentBytes), offset + Field.residentBytes)
        memory.store(Int64(droppedLines), offset + Field.droppedLines)
    }

    public func setGeneration(_ number: UInt64) {
        memory.store(Int64(bitPattern: number), offset + Field.generation)
    }

    /// Call with 1 when a generation is made and with -1 when the last request has let go of it.
    public func countGenerations(_ change: Int) {
        liveGenerations += Int64(change)
        memory.store(liveGenerations, offset + Field.liveGenerations)
    }

    public func countCut(_ count: Int) {
        cut &+= Int64(count)
        memory.store(cut, offset + Field.cut)
    }

    // MARK: Balance

    /// Whether this worker may take another connection: not while it has clearly more than its share and another
    /// one, alive within the last second, has less. Looks at the workers' `connections`, one load for each.
    ///
    /// Clearly more is 1.25 times the mean and 8; of less than 64 each it is 1.375 times the mean, so that one more still
    /// leaves it within 1.5.
    public func mayAccept(now: Instant) -> Bool {
        guard connections > 8 else { return true }
        var count = 0
        var sum = 0
        var isOtherBelow = false
        for other in 0..<scoreboard.usedBlocks {
            let otherOffset = scoreboard.offset(of: other)
            let heartbeat = memory.load(otherOffset + Field.heartbeat)
            guard memory.load(otherOffset + Field.accepting) != 0,
                now.nanoseconds - heartbeat < 1_500_000_000
            else { continue }
            let theirs = Int(memory.load(otherOffset + Field.connections))
            count += 1
            sum += theirs
            if other != block, theirs < connections { isOtherBelow = true }
        }
        guard count > 1, isOtherBelow else { return true }
        return connections * count * 8 <= min(sum * 10 + 64 * count, sum * 11)
    }
}
