/// The layout of one worker's block on the scoreboard, and how it is read.
enum WorkerBlock {
    /// Counters by status, and of time taken; `WorkerCounters`.
    static let callsOffset = 512
    static let othersOffset = callsOffset + 8 * WorkerCounters.statusCount
    static let durationOffset = othersOffset + 8 * WorkerCounters.statusCount
    static let upstreamOffset = durationOffset + LatencyCounts.size
    static let tableOffset = 12 << 10
    static let entryBytes = 256
    static let entries = 4096
    static let size = tableOffset + entries * entryBytes
    /// The longest id, model or tag that is kept; a longer one is cut.
    static let textBytes = 64

    enum Field {
        static let heartbeat = 0
        static let turns = 8
        static let connections = 16
        static let inFlight = 24
        static let accepts = 32
        static let requests = 40
        static let cut = 48
        static let loopLag = 56
        static let residentBytes = 64
        static let generation = 72
        static let liveGenerations = 80
        static let droppedLines = 88
        static let untracked = 96
        /// One past the highest entry that was ever in use, so that a reader need not touch the whole table.
        static let usedEntries = 104
        /// 1 while the worker accepts connections.
        static let accepting = 112
        static let streams = 120
        static let bytesSent = 128
        static let retries = 136
        static let fallbacks = 144
        /// One more than the slot of the worker, written by the supervisor; 0 while the block is free.
        static let slot = 152
    }

    enum Entry {
        /// Zero: free. Stored last at the beginning of a request and first at its end.
        static let begun = 0
        static let bytesSent = 8
        static let phase = 16
        static let id = 24
        static let model = id + 8 + textBytes
        static let tag = model + 8 + textBytes
    }

    static func figures(_ memory: SharedMemory, _ offset: Int) -> WorkerFigures {
        func number(_ field: Int) -> Int { Int(memory.load(offset + field)) }
        var figures = WorkerFigures()
        figures.heartbeat = Instant(nanoseconds: memory.load(offset + Field.heartbeat))
        figures.turns = number(Field.turns)
        figures.connections = number(Field.connections)
        figures.inFlight = number(Field.inFlight)
        figures.accepts = number(Field.accepts)
        figures.requests = number(Field.requests)
        figures.cut = number(Field.cut)
        figures.loopLag = TimeSpan(nanoseconds: memory.load(offset + Field.loopLag))
        figures.residentBytes = number(Field.residentBytes)
        figures.generation = UInt64(bitPattern: memory.load(offset + Field.generation))
        figures.liveGenerations = number(Field.liveGenerations)
        figures.droppedLines = number(Field.droppedLines)
        figures.untracked = number(Field.untracked)
        return figures
    }

    static func requestsInFlight(_ memory: SharedMemory, _ offset: Int) -> [RequestInFlight] {
        let used = max(0, min(entries, Int(memory.load(offset + Field.usedEntries))))
        var requests: [RequestInFlight] = []
        for index in 0..<used {
            let entry = offset + tableOffset + index * entryBytes
            let begun = memory.load(entry + Entry.begun)
            guard begun != 0, let phase = RequestInFlight.Phase(rawValue: memory.load(entry + Entry.phase)) else {
                continue
            }
            requests.append(
                RequestInFlight(
                    id: text(memory, entry + Entry.id), model: text(memory, entry + Entry.model),
                    tag: text(memory, entry + Entry.tag), begun: Instant(nanoseconds: begun),
                    bytesSent: Int(memory.load(entry + Entry.bytesSent)), phase: phase))
        }
        return requests
    }

    /// Touches no more memory than was in use already.
    static func clear(_ memory: SharedMemory, _ offset: Int) {
        let used = max(0, min(entries, Int(memory.load(offset + Field.usedEntries))))
        for index in 0..<used { memory.store(0, offset + tableOffset + index * entryBytes + Entry.begun) }
        memory.clear(offset, tableOffset)
    }

    private static func text(_ memory: SharedMemory, _ offset: Int) -> String {
        let count = max(0, min(textBytes, Int(memory.load(offset))))
        return String(decoding: memory.bytes(offset + 8, count), as: UTF8.self)
    }
}
