internal import Shared

/// Why an upstream gave no usable answer.
enum UpstreamFailure: Error, Equatable {
    /// Which wait ran out.
    enum Phase: String { case connect, send, firstByte = "first byte", nextByte = "next byte" }

    case resolve(name: String, reason: String)
    case connect(SystemError)
    case tls(String)
    /// The proxy on the way refused.
    case proxy(status: Int)
    case deadline(Phase)
    case broken(SystemError)
    case malformed(HTTPViolation)
    case closedBeforeHead
    /// A pooled connection that the upstream had closed before it saw the request: worth a fresh one.
    case stale
    case closedWithinBody
    /// The client left, or the process has to go.
    case cancelled

    init(_ failure: StreamFailure, _ phase: Phase) {
        self =
            switch failure {
            case .system(let error): phase == .connect ? .connect(error) : .broken(error)
            case .layer(let reason): .tls(reason)
            case .deadline: .deadline(phase)
            case .cancelled: .cancelled
            }
    }

    /// In words for a client: nothing of our own addresses or files.
    var reason: String {
        switch self {
        case .resolve(_, let reason): "its name cannot be resolved: \(reason)"
        case .connect(let error), .broken(let error): error.reason
        case .tls(let reason): "TLS failed: \(reason)"
        case .proxy(let status): "the proxy refused with status \(status)"
        case .deadline(let phase): "\(phase.rawValue) took too long"
        case .malformed(let violation): "\(violation.reason)"
        case .closedBeforeHead, .stale: "the connection was closed before an answer"
        case .closedWithinBody: "the connection was closed within the answer"
        case .cancelled: "cancelled"
        }
    }
}
