/// What the configuration says of failures: which deployment is preferred, how often a request is tried again, when a
/// deployment is left alone, and which model groups stand in for one another. Pure values.

/// How one of several deployments that may serve a request is chosen.
public enum RoutingStrategy: String, Sendable, Equatable, CaseIterable {
    /// At random, in proportion to `weight`, `rpm` or `tpm`.
    case simpleShuffle = "simple-shuffle"
    /// The one with the fewest requests in flight, over all workers.
    case leastBusy = "least-busy"
    /// The one that answered fastest of late; by the time to the first token for streams.
    case latencyBased = "latency-based-routing"
    /// The one with the fewest tokens in this minute; `rpm` and `tpm` are limits.
    case usageBased = "usage-based-routing-v2"
    /// The cheapest by input and output price; `rpm` and `tpm` are limits.
    case costBased = "cost-based-routing"

    /// Names of the configuration; `usage-based-routing` is the older one of the same strategy.
    public static func named(_ text: String) -> RoutingStrategy? {
        text == "usage-based-routing" ? .usageBased : RoutingStrategy(rawValue: text)
    }

    /// Whether `rpm` and `tpm` of a deployment are limits rather than mere weights.
    public var enforcesLimits: Bool {
        switch self {
        case .simpleShuffle, .leastBusy: false
        case .latencyBased, .usageBased, .costBased: true
        }
    }
}

/// The kinds of failure that a policy can count by, named as in the reference's `retry_policy`.
public enum FailureClass: Int, Sendable, Equatable, CaseIterable {
    case badRequest, authentication, timeout, rateLimit, contentPolicy, internalServer

    public var name: String {
        switch self {
        case .badRequest: "BadRequestError"
        case .authentication: "AuthenticationError"
        case .timeout: "TimeoutError"
        case .rateLimit: "RateLimitError"
        case .contentPolicy: "ContentPolicyViolationError"
        case .internalServer: "InternalServerError"
        }
    }
}

/// A number for some kinds of failure: retries in `retry_policy`, failures in `allowed_fails_policy`.
public struct FailurePolicy: Sendable, Equatable {
    /// By `FailureClass.rawValue`.
    public var counts: [Int?] = Array(repeating: nil, count: FailureClass.allCases.count)

    public init() {}

    public subscript(_ failure: FailureClass) -> Int? {
        get { counts[failure.rawValue] }
        set { counts[failure.rawValue] = newValue }
    }

    public var isEmpty: Bool { counts.allSatisfy { $0 == nil } }
}

/// `{group: [others]}`: which groups are asked, in order, when all attempts at a group have failed.
public struct FallbackRule: Sendable, Equatable {
    public var group: String
    public var targets: [String]

    public init(group: String, targets: [String]) {
        self.group = group
        self.targets = targets
    }
}

public struct RetrySettings: Sendable, Equatable {
    /// Retries after the first attempt where nobody says how many.
    public static let usualCount = 2

    /// Retries after the first attempt, for the whole request; nil: the configuration leaves that open.
    public var count: Int?
    /// The least wait before the same deployment is tried again, in seconds.
    public var minimumWait = 0.0
    public var policy = FailurePolicy()
    /// By model group; counts before `policy`.
    public var groupPolicies: [GroupPolicy] = []

    public struct GroupPolicy: Sendable, Equatable {
        public var group: String
        public var policy: FailurePolicy

        public init(group: String, policy: FailurePolicy) {
            self.group = group
            self.policy = policy
        }
    }

    public init() {}
}

public struct CooldownSettings: Sendable, Equatable {
    public var isDisabled = false
    /// Seconds.
    public var time = 5.0
    /// Failures within the cooldown time that are let pass; nil: the reference's rule by share and kind of failures.
    public var allowedFails: Int?
    public var allowedFailsPolicy = FailurePolicy()

    public init() {}
}

public struct FallbackSettings: Sendable, Equatable {
    public var rules: [FallbackRule] = []
    /// For groups without a rule.
    public var defaults: [String] = []
    /// Nil where the configuration has none: such errors then follow `rules`.
    public var contextWindow: [FallbackRule]?
    public var contentPolicy: [FallbackRule]?
    /// How many groups deep a chain may go.
    public var maximumDepth = 5

    public init() {}
}
