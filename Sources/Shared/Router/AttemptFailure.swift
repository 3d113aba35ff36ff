/// How an attempt failed, as far as the router cares: by status alone, never by words of a message. Pure.
public enum AttemptFailure: Equatable, Sendable {
    case status(Int)
    /// The prompt is too long for the model: another deployment of the group would say the same.
    case contextWindow
    /// The provider's filter refused the prompt: not to be routed around, unless the configuration says so.
    case contentPolicy
    /// No usable answer: refused, reset, cut or broken.
    case noAnswer
    /// No answer in time.
    case timeout

    /// What policies count it as.
    public var kind: FailureClass {
        switch self {
        case .contextWindow: .badRequest
        case .contentPolicy: .contentPolicy
        case .noAnswer: .internalServer
        case .timeout: .timeout
        case .status(401), .status(403): .authentication
        case .status(408): .timeout
        case .status(429): .rateLimit
        case .status(let status): status >= 500 ? .internalServer : .badRequest
        }
    }

    /// For a log.
    public var text: String {
        switch self {
        case .status(let status): "status \(status)"
        case .contextWindow: "the prompt is too long"
        case .contentPolicy: "the prompt was refused"
        case .noAnswer: "no usable answer"
        case .timeout: "no answer in time"
        }
    }

    /// Which groups stand in.
    public var fallbackKind: FallbackTable.Kind {
        switch self {
        case .contextWindow: .contextWindow
        case .contentPolicy: .contentPolicy
        case .status, .noAnswer, .timeout: .general
        }
    }

    /// `untried`: how many deployments of the same order the request has not tried yet.
    func mayRetry(untried: Int) -> Bool {
        switch self {
        case .noAnswer, .timeout: true
        case .contextWindow, .contentPolicy: false
        // The key or the right may be another on another deployment; the same one would refuse again.
        case .status(401), .status(403): untried > 0
        case .status(408), .status(409), .status(429): true
        case .status(let status): status >= 500
        }
    }

    var mayFallBackWithinGroup: Bool {
        switch self {
        case .contextWindow, .contentPolicy: false
        case .status, .noAnswer, .timeout: true
        }
    }
}
