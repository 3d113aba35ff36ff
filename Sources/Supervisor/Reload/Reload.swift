internal import Shared

/// Whether a configuration that was just read may come into force. Pure: asked at start and at every reload.
enum ConfigurationVerdict {
    /// Says the same as the one in force.
    case unchanged
    /// Nothing changes; `reasons` are for the operator.
    case refused([String])
    /// To be offered to the workers, in the form in which they get it.
    case candidate(Configuration, encoded: [UInt8])

    enum Occasion: Equatable {
        case start
        /// With the one in force, encoded.
        case reload([UInt8])
    }

    /// `warnings` are what has to be said beyond the problems of the file. `slots` gives new deployments their places
    /// on the scoreboard.
    static func judge(
        _ loaded: ConfigurationSource.Loaded, _ occasion: Occasion, isStrict: Bool, isLoopback: Bool,
        slots: inout DeploymentSlots, reused: (Int) -> Void = { _ in }
    ) -> (verdict: ConfigurationVerdict, warnings: [Problem]) {
        let decoded = loaded.decoded
        let isUsable =
            occasion == .start ? decoded.isUsableAtStart(strict: isStrict) : decoded.isAcceptable(strict: isStrict)
        var reasons: [String] = []
        if !isUsable {
            reasons = decoded.problems.filter { isStrict || $0.severity == .error }.map(\.description)
        }
        var warnings: [Problem] = []
        switch MasterKeyRule.judge(
            decoded.configuration.general, isLoopback: isLoopback, environment: loaded.environment)
        {
        case .fine: break
        case .warning(let problem) where isStrict: reasons.append(problem.description)
        case .warning(let problem): warnings.append(problem)
        case .refused(let problem): reasons.append(problem.description)
        }
        guard reasons.isEmpty else { return (.refused(reasons), warnings) }
        var configuration = decoded.configuration
        for slot in slots.assign(to: &configuration) { reused(slot) }
        let encoded = configuration.encoded()
        if case .reload(encoded) = occasion { return (.unchanged, warnings) }
        return (.candidate(configuration, encoded: encoded), warnings)
    }
}
