/// What the router has to know of how deployments are doing right now, by their index in the routing table.
///
/// The router itself keeps no state and reads no clock: the worker answers from the counters that all workers share,
/// tests answer from a table.
public protocol DeploymentStates {
    /// Whether a deployment may be asked.
    func availability(of index: Int, at now: Instant) -> Availability
    /// Takes the right to one attempt; nil when somebody else was faster. Every admission has to be given back.
    func admit(_ index: Int, at now: Instant) -> Admission?
    /// Attempts under way, over all workers.
    func inFlight(of index: Int) -> Int
    /// The mean of the last latencies, to the first token for streams; 0 when there is none yet.
    func latency(of index: Int, isStream: Bool, at now: Instant) -> Int64
    /// Tokens used in the current minute.
    func tokens(of index: Int, at now: Instant) -> Int
}

public enum Availability: Equatable, Sendable {
    case fit
    /// Left alone after failures.
    case cooling(until: Instant)
    /// Its `rpm` or `tpm` is used up.
    case limited(until: Instant)
}

/// The right to one attempt at a deployment.
public struct Admission: Equatable, Sendable {
    /// The first attempt after a cooldown: until it has succeeded, others stay away. Until when, at most.
    public var probeUntil: Instant?

    public init(probeUntil: Instant? = nil) {
        self.probeUntil = probeUntil
    }
}
