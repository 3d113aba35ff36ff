public import Shared

/// How the deployments of one generation are doing: answers the router's questions from the scoreboard that all workers
/// share, and enters there what became of each attempt.
///
/// A deployment without a place on the scoreboard is always fit.
public final class DeploymentHealth: DeploymentStates {
    /// Plain numbers only.
    fileprivate struct Entry {
        /// Its place on the scoreboard; -1 without one.
        var slot: Int
        /// Attempts and tokens a minute; `Int.max` for any number.
        var requests: Int
        var tokens: Int
        /// Its own, in seconds.
        var cooldownTime: Double?
        var isAlone = false
        var servesAnyModel: Bool
    }

    /// Takes one deployment after the other, of which only what decides about its choice is looked at.
    public struct Builder {
        fileprivate let router: RouterSettings
        fileprivate var entries: [Entry] = []

        public init(_ router: RouterSettings) {
            self.router = router
        }

        public mutating func add(_ deployment: Deployment) {
            entries.append(
                Entry(
                    slot: deployment.boardSlot, requests: limit(deployment.rpm), tokens: limit(deployment.tpm),
                    cooldownTime: deployment.cooldownTime,
                    servesAnyModel: deployment.upstreamModel.utf8.contains(0x2A)))
        }

        private func limit(_ number: Double?) -> Int {
            guard router.strategy.enforcesLimits, let number, number < 1e15 else { return .max }
            return Int(number.rounded(.up))
        }
    }

    private let board: DeploymentBoard?
    private let entries: [Entry]
    private let cooldown: CooldownSettings
    private let latencyLifetime: TimeSpan
    private let ignoresCooldowns: Bool
    /// Whether tokens decide anything; they are read from answers only then.
    let countsTokens: Bool

    /// `table` is of the same deployments. Without a board nobody counts anything.
    public init(_ builder: consuming Builder, _ table: RoutingTable, _ board: DeploymentBoard?) {
        self.board = board
        let router = builder.router
        var entries = builder.entries
        for index in table.loners { entries[index].isAlone = true }
        self.entries = entries
        cooldown = router.cooldown
        latencyLifetime = .seconds(router.latencyLifetime)
        ignoresCooldowns = router.cooldown.isDisabled
        countsTokens = router.strategy == .usageBased || entries.contains { $0.tokens != .max }
    }

    /// Of a whole configuration.
    public convenience init(_ configuration: Configuration, _ table: RoutingTable, _ board: DeploymentBoard?) {
        var builder = Builder(configuration.router)
        for deployment in configuration.deployments { builder.add(deployment) }
        self.init(builder, table, board)
    }

    /// Its place on the scoreboard; nil without one.
    func slot(_ index: Int) -> Int? {
        let slot = entries[index].slot
        return slot >= 0 ? slot : nil
    }

    private func rule(_ index: Int) -> CooldownRule {
        let entry = entries[index]
        return CooldownRule(
            cooldown, ownTime: entry.cooldownTime, isAlone: entry.isAlone, servesAnyModel: entry.servesAnyModel)
    }

    // MARK: Questions of the router

    public func availability(of index: Int, at now: Instant) -> Availability {
        let entry = entries[index]
        let slot = entry.slot
        guard let board, slot >= 0 else { return .fit }
        if !ignoresCooldowns {
            let end = board.cooldownEnd(of: slot)
            if end > now { return .cooling(until: end) }
        }
        if entry.requests != .max, board.requests(of: slot, at: now) >= entry.requests {
            return .limited(until: now.endOfMinute)
        }
        if entry.tokens != .max, board.tokens(of: slot, at: now) >= entry.tokens {
            return .limited(until: now.endOfMinute)
        }
        return .fit
    }

    public func admit(_ index: Int, at now: Instant) -> Admission? {
        let entry = entries[index]
        let slot = entry.slot
        guard let board, slot >= 0 else { return Admission() }
        var admission = Admission()
        let end = board.cooldownEnd(of: slot)
        if !ignoresCooldowns, end.nanoseconds != 0 {
            let until = now + rule(index).probeTime
            guard end <= now, board.takeProbe(slot, after: end, until: until) else { return nil }
            admission.probeUntil = until
        }
        if entry.requests != .max, !board.countRequest(slot, limit: entry.requests, at: now) {
            if let until = admission.probeUntil { board.endProbe(slot, until: until, succeeded: false) }
            return nil
        }
        board.beginAttempt(slot)
        return admission
    }

    public func inFlight(of index: Int) -> Int {
        guard let board, entries[index].slot >= 0 else { return 0 }
        return board.inFlight(of: entries[index].slot)
    }

    public func latency(of index: Int, isStream: Bool, at now: Instant) -> Int64 {
        guard let board, entries[index].slot >= 0 else { return 0 }
        return board.latency(of: entries[index].slot, isStream: isStream, lifetime: latencyLifetime, at: now)
    }

    public func tokens(of index: Int, at now: Instant) -> Int {
        guard let board, entries[index].slot >= 0 else { return 0 }
        return board.tokens(of: entries[index].slot, at: now)
    }

    // MARK: What became of an attempt

    /// The deployment has begun to answer well: all of a plain answer is there, or the first token of a stream. Whether
    /// that ends a cooldown.
    @discardableResult
    func answers(_ index: Int, _ admission: Admission, latency: TimeSpan, isStream: Bool, at now: Instant) -> Bool {
        guard let board, entries[index].slot >= 0 else { return false }
        board.note(entries[index].slot, latency, isStream: isStream, at: now)
        guard let until = admission.probeUntil else { return false }
        board.endProbe(entries[index].slot, until: until, succeeded: true)
        return true
    }

    func succeeded(_ index: Int, at now: Instant) {
        guard let board, entries[index].slot >= 0 else { return }
        board.count(entries[index].slot, failed: false, at: now)
    }

    /// Answers for how long the deployment is now left alone, if this failure has decided that.
    @discardableResult
    func failed(
        _ index: Int, _ admission: Admission, _ failure: AttemptFailure, retryAfter: TimeSpan?, at now: Instant
    ) -> TimeSpan? {
        let slot = entries[index].slot
        guard let board, slot >= 0 else { return nil }
        let rule = rule(index)
        guard rule.counts(failure) else {
            // It refused the request, not the service: it is there.
            if let until = admission.probeUntil { board.endProbe(slot, until: until, succeeded: true) }
            board.count(slot, failed: false, at: now)
            return nil
        }
        let minute = board.count(slot, failed: true, at: now)
        let inWindow = rule.countsWindow ? board.countInWindow(slot, rule.window, at: now) : 0
        guard
            let time = rule.cooldown(
                after: failure, minute: minute, inWindow: inWindow, isProbe: admission.probeUntil != nil,
                retryAfter: retryAfter)
        else {
            if let until = admission.probeUntil { board.endProbe(slot, until: until, succeeded: false) }
            return nil
        }
        if rule.countsWindow { board.restartWindow(slot) }
        return board.cool(slot, until: now + time, insteadOf: admission.probeUntil) ? time : nil
    }

    /// The client has left, or its patience is over: nobody's failure. Another request may be the probe.
    func abandoned(_ index: Int, _ admission: Admission) {
        guard let board, entries[index].slot >= 0, let until = admission.probeUntil else { return }
        board.endProbe(entries[index].slot, until: until, succeeded: false)
    }

    /// Exactly once for each admission.
    public func ended(_ index: Int) {
        guard let board, entries[index].slot >= 0 else { return }
        board.endAttempt(entries[index].slot)
    }

    func used(_ index: Int, tokens: Int, at now: Instant) {
        guard let board, entries[index].slot >= 0 else { return }
        board.addTokens(entries[index].slot, tokens, at: now)
    }
}
