package import Shared

/// One configuration in force, compiled. Immutable; an exchange keeps the one it began with.
@Loop package final class Generation {
    package let number: UInt64
    package let configuration: Configuration
    let table: RoutingTable
    let blocks: DeploymentBlocksByIndex
    let credentials: Credentials
    let health: DeploymentHealth
    /// By deployment.
    let limits: [AttemptLimits]
    let proxyRules: ProxyRules
    /// What connections of this generation share, where it is not what those before it had.
    var tls: TLSContext?
    /// By deployment; filled when the generation comes into force.
    private(set) var pools: [UpstreamPool] = []
    /// Counts those that are still alive; for the scoreboard.
    package var whenReleased: (@Sendable () -> Void)?

    init(_ number: UInt64, _ configuration: Configuration, _ board: DeploymentBoard?) {
        self.number = number
        self.configuration = configuration
        table = RoutingTable(configuration)
        health = DeploymentHealth(configuration, board)
        limits = configuration.deployments.map { AttemptLimits($0, configuration.router) }
        let rules = ProxyRules(configuration.process)
        proxyRules = rules
        blocks = DeploymentBlocksByIndex(configuration.deployments, rules)
        credentials = Credentials(masterKey: configuration.general.masterKey.map { Array($0.reveal().utf8) })
    }

    func connect(_ pools: UpstreamPools) {
        pools.retire(except: Set(configuration.deployments.map(\.origin)))
        self.pools = configuration.deployments.map { pools.pool(for: $0.origin, proxyRules) }
    }

    deinit { whenReleased?() }
}

/// Why a worker cannot serve a configuration.
package struct GenerationRefused: Error {
    package let reason: String
}
