/// When a failing deployment is left alone, and for how long. Pure: counts in, decision out.
///
/// The rules are the reference's; what differs is that the counts are those of all workers, and that no answer at all
/// counts like a 5xx.
public struct CooldownRule: Sendable, Equatable {
    public let settings: CooldownSettings
    /// The deployment's own cooldown time, in seconds.
    public let ownTime: Double?
    /// Whether the group has no other deployment.
    public let isAlone: Bool
    /// Whether callers choose what the upstream is asked for, by a wildcard: that there is no such model is then theirs.
    public let servesAnyModel: Bool

    /// What happened at a deployment in the current minute, the latest failure included.
    public struct Minute: Equatable, Sendable {
        public var total: Int
        public var failed: Int

        public init(total: Int, failed: Int) {
            self.total = total
            self.failed = failed
        }
    }

    public init(_ settings: CooldownSettings, ownTime: Double?, isAlone: Bool, servesAnyModel: Bool = false) {
        self.settings = settings
        self.ownTime = ownTime
        self.isAlone = isAlone
        self.servesAnyModel = servesAnyModel
    }

    /// Whether failures are counted over the cooldown time, by number, instead of by minute, by share.
    public var countsWindow: Bool { settings.allowedFails != nil || !settings.allowedFailsPolicy.isEmpty }

    /// Over which time failures are counted then.
    public var window: TimeSpan { .seconds(settings.time) }

    /// How long a probe has before another one may try.
    public var probeTime: TimeSpan { .seconds(max(1, ownTime ?? settings.time)) }

    /// Whether a failure says something about the deployment rather than about the request.
    public func counts(_ failure: AttemptFailure) -> Bool {
        switch failure {
        case .status(404): !servesAnyModel
        case .noAnswer, .timeout: true
        case .contextWindow, .contentPolicy: false
        case .status(let status): [401, 402, 404, 408, 429].contains(status) || !(400..<500).contains(status)
        }
    }

    /// How long the deployment is to be left alone after `failure`; nil: not at all.
    ///
    /// `inWindow` is the number of failures within `window`, this one included; `isProbe`: this was the first attempt
    /// after a cooldown, and it shows that nothing has changed.
    public func cooldown(
        after failure: AttemptFailure, minute: Minute, inWindow: Int, isProbe: Bool, retryAfter: TimeSpan?
    ) -> TimeSpan? {
        guard !settings.isDisabled, counts(failure) else { return nil }
        guard isProbe || isDue(failure, minute, inWindow) else { return nil }
        let time: TimeSpan
        if let ownTime {
            time = .seconds(ownTime)
        } else if let retryAfter, retryAfter.nanoseconds > 0 {
            time = min(retryAfter, Backoff.longestRetryAfter)
        } else {
            time = .seconds(settings.time)
        }
        return time.nanoseconds > 0 ? time : nil
    }

    private func isDue(_ failure: AttemptFailure, _ minute: Minute, _ inWindow: Int) -> Bool {
        if countsWindow {
            // Where only the policy is given, kinds that it does not name are counted by the reference's default.
            let allowed = settings.allowedFailsPolicy[failure.kind] ?? settings.allowedFails ?? 3
            return inWindow > allowed
        }
        switch failure {
        case .status(429) where !isAlone: return true
        // The key or the model is wrong; the next request would hear the same.
        case .status(401), .status(402), .status(404): return true
        case .status, .noAnswer, .timeout, .contextWindow, .contentPolicy: break
        }
        if minute.total >= 1000, minute.failed == minute.total { return true }
        return !isAlone && minute.total >= 5 && minute.failed * 2 > minute.total
    }
}
