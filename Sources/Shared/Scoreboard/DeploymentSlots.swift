/// Which place on the scoreboard each deployment has, by its id. Pure; the supervisor's, told to workers with each
/// generation.
///
/// A deployment keeps its place as long as it is configured. A place that was given back is used again only when no
/// unused one is left, the longest unused first: requests of older generations may still write to it for a while.
public struct DeploymentSlots: Sendable {
    private var slots: [String: Int] = [:]
    private var released: [Int] = []
    /// One past the highest place that was ever given.
    public private(set) var used = 0
    private let limit: Int

    public init(limit: Int = Configuration.mostDeployments) {
        self.limit = limit
    }

    /// Takes over the places that a configuration in force was given.
    public init(adopting configuration: Configuration) {
        self.init()
        for deployment in configuration.deployments where deployment.boardSlot >= 0 {
            slots[deployment.id] = deployment.boardSlot
            used = max(used, deployment.boardSlot + 1)
        }
        let taken = Set(slots.values)
        released = (0..<used).filter { !taken.contains($0) }
    }

    /// Gives every deployment its place; answers those that others had before, which have to be cleared.
    public mutating func assign(to configuration: inout Configuration) -> [Int] {
        var reused: [Int] = []
        for index in configuration.deployments.indices {
            let id = configuration.deployments[index].id
            let slot = slots[id] ?? place(for: id, &reused)
            configuration.deployments[index].boardSlot = slot
        }
        return reused
    }

    /// One that is new; -1 where there is none.
    private mutating func place(for id: String, _ reused: inout [Int]) -> Int {
        if used < limit {
            used += 1
            slots[id] = used - 1
            return used - 1
        }
        guard !released.isEmpty else { return -1 }
        let slot = released.removeFirst()
        slots[id] = slot
        reused.append(slot)
        return slot
    }

    /// Gives back the places of all that `configuration`, now in force, no longer has.
    public mutating func release(except configuration: Configuration) {
        let kept = Set(configuration.deployments.map(\.id))
        let gone = slots.filter { !kept.contains($0.key) }
        for (id, slot) in gone.sorted(by: { $0.value < $1.value }) {
            slots[id] = nil
            released.append(slot)
        }
    }
}
