/// Picks one of several deployments: `simple-shuffle` of the reference.
///
/// Pure; the generator is passed in. Of `weight`, `rpm` and `tpm` the first counts that is positive on any of the
/// deployments: they are picked in proportion to it, one without it never. Where none is, all are equal.
package enum Balancer {
    static func pick(
        _ deployments: [Int32], _ table: RoutingTable, using random: inout some RandomNumberGenerator
    ) -> Int32? {
        guard deployments.count > 1 else { return deployments.first }
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
        guard sum > 0, sum.isFinite else { return deployments[Int(random.next(upperBound: UInt64(deployments.count)))] }
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
}

/// SplitMix64: fast, and seeded, so that a choice can be repeated.
package struct FastRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
