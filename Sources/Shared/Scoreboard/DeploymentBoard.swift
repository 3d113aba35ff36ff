/// How each deployment is doing, as all workers know it: cooldowns, failures, usage and latencies on the scoreboard.
///
/// Every number is 8 aligned bytes that are changed by one atomic operation, so each state is valid after a kill at any
/// instruction, and workers agree within one loop turn. A deployment keeps its place (`DeploymentSlots`) over reloads.
/// Attempts under way are counted by each worker for itself, so that those of a dead one can be taken back.
///
/// Relaxed order is enough: each number is a fact of its own.
public final class DeploymentBoard {
    static let entryBytes = 256
    /// Latencies that are kept.
    private static let ringEntries = 10

    private enum Field {
        /// When the cooldown ends, monotonic nanoseconds; 0: fit. In the past: half open, one probe may go.
        static let cooldown = 0
        /// Minute, failures, total of the current minute.
        static let minute = 8
        /// When counting began (milliseconds), failures since.
        static let window = 16
        /// Minute, attempts.
        static let requests = 24
        /// Minute, tokens.
        static let tokens = 32
        /// For ever: attempts, failures, cooldowns.
        static let attempts = 40
        static let failures = 48
        static let cooldowns = 56
        /// Entries written, then the entries: seconds, microseconds.
        static let latencies = 64
        static let firstTokens = 64 + 8 * (1 + ringEntries)
    }

    public let scoreboard: Scoreboard
    private let memory: SharedMemory
    private let block: Int

    /// `block`: the worker's own on the scoreboard.
    public init(_ scoreboard: Scoreboard, block: Int) {
        self.scoreboard = scoreboard
        self.block = block
        memory = scoreboard.memory
    }

    // MARK: Cooldown

    /// 0: fit; in the past: half open.
    @inline(__always)
    public func cooldownEnd(of slot: Int) -> Instant {
        Instant(nanoseconds: memory.atomicLoad(scoreboard.offset(ofDeployment: slot) + Field.cooldown))
    }

    /// Leaves the deployment alone until then; a later end stays. Whether anything changed.
    ///
    /// `probe`: until when the probe that has failed kept others away, if it was one. That is no cooldown: its end gives
    /// way to an earlier one.
    @discardableResult
    public func cool(_ slot: Int, until end: Instant, insteadOf probe: Instant? = nil) -> Bool {
        let offset = scoreboard.offset(ofDeployment: slot)
        if let probe, memory.atomicReplace(probe.nanoseconds, with: end.nanoseconds, offset + Field.cooldown) {
            memory.atomicAdd(1, offset + Field.cooldowns)
            return true
        }
        while true {
            let current = memory.atomicLoad(offset + Field.cooldown)
            if current >= end.nanoseconds { return false }
            if memory.atomicReplace(current, with: end.nanoseconds, offset + Field.cooldown) {
                memory.atomicAdd(1, offset + Field.cooldowns)
                return true
            }
        }
    }

    /// Takes the right to the one probe after a cooldown that ended at `end`: the others stay away until `until`.
    public func takeProbe(_ slot: Int, after end: Instant, until: Instant) -> Bool {
        let offset = scoreboard.offset(ofDeployment: slot) + Field.cooldown
        return memory.atomicReplace(end.nanoseconds, with: until.nanoseconds, offset)
    }

    /// The probe has succeeded, or was given up without a result: then the next one may go.
    public func endProbe(_ slot: Int, until: Instant, succeeded: Bool) {
        let offset = scoreboard.offset(ofDeployment: slot) + Field.cooldown
        _ = memory.atomicReplace(until.nanoseconds, with: succeeded ? 0 : 1, offset)
    }

    // MARK: Outcomes

    /// Counts an outcome in the current minute; answers the minute so far, with this one.
    @discardableResult
    public func count(_ slot: Int, failed: Bool, at now: Instant) -> CooldownRule.Minute {
        let offset = scoreboard.offset(ofDeployment: slot)
        if failed { memory.atomicAdd(1, offset + Field.failures) }
        let minute = now.minute & 0xFF_FFFF
        let most: Int64 = 0xF_FFFF
        while true {
            let current = memory.atomicLoad(offset + Field.minute)
            let isSame = current >> 40 == minute
            let total = min(most, (isSame ? current & most : 0) + 1)
            let failures = min(most, (isSame ? current >> 20 & most : 0) + (failed ? 1 : 0))
            let next = minute << 40 | failures << 20 | total
            if memory.atomicReplace(current, with: next, offset + Field.minute) {
                return CooldownRule.Minute(total: Int(total), failed: Int(failures))
            }
        }
    }

    /// Counts a failure within `window`, which begins with the first one; answers how many there were.
    public func countInWindow(_ slot: Int, _ window: TimeSpan, at now: Instant) -> Int {
        let offset = scoreboard.offset(ofDeployment: slot) + Field.window
        let milliseconds = now.nanoseconds / 1_000_000 & 0x7FF_FFFF_FFFF
        while true {
            let current = memory.atomicLoad(offset)
            let begun = current >> 20
            let isOpen = begun != 0 && milliseconds - begun < Int64(window.milliseconds)
            let count = isOpen ? min(0xF_FFFF, current & 0xF_FFFF + 1) : 1
            if memory.atomicReplace(current, with: (isOpen ? begun : milliseconds) << 20 | count, offset) {
                return Int(count)
            }
        }
    }

    /// Failures are counted from none again, once they have led to a cooldown.
    public func restartWindow(_ slot: Int) {
        memory.atomicStore(0, scoreboard.offset(ofDeployment: slot) + Field.window)
    }

    // MARK: Usage

    /// Counts an attempt in the current minute, unless there were `limit` already.
    public func countRequest(_ slot: Int, limit: Int, at now: Instant) -> Bool {
        let offset = scoreboard.offset(ofDeployment: slot) + Field.requests
        let minute = now.minute & 0x7FFF_FFFF
        while true {
            let current = memory.atomicLoad(offset)
            let count = current >> 32 == minute ? current & 0xFFFF_FFFF : 0
            if count >= limit { return false }
            if memory.atomicReplace(current, with: minute << 32 | (count + 1), offset) { return true }
        }
    }

    public func requests(of slot: Int, at now: Instant) -> Int {
        figure(scoreboard.offset(ofDeployment: slot) + Field.requests, now)
    }

    public func addTokens(_ slot: Int, _ count: Int, at now: Instant) {
        let offset = scoreboard.offset(ofDeployment: slot) + Field.tokens
        let minute = now.minute & 0x7FFF_FFFF
        while true {
            let current = memory.atomicLoad(offset)
            let before = current >> 32 == minute ? current & 0xFFFF_FFFF : 0
            let sum = min(0xFFFF_FFFF, before + Int64(max(0, min(count, 0x7FFF_FFFF))))
            if memory.atomicReplace(current, with: minute << 32 | sum, offset) { return }
        }
    }

    public func tokens(of slot: Int, at now: Instant) -> Int {
        figure(scoreboard.offset(ofDeployment: slot) + Field.tokens, now)
    }

    private func figure(_ offset: Int, _ now: Instant) -> Int {
        let current = memory.atomicLoad(offset)
        return current >> 32 == now.minute & 0x7FFF_FFFF ? Int(current & 0xFFFF_FFFF) : 0
    }

    // MARK: Latencies

    /// Keeps a latency: until the answer was complete, or for streams until its first token.
    public func note(_ slot: Int, _ latency: TimeSpan, isStream: Bool, at now: Instant) {
        let ring = scoreboard.offset(ofDeployment: slot) + (isStream ? Field.firstTokens : Field.latencies)
        let number = memory.atomicAdd(1, ring) - 1
        let microseconds = min(0xFFFF_FFFF, max(1, latency.nanoseconds / 1000))
        let entry = ring + 8 * (1 + Int(number % Int64(Self.ringEntries)))
        memory.atomicStore(now.seconds << 32 | microseconds, entry)
    }

    /// The mean of those kept and not older than `lifetime`, in nanoseconds; 0 when there is none.
    public func latency(of slot: Int, isStream: Bool, lifetime: TimeSpan, at now: Instant) -> Int64 {
        let ring = scoreboard.offset(ofDeployment: slot) + (isStream ? Field.firstTokens : Field.latencies)
        let count = Int(max(0, min(Int64(Self.ringEntries), memory.atomicLoad(ring))))
        let oldest = now.seconds - lifetime.nanoseconds / 1_000_000_000
        var sum: Int64 = 0
        var used: Int64 = 0
        for index in 0..<count {
            let entry = memory.atomicLoad(ring + 8 * (1 + index))
            guard entry != 0, entry >> 32 >= oldest else { continue }
            sum += (entry & 0xFFFF_FFFF) * 1000
            used += 1
        }
        return used == 0 ? 0 : sum / used
    }

    // MARK: Attempts under way

    public func beginAttempt(_ slot: Int) {
        memory.atomicAdd(1, scoreboard.offset(ofDeployment: slot) + Field.attempts)
        let offset = scoreboard.offset(ofAttempts: block, at: slot)
        memory.store(memory.load(offset) + 1, offset)
    }

    public func endAttempt(_ slot: Int) {
        let offset = scoreboard.offset(ofAttempts: block, at: slot)
        memory.store(max(0, memory.load(offset) - 1), offset)
    }

    /// Over all workers.
    public func inFlight(of slot: Int) -> Int {
        var sum: Int64 = 0
        for other in 0..<scoreboard.usedBlocks { sum += memory.load(scoreboard.offset(ofAttempts: other, at: slot)) }
        return Int(sum)
    }

    // MARK: Figures

    public func figures(of slot: Int) -> DeploymentFigures {
        let offset = scoreboard.offset(ofDeployment: slot)
        return DeploymentFigures(
            attempts: Int(memory.atomicLoad(offset + Field.attempts)),
            failures: Int(memory.atomicLoad(offset + Field.failures)),
            cooldowns: Int(memory.atomicLoad(offset + Field.cooldowns)), inFlight: inFlight(of: slot),
            cooldownEnd: cooldownEnd(of: slot))
    }
}

/// What a deployment has been through since it got its place.
public struct DeploymentFigures: Equatable, Sendable {
    public var attempts: Int
    public var failures: Int
    public var cooldowns: Int
    public var inFlight: Int
    public var cooldownEnd: Instant
}

extension Instant {
    fileprivate var seconds: Int64 { nanoseconds / 1_000_000_000 }
    fileprivate var minute: Int64 { nanoseconds / 60_000_000_000 }

    /// When the minute of `now` that limits are counted in is over.
    public var endOfMinute: Instant { Instant(nanoseconds: (minute + 1) * 60_000_000_000) }
}
