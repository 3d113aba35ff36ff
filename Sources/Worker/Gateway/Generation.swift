public import Shared

/// One configuration in force, compiled. Immutable but for what is made when the first request needs it; an exchange
/// keeps the one it began with.
@Loop public final class Generation {
    public let number: UInt64
    /// All of the configuration but the deployments.
    public let settings: Configuration
    let deployments: PublishedDeployments
    let table: RoutingTable
    let blocks: DeploymentBlocksByIndex
    let credentials: Credentials
    let health: DeploymentHealth
    /// By deployment.
    let limits: [AttemptLimits]
    /// What connections of this generation share, where it is not what those before it had.
    var tls: TLSContext?
    private let origins: OriginTable
    private let proxyRules: ProxyRules
    /// By number of the origin; each is looked for when somebody asks the first of its deployments.
    private var pools: [UpstreamPool?]
    private var allPools: UpstreamPools?
    /// Counts those that are still alive; for the scoreboard.
    public var whenReleased: (@Sendable () -> Void)?

    init(
        _ number: UInt64, _ deployments: PublishedDeployments, _ table: RoutingTable, _ health: DeploymentHealth,
        _ limits: [AttemptLimits], _ origins: OriginTable
    ) {
        let settings = deployments.settings
        self.number = number
        self.settings = settings
        self.deployments = deployments
        self.table = table
        self.health = health
        self.limits = limits
        self.origins = origins
        proxyRules = ProxyRules(settings.process)
        pools = [UpstreamPool?](repeating: nil, count: origins.count)
        blocks = DeploymentBlocksByIndex(deployments, proxyRules)
        credentials = Credentials(masterKey: settings.general.masterKey.map { Array($0.reveal().utf8) })
    }

    /// Whether anybody is asked over an encrypted connection.
    var hasSecureOrigins: Bool { origins.hasSecure }

    func connect(_ pools: UpstreamPools) {
        pools.retire { !origins.contains($0) }
        allPools = pools
    }

    /// The connections to the origin of a deployment.
    func pool(_ deployment: Int) -> UpstreamPool {
        let number = origins.number(of: deployment)
        if let pool = pools[number] { return pool }
        guard let allPools else { preconditionFailure("a request before the generation is in force") }
        let pool = allPools.pool(for: origins[number], proxyRules)
        pools[number] = pool
        return pool
    }

    deinit {
        whenReleased?()
        blocks.letGo()
    }
}

/// Which origin each deployment is at: many are at the same. Pure.
struct OriginTable {
    private var all: [Origin] = []
    private var numbers: [Origin: Int32] = [:]
    private var byDeployment: [Int32] = []
    private(set) var hasSecure = false

    /// Of the next deployment.
    mutating func add(_ origin: Origin) {
        if let last = byDeployment.last, all[Int(last)] == origin { return byDeployment.append(last) }
        let next = Int32(all.count)
        let number = numbers[origin] ?? next
        if number == next {
            numbers[origin] = number
            all.append(origin)
            if origin.isSecure { hasSecure = true }
        }
        byDeployment.append(number)
    }

    var count: Int { all.count }

    subscript(_ number: Int) -> Origin { all[number] }

    func number(of deployment: Int) -> Int { Int(byDeployment[deployment]) }

    func contains(_ origin: Origin) -> Bool { numbers[origin] != nil }
}

/// Why a worker cannot serve a configuration.
public struct GenerationRefused: Error {
    public let reason: String
}
