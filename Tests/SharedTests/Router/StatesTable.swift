@testable import Shared

/// Deployment states that a test writes down, in the place of the counters that workers share.
final class StatesTable: DeploymentStates {
    var availabilities: [Int: Availability] = [:]
    /// Those that somebody else is faster at.
    var taken: Set<Int> = []
    var attempts: [Int: Int] = [:]
    var latencies: [Int: Int64] = [:]
    var usedTokens: [Int: Int] = [:]

    func availability(of index: Int, at now: Instant) -> Availability {
        switch availabilities[index] {
        case .cooling(let until) where until > now: .cooling(until: until)
        case .limited(let until) where until > now: .limited(until: until)
        default: .fit
        }
    }

    func admit(_ index: Int, at now: Instant) -> Admission? {
        taken.contains(index) ? nil : Admission()
    }

    func inFlight(of index: Int) -> Int { attempts[index] ?? 0 }
    func latency(of index: Int, isStream: Bool, at now: Instant) -> Int64 { latencies[index] ?? 0 }
    func tokens(of index: Int, at now: Instant) -> Int { usedTokens[index] ?? 0 }
}
