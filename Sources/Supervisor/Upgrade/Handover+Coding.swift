internal import Shared

/// A handover as bytes, and back. Pure.
extension Handover {
    typealias Failure = BinaryDecoder.Failure

    func encoded() -> [UInt8] {
        var out = BinaryEncoder()
        out.put(Self.version)
        out.put(image.version)
        out.put(image.build)
        out.put(path)
        out.put(startedAt)
        out.put(begun)
        out.put(runDirectory)
        for number in [executable, lock, control, scoreboard] { out.put(Int(number)) }
        out.put(clients) { $0.put(Int($1)) }
        out.put(listeners) { out, listener in
            out.put(Int(listener.descriptor))
            out.put(listener.origin.rawValue)
            out.put(listener.storedAs)
        }
        out.put(generation)
        out.put(lastGeneration)
        out.put(lastReload)
        out.put(raw: configuration)
        out.put(files.sorted { $0.key < $1.key }) { out, file in
            out.put(file.key)
            file.value.encode(into: &out)
        }
        out.put(hasDrifted)
        out.put(startedFromKept)
        out.put(condemned) { $0.put(raw: $1) }
        out.put(size)
        out.put(cut)
        out.put(workers) { $1.encode(into: &$0) }
        out.put(slots.sorted { $0.key < $1.key }) { out, slot in
            out.put(slot.key)
            slot.value.encode(into: &out)
        }
        metrics.encode(into: &out)
        out.put(logLevel.name.description)
        return out.bytes
    }

    init(encoded bytes: [UInt8]) throws(Failure) {
        var input = BinaryDecoder(bytes)
        guard try input.number() == Self.version else { throw Failure() }
        let image = Image(version: try input.string(), build: try input.string())
        let path = try input.string()
        let startedAt = try input.instant()
        let begun = try input.instant()
        let runDirectory = try input.string()
        let executable = try input.descriptor()
        let lock = try input.descriptor()
        let control = try input.descriptor()
        let scoreboard = try input.descriptor()
        let clients = try input.array { (input) throws(Failure) in try input.descriptor() }
        let listeners = try input.array { (input) throws(Failure) in
            Listener(
                descriptor: try input.descriptor(), origin: try input.word(), storedAs: try input.optionalString())
        }
        self.init(
            image: image, executable: executable, path: path, startedAt: startedAt, begun: begun,
            runDirectory: runDirectory, lock: lock, control: control, clients: clients, scoreboard: scoreboard,
            listeners: listeners, generation: try input.number(), lastGeneration: try input.number(),
            lastReload: try input.count(), configuration: try input.raw(),
            files: Dictionary(
                try input.array { (input) throws(Failure) in
                    (try input.string(), try ConfigurationSource.FileState(from: &input))
                }
            ) { $1 }, hasDrifted: try input.bool(), startedFromKept: try input.optionalInt(),
            condemned: try input.optional { (input) throws(Failure) in try input.raw() },
            size: try input.count(), cut: try input.count(),
            workers: try input.array { (input) throws(Failure) in try Worker(from: &input) },
            slots: Dictionary(
                try input.array { (input) throws(Failure) in (try input.count(), try Fleet.Slot(from: &input)) }
            ) { $1 },
            metrics: try SupervisorMetrics(from: &input), logLevel: try input.level())
        guard input.isAtEnd else { throw Failure() }
    }
}

extension BinaryEncoder {
    fileprivate mutating func put(_ instant: Instant) { put(Int(instant.nanoseconds)) }

    fileprivate mutating func put(_ instant: Instant?) { put(instant) { $0.put($1) } }
}

extension BinaryDecoder {
    fileprivate mutating func instant() throws(Failure) -> Instant { Instant(nanoseconds: Int64(try int())) }

    fileprivate mutating func optionalInstant() throws(Failure) -> Instant? {
        try optional { (input) throws(Failure) in try input.instant() }
    }

    fileprivate mutating func count() throws(Failure) -> Int {
        let count = try int()
        guard count >= 0 else { throw Failure() }
        return count
    }

    fileprivate mutating func descriptor() throws(Failure) -> Int32 {
        guard let number = Int32(exactly: try int()), number > 2 else { throw Failure() }
        return number
    }

    fileprivate mutating func word<Word: RawRepresentable<String>>() throws(Failure) -> Word {
        guard let word = Word(rawValue: try string()) else { throw Failure() }
        return word
    }

    fileprivate mutating func level() throws(Failure) -> Log.Level {
        guard let level = Log.Level(name: try string()) else { throw Failure() }
        return level
    }
}

extension ConfigurationSource.FileState {
    fileprivate func encode(into out: inout BinaryEncoder) {
        switch self {
        case .bytes(let bytes):
            out.put(true)
            out.put(raw: bytes)
        case .unreadable(let error):
            out.put(false)
            out.put(error.call)
            out.put(Int(error.code))
        }
    }

    fileprivate init(from input: inout BinaryDecoder) throws(BinaryDecoder.Failure) {
        if try input.bool() {
            self = .bytes(try input.raw())
        } else {
            self = .unreadable(SystemError(call: try input.string(), code: Int32(clamping: try input.int())))
        }
    }
}

extension Handover.Worker {
    fileprivate func encode(into out: inout BinaryEncoder) {
        for number in [process, channel, errors] { out.put(Int(number)) }
        out.put(block)
        worker.encode(into: &out)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(BinaryDecoder.Failure) {
        guard let process = Int32(exactly: try input.int()), process > 0 else { throw BinaryDecoder.Failure() }
        self.process = process
        channel = try input.descriptor()
        errors = try input.descriptor()
        block = try input.count()
        guard block < Scoreboard.mostWorkers else { throw BinaryDecoder.Failure() }
        worker = try Fleet.Worker(from: &input)
    }
}

extension Fleet.Worker {
    fileprivate func encode(into out: inout BinaryEncoder) {
        for number in [id, slot, incarnation] { out.put(number) }
        out.put(phase.rawValue)
        out.put(startedAt)
        out.put(readyAt)
        out.put(generation)
        out.put(order) { out, order in
            out.put(order.step.rawValue)
            out.put(order.generation)
            out.put(order.deadline)
        }
        out.put(finishAt)
        out.put(killAt)
        out.put(isReplaced)
        out.put(cause?.rawValue)
        out.put(reason)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(BinaryDecoder.Failure) {
        typealias Failure = BinaryDecoder.Failure
        let id = try input.count()
        let slot = try input.count()
        let incarnation = try input.count()
        let phase: Phase = try input.word()
        let startedAt = try input.instant()
        let readyAt = try input.optionalInstant()
        let generation = try input.number()
        let order = try input.optional { (input) throws(Failure) in
            Fleet.Order(
                step: try input.word(), generation: try input.number(), deadline: try input.instant())
        }
        let finishAt = try input.instant()
        let killAt = try input.instant()
        let isReplaced = try input.bool()
        let cause: Fleet.Cause? = try input.optional { (input) throws(Failure) in try input.word() }
        self.init(
            id: id, slot: slot, incarnation: incarnation, phase: phase, startedAt: startedAt, readyAt: readyAt,
            generation: generation, order: order, finishAt: finishAt, killAt: killAt, isReplaced: isReplaced,
            cause: cause, reason: try input.optionalString())
    }
}

extension Fleet.Slot {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(incarnations)
        out.put(backoff.failures)
        out.put(deaths) { $0.put($1) }
        out.put(bootFailures)
        out.put(respawnAt)
        out.put(isFailing)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(BinaryDecoder.Failure) {
        self.init(
            incarnations: try input.count(), backoff: Backoff(failures: try input.count()),
            deaths: try input.array { (input) throws(BinaryDecoder.Failure) in try input.instant() },
            bootFailures: try input.count(), respawnAt: try input.optionalInstant(), isFailing: try input.bool())
    }
}

extension SupervisorMetrics {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(lastReloadSeconds)
        out.put(isLastReloadGood)
        out.put(lostRequests)
        out.put(overflows)
        let restarts = restarts.sorted { ($0.key.slot, $0.key.kind.rawValue) < ($1.key.slot, $1.key.kind.rawValue) }
        out.put(restarts) { out, one in
            out.put(one.key.slot)
            out.put(one.key.kind.rawValue)
            out.put(one.value)
        }
        out.put(reloads.sorted { $0.key < $1.key }) { out, one in
            out.put(one.key)
            out.put(one.value)
        }
    }

    fileprivate init(from input: inout BinaryDecoder) throws(BinaryDecoder.Failure) {
        typealias Failure = BinaryDecoder.Failure
        self.init(lastReloadSeconds: try input.int())
        isLastReloadGood = try input.bool()
        lostRequests = try input.count()
        overflows = try input.count()
        let counted = try input.array { (input) throws(Failure) in
            (Restart(slot: try input.count(), kind: try input.word()), try input.count())
        }
        restarts = Dictionary(counted) { $1 }
        let results = try input.array { (input) throws(Failure) in (try input.string(), try input.count()) }
        reloads = Dictionary(results) { $1 }
    }
}
