internal import Shared

/// `tagway check`: says everything that is wrong with a configuration, and whether it could be served.
enum Check {
    static func run(_ options: CheckOptions) -> Int32 {
        var source = ConfigurationSource(
            path: options.config, environmentFile: options.environmentFile, isStrict: options.isStrict)
        let loaded = source.load()
        let (text, code) = report(loaded, isStrict: options.isStrict)
        StandardStream.output.write(text)
        if options.saysGrace, code == ExitCode.done {
            StandardStream.output.write(grace(of: loaded.decoded.configuration))
        }
        guard let number = options.upgradeProbe, code == ExitCode.done else { return code }
        let probe = UpgradeProbe.pass(number)
        StandardStream.output.write(probe.text)
        return probe.code
    }

    /// What is printed, and the exit status. Pure.
    static func report(_ loaded: ConfigurationSource.Loaded, isStrict: Bool) -> (text: String, code: Int32) {
        let decoded = loaded.decoded
        var problems = decoded.problems
        // Where it will listen is not known here, so what loopback may do is taken for granted.
        switch MasterKeyRule.judge(decoded.configuration.general, isLoopback: true, environment: loaded.environment) {
        case .fine: break
        case .warning(let problem), .refused(let problem): problems = (problems + [problem]).inOrderOfText()
        }
        let errors = problems.count { $0.severity == .error }
        let warnings = problems.count - errors
        let isGood = errors == 0 && (warnings == 0 || !isStrict)
        let models = Set(decoded.configuration.deployments.map(\.modelName)).count
        let verdict = isGood ? "fine" : "cannot be served"
        let summary =
            "\(verdict): \(count(decoded.configuration.deployments.count, "deployment")) in "
            + "\(count(models, "model group")), \(count(errors, "error")), \(count(warnings, "warning"))"
        let lines = problems.map(\.description) + [summary]
        return (lines.map { $0 + "\n" }.joined(), isGood ? ExitCode.done : ExitCode.configuration)
    }

    /// How long who stops the service has to wait before it kills. Pure.
    ///
    /// Kubernetes sends TERM while it still takes the pod from its endpoints: without a lame duck, connections that come
    /// meanwhile are refused.
    static func grace(of configuration: Configuration) -> String {
        let lameDuck = configuration.supervision.lameDuck
        let stop = Int(min(lameDuck.rounded(.up) + configuration.process.drainTimeout.rounded(.up), 1e9)) + 15
        let hint = lameDuck > 0 ? "" : "# in a pod, tagway.lame_duck should be 5 and not 0\n"
        return """
            \(hint)terminationGracePeriodSeconds: \(stop)
            stop_grace_period: \(stop)s
            TimeoutStopSec=\(stop)

            """
    }

    private static func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
}
