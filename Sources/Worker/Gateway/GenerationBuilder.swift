internal import Shared

/// Builds a generation piece by piece beside the one in force, so that requests can be served in between: with ten
/// thousand deployments nobody should wait for the whole of it.
struct GenerationBuilder {
    private let number: UInt64
    private let deployments: PublishedDeployments
    private let board: DeploymentBoard?
    private var table: RoutingTableBuilder
    private var health: DeploymentHealth.Builder
    private var limits: [AttemptLimits] = []
    private var origins = OriginTable()
    private var position = 0

    /// So many are read at once.
    private static let portion = 16

    init(_ number: UInt64, _ file: DescriptorBox, _ board: DeploymentBoard?) throws(GenerationRefused) {
        self.number = number
        self.board = board
        deployments = try PublishedDeployments(file)
        table = RoutingTableBuilder(deployments.settings, count: deployments.count)
        health = DeploymentHealth.Builder(deployments.settings.router)
        limits.reserveCapacity(deployments.count)
    }

    var isComplete: Bool { position == deployments.count }

    /// Takes the next few deployments.
    mutating func go() throws(GenerationRefused) {
        let end = min(position + Self.portion, deployments.count)
        guard position < end else { return }
        for deployment in try deployments.choices(position..<end) {
            table.add(deployment)
            health.add(deployment)
            limits.append(AttemptLimits(deployment, deployments.settings.router))
            origins.add(deployment.origin)
        }
        position = end
    }

    /// The generation, once it is complete.
    @Loop consuming func finish() -> Generation {
        let table = table.finish()
        return Generation(number, deployments, table, DeploymentHealth(health, table, board), limits, origins)
    }
}
