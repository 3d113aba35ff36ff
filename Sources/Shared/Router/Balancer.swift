/// Picks one of several deployments that may all serve a request, by the strategy of the configuration.
///
/// Pure; state and generator are passed in. Equals are picked at random, so that workers that decide at the same moment
/// do not all decide alike.
public enum Balancer {
    static func pick(
        _ deployments: [Int32], _ table: RoutingTable, _ states: some DeploymentStates, isStream: Bool, now: Instant,
        using random: inout some RandomNumberGenerator
    ) -> Int32? {
        guard deployments.count > 1 else { return deployments.first }
        switch table.router.strategy {
        case .simpleShuffle: return shuffle(deployments, table, using: &random)
        case .leastBusy:
            return lowest(deployments, using: &random) { Double(states.inFlight(of: Int($0))) }
        case .latencyBased:
            return lowest(deployments, within: table.router.latencyBuffer, using: &random) {
                Double(states.latency(of: Int($0), isStream: isStream, at: now))
            }
        case .usageBased:
            return lowest(deployments, using: &random) { Double(states.tokens(of: Int($0), at: now)) }
        case .costBased:
            return lowest(deployments, using: &random) { table.candidates[Int($0)].cost }
        }
    }

    /// How likely each is to be picked, in the order given: what `pick` would do over and over. For whoever asks.
    public static func shares(
        of deployments: [Int32], _ table: RoutingTable, _ states: some DeploymentStates, isStream: Bool, now: Instant
    ) -> [Double] {
        let figures: [Double]
        switch table.router.strategy {
        case .simpleShuffle:
            let weights = weights(of: deployments, table)
            let sum = weights.reduce(0, +)
            guard sum > 0, sum.isFinite else { return deployments.map { _ in 1 / Double(deployments.count) } }
            return weights.map { $0 / sum }
        case .leastBusy: figures = deployments.map { Double(states.inFlight(of: Int($0))) }
        case .latencyBased:
            figures = deployments.map { Double(states.latency(of: Int($0), isStream: isStream, at: now)) }
        case .usageBased: figures = deployments.map { Double(states.tokens(of: Int($0), at: now)) }
        case .costBased: figures = deployments.map { table.candidates[Int($0)].cost }
        }
        let buffer = table.router.strategy == .latencyBased ? table.router.latencyBuffer : 0
        let limit = (figures.min() ?? 0) * (1 + buffer)
        let chosen = figures.count { $0 <= limit }
        return figures.map { $0 <= limit ? 1 / Double(chosen) : 0 }
    }

    /// Of `weight`, `rpm` and `tpm` the first that is positive on any of the deployments.
    private static func weights(of deployments: [Int32], _ table: RoutingTable) -> [Double] {
        let candidates = deployments.map { table.candidates[Int($0)] }
        if candidates.contains(where: { $0.weight > 0 }) { return candidates.map(\.weight) }
        if candidates.contains(where: { $0.rpm > 0 }) { return candidates.map(\.rpm) }
        return candidates.map(\.tpm)
    }

    /// `simple-shuffle` of the reference: of `weight`, `rpm` and `tpm` the first counts that is positive on any of the
    /// deployments; they are picked in proportion to it, one without it never. Where none is, all are equal.
    private static func shuffle(
        _ deployments: [Int32], _ table: RoutingTable, using random: inout some RandomNumberGenerator
    ) -> Int32? {
        var weights = 0.0
        var requests = 0.0
        var tokens = 0.0
        for index in deployments {
            let candidate = table.candidates[Int(index)]
            weights += candidate.weight
            requests += candidate.rpm
            tokens += candidate.tpm
        }
        let sum = weights > 0 ? weights : requests > 0 ? requests : tokens
        guard sum > 0, sum.isFinite else { return anyOf(deployments, using: &random) }
        var point = Double(random.next() >> 11) / Double(1 << 53) * sum
        var last: Int32?
        for index in deployments {
            let candidate = table.candidates[Int(index)]
            let share = weights > 0 ? candidate.weight : requests > 0 ? candidate.rpm : candidate.tpm
            guard share > 0 else { continue }
            last = index
            point -= share
            if point < 0 { break }
        }
        return last
    }

    /// One of those whose figure is the lowest, or above it by no more than the share `buffer`.
    private static func lowest(
        _ deployments: [Int32], within buffer: Double = 0, using random: inout some RandomNumberGenerator,
        _ figure: (Int32) -> Double
    ) -> Int32? {
        var lowest = Double.infinity
        if buffer == 0 {
            // One look at each is enough: those that were lowest so far are forgotten with each lower one.
            var chosen: Int32?
            var count: UInt64 = 0
            for index in deployments {
                let figure = figure(index)
                if figure < lowest {
                    lowest = figure
                    count = 0
                }
                guard figure <= lowest else { continue }
                count += 1
                if random.next(upperBound: count) == 0 { chosen = index }
            }
            return chosen ?? anyOf(deployments, using: &random)
        }
        for index in deployments { lowest = min(lowest, figure(index)) }
        let limit = lowest.isFinite ? lowest * (1 + buffer) : .infinity
        // One pass, each of those seen so far equally likely (reservoir sampling).
        var chosen: Int32?
        var count: UInt64 = 0
        for index in deployments where figure(index) <= limit {
            count += 1
            if random.next(upperBound: count) == 0 { chosen = index }
        }
        return chosen ?? anyOf(deployments, using: &random)
    }

    private static func anyOf(_ deployments: [Int32], using random: inout some RandomNumberGenerator) -> Int32 {
        deployments[Int(random.next(upperBound: UInt64(deployments.count)))]
    }
}

/// SplitMix64: fast, and seeded, so that a choice can be repeated.
public struct FastRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
