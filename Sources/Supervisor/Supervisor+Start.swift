internal import Shared

/// What has to be had before a worker can start: addresses, the run directory, a configuration.
extension Supervisor {
    static func addresses(_ options: ServeOptions) throws(StartFailure) -> [[SocketAddress]] {
        var addresses: [[SocketAddress]] = []
        for host in options.hosts.isEmpty ? ["127.0.0.1"] : options.hosts {
            guard let found = ListenerSet.addresses(of: host, port: options.port) else {
                throw StartFailure(
                    ExitCode.usage, "--host \(host) is no address; give an IPv4 or IPv6 address, localhost or *")
            }
            addresses.append(found)
        }
        return addresses
    }

    static func takeDirectory(
        _ options: ServeOptions, _ port: UInt16, _ environment: [String: String]
    ) throws(StartFailure) -> RunDirectory {
        let path = RunDirectory.path(
            told: options.runDirectory, port: port, environment: environment, user: CurrentProcess.userID)
        do throws(RunDirectory.Failure) {
            return try RunDirectory(taking: File.absolute(path))
        } catch {
            switch error {
            case .held(let holder):
                throw StartFailure(
                    ExitCode.alreadyRunning, "already running: \(holder) holds \(path)/supervisor.lock")
            case .unusable(let reason):
                throw StartFailure(ExitCode.alreadyRunning, "the run directory cannot be used: \(reason)")
            }
        }
    }

    static func firstConfiguration(
        _ loaded: ConfigurationSource.Loaded, _ source: ConfigurationSource, isLoopback: Bool,
        _ slots: inout DeploymentSlots, _ log: SupervisorLog
    ) throws(StartFailure) -> (Configuration, [UInt8]) {
        log.problems(loaded.decoded.problems)
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, .start, isStrict: source.isStrict, isLoopback: isLoopback, slots: &slots)
        log.problems(warnings)
        switch verdict {
        case .candidate(let configuration, let encoded): return (configuration, encoded)
        case .refused(let reasons):
            throw StartFailure(ExitCode.configuration, reasons.joined(separator: "\n"))
        case .unchanged: preconditionFailure("there is nothing yet that a first configuration could equal")
        }
    }
}
