/// Which deployment a request goes to next, as attempts fail: retries within the tags' choice, then higher `order`s.
///
/// Pure, reused from request to request: outcomes in, decisions out; the clock and the generator are the caller's.
/// Failures are classed by status alone, never by words of a message. A deployment that this request has not tried
/// yet is always preferred.
package struct AttemptPlan: Sendable {
    /// How an attempt failed.
    package enum Failure: Equatable, Sendable {
        case status(Int)
        /// A 400 that says the prompt, not the deployment, is at fault: another deployment of the group would say
        /// the same.
        case refusedContent
        /// No usable answer: refused, reset, cut, broken, or too late.
        case noAnswer
    }

    private var allowed: [Int32] = []
    private var tried: [Int32] = []
    private var choices: [Int32] = []
    private var order = Int.min
    private var retriesLeft = 0
    package private(set) var retries = 0
    /// Moves to a higher `order`, which count as fallbacks.
    package private(set) var fallbacks = 0

    package init() {
        tried.reserveCapacity(8)
        choices.reserveCapacity(32)
    }

    /// Begins a request: `allowed` is what the tag filter left. Deployments that are not configured are never tried.
    /// False when nothing else is left.
    package mutating func begin(_ allowed: [Int32], retries: Int, _ table: RoutingTable) -> Bool {
        self.allowed.removeAll(keepingCapacity: true)
        for index in allowed where table.candidates[Int(index)].isConfigured { self.allowed.append(index) }
        tried.removeAll(keepingCapacity: true)
        retriesLeft = max(0, retries)
        self.retries = 0
        fallbacks = 0
        order = lowestOrder(above: nil, table) ?? .max
        return !self.allowed.isEmpty
    }

    /// The deployment for the next attempt.
    package mutating func next(_ table: RoutingTable, using random: inout some RandomNumberGenerator) -> Int? {
        choices.removeAll(keepingCapacity: true)
        for index in allowed where table.candidates[Int(index)].order == order && !tried.contains(index) {
            choices.append(index)
        }
        if let index = Balancer.pick(choices, table, using: &random) {
            tried.append(index)
            return Int(index)
        }
        choices.removeAll(keepingCapacity: true)
        for index in allowed where table.candidates[Int(index)].order == order { choices.append(index) }
        return Balancer.pick(choices, table, using: &random).map(Int.init)
    }

    /// What follows on a failed attempt: another one at once, one after a wait, or nothing.
    ///
    /// `retryAfter` is what the upstream asked for; it is obeyed as a floor, up to 60 s.
    package mutating func failed(
        _ failure: Failure, retryAfter: TimeSpan?, _ table: RoutingTable, using random: inout some RandomNumberGenerator
    ) -> TimeSpan? {
        var members = 0
        var untried = 0
        for index in allowed where table.candidates[Int(index)].order == order {
            members += 1
            if !tried.contains(index) { untried += 1 }
        }
        if retriesLeft > 0, mayRetry(failure, untried: untried) {
            retriesLeft -= 1
            retries += 1
            if members > 1 { return TimeSpan(nanoseconds: 0) }
            return backoff(retryAfter, using: &random)
        }
        guard failure != .refusedContent, let higher = lowestOrder(above: order, table) else { return nil }
        order = higher
        fallbacks += 1
        return TimeSpan(nanoseconds: 0)
    }

    private func mayRetry(_ failure: Failure, untried: Int) -> Bool {
        switch failure {
        case .noAnswer: true
        case .refusedContent: false
        // The key or the right may be another on another deployment; the same one would refuse again.
        case .status(401), .status(403): untried > 0
        case .status(408), .status(409), .status(429): true
        case .status(let status): status >= 500
        }
    }

    /// Half a second doubled with each retry, at most 8 s, and up to 0.75 s more at random.
    private func backoff(_ retryAfter: TimeSpan?, using random: inout some RandomNumberGenerator) -> TimeSpan {
        let base = min(8000, 500 << min(retries - 1, 5))
        let jitter = Int(random.next(upperBound: 750 as UInt64))
        guard let retryAfter, retryAfter.nanoseconds > 0 else { return .milliseconds(base + jitter) }
        return .milliseconds(min(60_000, retryAfter.milliseconds) + jitter)
    }

    private func lowestOrder(above limit: Int?, _ table: RoutingTable) -> Int? {
        var lowest: Int?
        for index in allowed {
            let order = table.candidates[Int(index)].order
            if limit.map({ order > $0 }) ?? true { lowest = min(order, lowest ?? .max) }
        }
        return lowest
    }
}
