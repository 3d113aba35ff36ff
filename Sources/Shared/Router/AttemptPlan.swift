/// Which deployment a request goes to next, as attempts fail: retries within the tags' choice, then higher `order`s, in
/// one model group after the other as the request falls back.
///
/// Pure, reused from request to request: outcomes in, decisions out; clock, generator and states are the caller's.
/// What the tag filter allowed when a group was entered is frozen: nothing else is ever tried there. Failures are classed
/// by status alone, never by words of a message. A deployment that this request has not tried yet is always preferred.
///
///     enter ──▶ next ──attempt──▶ failed ──▶ next ── … ──▶ end, or the outage of a group that nobody could be asked in
///                 └──wait──▶ next
public struct AttemptPlan: Sendable {
    public enum Step: Equatable, Sendable {
        case attempt(Int, Admission)
        /// Nothing before that; then ask again, for the world may have changed.
        case wait(until: Instant)
        /// Nobody in the group could be asked at all.
        case outage(Outage)
        /// The group has failed.
        case end
    }

    /// A tier that is down: who recovers first, and when.
    public struct Outage: Equatable, Sendable {
        public var deployment: Int
        public var until: Instant
        /// False: all of them have used up their limits.
        public var isCooling: Bool
    }

    private struct Tried: Sendable {
        var index: Int32
        /// The earliest moment for another attempt.
        var notBefore: Instant
    }

    private var allowed: [Int32] = []
    private var tried: [Tried] = []
    private var choices: [Int32] = []
    private var order = Int.max
    private var policy = FailurePolicy()
    /// Fixed for a request; a retry policy may say otherwise.
    private var wantedRetries = 0
    /// Whether somebody asked for them.
    private var areRetriesNamed = false
    private var isStopped = false
    private var isRetry = false
    private var isEscalating = false
    /// Whether the last failure may lead to a higher `order`.
    private var mayEscalate = true
    /// Retries made, over all groups of the request.
    public private(set) var retries = 0
    /// Moves to a higher `order` or to another group.
    public private(set) var fallbacks = 0

    public init() {}

    /// Begins a request, which may be retried that often in all; nil where neither it nor the configuration says.
    public mutating func begin(retries: Int?) {
        wantedRetries = max(0, retries ?? RetrySettings.usualCount)
        areRetriesNamed = retries != nil
        self.retries = 0
        fallbacks = 0
    }

    /// Enters a group: `allowed` is what the tag filter left of it. Deployments that are not configured are never tried.
    /// False when nothing else is left.
    public mutating func enter(_ allowed: [Int32], group: Int, asFallback: Bool, _ table: RoutingTable) -> Bool {
        self.allowed.empty()
        order = .max
        for index in allowed {
            let candidate = table.candidates[Int(index)]
            guard candidate.isConfigured else { continue }
            self.allowed.append(index)
            order = min(order, candidate.order)
        }
        tried.empty()
        policy = table.retryPolicy(of: group)
        isStopped = false
        isRetry = false
        isEscalating = false
        mayEscalate = true
        if asFallback, !self.allowed.isEmpty { fallbacks += 1 }
        return !self.allowed.isEmpty
    }

    // MARK: The next attempt

    public mutating func next(
        _ table: RoutingTable, _ states: some DeploymentStates, isStream: Bool, now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> Step {
        guard !isStopped else { return .end }
        while true {
            collectUntried(table, states, now)
            if let step = take(table, states, isStream, now, &random) { return step }
            if isRetry, let step = again(table, states, isStream, now, &random) { return step }
            // Nobody here can be asked now: those of a higher order stand in.
            guard mayEscalate, let higher = lowestOrder(above: order, table) else { break }
            order = higher
            if !tried.isEmpty { isEscalating = true }
            isRetry = false
        }
        isStopped = true
        guard tried.isEmpty, let outage = outage(states, now) else { return .end }
        return .outage(outage)
    }

    /// Whether more than one attempt is arranged for in this group: by other deployments, or by retries that somebody asked
    /// for. The usual ones at an only deployment are made as well, but nobody counts on them.
    public func hasAlternative(_ table: RoutingTable) -> Bool {
        if wantedRetries > 0, areRetriesNamed || allowed.count > 1 { return true }
        return !policy.isEmpty || allowed.contains { table.candidates[Int($0)].order != order }
    }

    private mutating func collectUntried(_ table: RoutingTable, _ states: some DeploymentStates, _ now: Instant) {
        choices.empty()
        for index in allowed where table.candidates[Int(index)].order == order {
            guard !isTried(index), states.availability(of: Int(index), at: now) == .fit else { continue }
            choices.append(index)
        }
    }

    /// One of `choices` that lets itself be asked.
    private mutating func take(
        _ table: RoutingTable, _ states: some DeploymentStates, _ isStream: Bool, _ now: Instant,
        _ random: inout some RandomNumberGenerator
    ) -> Step? {
        while let index = Balancer.pick(choices, table, states, isStream: isStream, now: now, using: &random) {
            if let admission = states.admit(Int(index), at: now) {
                if isRetry { retries += 1 }
                if isEscalating { fallbacks += 1 }
                isRetry = false
                isEscalating = false
                if !isTried(index) { tried.append(Tried(index: index, notBefore: now)) }
                return .attempt(Int(index), admission)
            }
            choices.removeAll { $0 == index }
        }
        return nil
    }

    /// A second attempt at a deployment, once its time has come.
    private mutating func again(
        _ table: RoutingTable, _ states: some DeploymentStates, _ isStream: Bool, _ now: Instant,
        _ random: inout some RandomNumberGenerator
    ) -> Step? {
        var earliest = Instant.never
        for entry in tried where mayGoAgain(entry, table, states, now) { earliest = min(earliest, entry.notBefore) }
        guard earliest != .never else { return nil }
        guard earliest <= now else { return .wait(until: earliest) }
        choices.empty()
        for entry in tried where entry.notBefore <= now && mayGoAgain(entry, table, states, now) {
            choices.append(entry.index)
        }
        return take(table, states, isStream, now, &random)
    }

    private func mayGoAgain(
        _ entry: Tried, _ table: RoutingTable, _ states: some DeploymentStates, _ now: Instant
    ) -> Bool {
        table.candidates[Int(entry.index)].order == order && states.availability(of: Int(entry.index), at: now) == .fit
    }

    private func isTried(_ index: Int32) -> Bool {
        for entry in tried where entry.index == index { return true }
        return false
    }

    private func outage(_ states: some DeploymentStates, _ now: Instant) -> Outage? {
        var soonest: Outage?
        for index in allowed {
            let outage: Outage
            switch states.availability(of: Int(index), at: now) {
            // It became fit just now, or somebody else took the right to try it.
            case .fit: outage = Outage(deployment: Int(index), until: now, isCooling: true)
            case .cooling(let until): outage = Outage(deployment: Int(index), until: until, isCooling: true)
            case .limited(let until): outage = Outage(deployment: Int(index), until: until, isCooling: false)
            }
            if soonest.map({ outage.until < $0.until }) ?? true { soonest = outage }
        }
        return soonest
    }

    // MARK: Failures

    /// Notes how an attempt failed, and decides what may follow; `next` tells.
    ///
    /// `retryAfter` is what the upstream asked for, obeyed as the least wait before the same deployment is asked again.
    public mutating func failed(
        _ failure: AttemptFailure, at index: Int, retryAfter: TimeSpan?, now: Instant, _ table: RoutingTable,
        using random: inout some RandomNumberGenerator
    ) {
        var members = 0
        var untried = 0
        for member in allowed where table.candidates[Int(member)].order == order {
            members += 1
            if !isTried(member) { untried += 1 }
        }
        let limit = policy[failure.kind]
        if retries < limit ?? wantedRetries, limit != nil || failure.mayRetry(untried: untried) {
            isRetry = true
            let wait = Backoff.wait(
                retry: retries, isAlone: members == 1, retryAfter: retryAfter,
                minimum: .seconds(table.router.retries.minimumWait), using: &random)
            if let position = tried.firstIndex(where: { $0.index == Int32(index) }) {
                // Without a policy that says so, what only another deployment may mend is never asked of the same one.
                tried[position].notBefore = limit != nil || failure.mayRetry(untried: 0) ? now + wait : .never
            }
            mayEscalate = failure.mayFallBackWithinGroup
            return
        }
        guard failure.mayFallBackWithinGroup, let higher = lowestOrder(above: order, table) else {
            isStopped = true
            return
        }
        order = higher
        isEscalating = true
    }

    private func lowestOrder(above limit: Int, _ table: RoutingTable) -> Int? {
        var lowest: Int?
        for index in allowed {
            let order = table.candidates[Int(index)].order
            if order > limit { lowest = min(order, lowest ?? .max) }
        }
        return lowest
    }
}

/// How long to wait before the same deployment is asked again. Pure.
enum Backoff {
    /// The longest that a provider's `Retry-After` is obeyed.
    static let longestRetryAfter = TimeSpan.seconds(60)

    /// Half a second doubled with each retry, at most 8 s, and up to 0.75 s more at random; a tenth of that where there
    /// are others, which were asked first. `retryAfter` and `minimum` are floors.
    static func wait(
        retry: Int, isAlone: Bool, retryAfter: TimeSpan?, minimum: TimeSpan,
        using random: inout some RandomNumberGenerator
    ) -> TimeSpan {
        let share = isAlone ? 1 : 10
        var base = TimeSpan.milliseconds(min(8000, 500 << min(retry, 4)) / share)
        if let retryAfter { base = max(base, min(retryAfter, longestRetryAfter)) }
        let jitter = Int64(random.next(upperBound: UInt64(750_000_000 / share)))
        let (sum, overflow) = max(base, minimum).nanoseconds.addingReportingOverflow(jitter)
        return TimeSpan(nanoseconds: overflow ? .max : sum)
    }
}
