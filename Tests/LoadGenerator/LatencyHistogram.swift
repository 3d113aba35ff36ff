/// Counts latencies in steps of at most 3 % of their value: a run of an hour takes as little memory as one of a second.
/// Pure.
struct LatencyHistogram {
    private static let stepsPerOctave = 32
    private var counts: [Int32] = []
    private(set) var count = 0
    private(set) var largest = 0

    mutating func add(microseconds: Int) {
        let value = max(0, microseconds)
        let index = Self.index(of: value)
        if index >= counts.count { counts += Array(repeating: 0, count: index + 1 - counts.count) }
        counts[index] += 1
        count += 1
        largest = max(largest, value)
    }

    /// The latency that `share` of all do not exceed, in microseconds; 0 when there are none.
    func percentile(_ share: Double) -> Int {
        var left = max(1, Int((Double(count) * share).rounded(.up)))
        for (index, count) in counts.enumerated() {
            left -= Int(count)
            if left <= 0 { return min(largest, Self.upperBound(of: index)) }
        }
        return 0
    }

    /// Exact below 64, then 32 steps for each doubling.
    private static func index(of value: Int) -> Int {
        guard value >= 2 * stepsPerOctave else { return value }
        let octave = Int.bitWidth - 1 - value.leadingZeroBitCount - 5
        return stepsPerOctave * octave + value >> octave
    }

    private static func upperBound(of index: Int) -> Int {
        guard index >= 2 * stepsPerOctave else { return index }
        let octave = index / stepsPerOctave - 1
        return (index - stepsPerOctave * octave + 1) << octave - 1
    }
}
