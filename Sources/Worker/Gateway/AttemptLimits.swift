internal import Shared

/// How long an attempt at one deployment may take, as configured: plain numbers, looked at for every request. Pure.
struct AttemptLimits {
    /// The deployment's own, in seconds.
    private let own: Double?
    private let ownStream: Double?
    /// The router's.
    private let plain: Double
    private let stream: Double
    /// The longest silence between events of a stream; nil where nobody has set one.
    let idle: TimeSpan?

    init(_ deployment: Deployment, _ router: RouterSettings) {
        own = deployment.timeout
        ownStream = deployment.streamTimeout
        plain = router.timeout ?? 600
        stream = router.streamTimeout ?? plain
        idle = (deployment.streamIdleTimeout ?? router.streamIdleTimeout).map { .seconds($0) }
    }

    /// Until a plain answer is complete, or a stream has its first token. The request's own wish (`timeout`, for streams
    /// `streamTimeout` before it) counts before the deployment's, which counts before the router's.
    func limit(isStream: Bool, timeout: Double?, streamTimeout: Double?) -> TimeSpan {
        if isStream, let wish = streamTimeout ?? ownStream { return .seconds(wish) }
        return .seconds(timeout ?? own ?? (isStream ? stream : plain))
    }
}
