/// Compiles a routing table, one deployment after the other, so that a worker that has ten thousand to take over can
/// serve its requests in between. Pure.
public struct RoutingTableBuilder {
    /// A group whose members are not all known yet.
    private struct Draft {
        var name: Int32
        var count: Int32 = 0
        /// What its first deployment that says so wants.
        var isFiltered: Bool?
        var mayFailOpen = false
        var hasPatterns = false
        var hasDefault = false

        mutating func take(_ deployment: Deployment, _ candidate: RoutingTable.Candidate) {
            count += 1
            isFiltered = isFiltered ?? deployment.enableTagFiltering
            if deployment.allowFailOpen { mayFailOpen = true }
            if !deployment.tagPatterns.isEmpty { hasPatterns = true }
            if candidate.isDefault { hasDefault = true }
        }
    }

    let router: RouterSettings
    let leftOut: ByteMap<String>
    private(set) var candidates: [RoutingTable.Candidate] = []
    private(set) var carriedTags: [Int32] = []
    private(set) var patterns: [TagPattern] = []
    private(set) var tagNumbers = ByteMap<Int32>()
    private(set) var tagGlobs: [(glob: Glob, number: Int32)] = []
    private(set) var names = ByteMap<RoutingTable.Name>()
    private(set) var wildcards: [RoutingTable.Wildcard] = []
    private(set) var groups: [RoutingTable.Group] = []
    private(set) var members: [Int32] = []
    private(set) var policies: [FailurePolicy] = []
    private var drafts: [Draft] = []
    /// By deployment.
    private var groupNumbers: [Int32] = []

    /// For that many deployments. `settings` may come without them.
    public init(_ settings: Configuration, count: Int) {
        router = settings.router
        leftOut = ByteMap(settings.leftOut.map { (Array($0.modelName.utf8), $0.reason) })
        candidates.reserveCapacity(count)
        groupNumbers.reserveCapacity(count)
        _ = number(ofTag: "default")
    }

    /// Takes the next deployment, of which only what decides about its choice is looked at.
    public mutating func add(_ deployment: Deployment) {
        let index = Int32(candidates.count)
        let group = group(named: deployment.modelName)
        groupNumbers.append(group)
        names.change(Array(deployment.id.utf8), from: RoutingTable.Name()) { name in
            name.deployment = index
            name.owner = group
        }
        let candidate = candidate(deployment)
        candidates.append(candidate)
        drafts[Int(group)].take(deployment, candidate)
    }

    private mutating func group(named text: String) -> Int32 {
        var group = Int32(drafts.count)
        let number = names.change(Array(text.utf8), from: RoutingTable.Name()) { name in
            if name.group < 0 { name.group = group } else { group = name.group }
        }
        guard group == drafts.count else { return group }
        drafts.append(Draft(name: Int32(number)))
        if text.utf8.contains(0x2A) { wildcards.append(.init(glob: Glob(text), group: Int(group))) }
        return group
    }

    private mutating func candidate(_ deployment: Deployment) -> RoutingTable.Candidate {
        let firstTag = carriedTags.count
        var isDefault = false
        for tag in deployment.tags {
            let number = number(ofTag: tag)
            if number == 0 { isDefault = true }
            if !carriedTags[firstTag...].contains(number) { carriedTags.append(number) }
        }
        let firstPattern = Int32(patterns.count)
        if !deployment.tagPatterns.isEmpty { patterns += deployment.tagPatterns.compactMap { try? TagPattern($0) } }
        let cost = deployment.inputCost.map { $0 + (deployment.outputCost ?? 0) } ?? deployment.outputCost ?? .infinity
        return RoutingTable.Candidate(
            tags: Int32(firstTag)..<Int32(carriedTags.count), patterns: firstPattern..<Int32(patterns.count),
            isDefault: isDefault, isConfigured: deployment.unconfigured == nil,
            order: deployment.order ?? .max, weight: deployment.weight ?? 0, rpm: deployment.rpm ?? 0,
            tpm: deployment.tpm ?? 0, cost: cost, retries: Int32(deployment.numRetries ?? -1))
    }

    /// `default` has the number 0.
    private mutating func number(ofTag tag: String) -> Int32 {
        let count = tagNumbers.count
        let number = tagNumbers.change(Array(tag.utf8), from: Int32(count)) { _ in }
        if number == count, tag.utf8.contains(0x2A) { tagGlobs.append((Glob(tag), Int32(number))) }
        return Int32(number)
    }

    /// The table, once all deployments are there.
    public consuming func finish() -> RoutingTable {
        complete()
        return RoutingTable(self)
    }

    fileprivate mutating func complete() {
        var starts: [Int32] = []
        starts.reserveCapacity(drafts.count + 1)
        var end: Int32 = 0
        for draft in drafts {
            starts.append(end)
            end += draft.count
        }
        var free = starts
        members = [Int32](repeating: 0, count: candidates.count)
        for index in groupNumbers.indices {
            let group = Int(groupNumbers[index])
            members[Int(free[group])] = Int32(index)
            free[group] += 1
        }
        policies = [router.retries.policy]
        var own: [Int: Int32] = [:]
        for entry in router.retries.groupPolicies {
            guard let known = names[Array(entry.group.utf8)], known.group >= 0 else { continue }
            own[Int(known.group)] = Int32(policies.count)
            policies.append(entry.policy)
        }
        for alias in router.aliases {
            guard let target = names[Array(alias.target.utf8)]?.group, target >= 0 else { continue }
            names.change(Array(alias.name.utf8), from: RoutingTable.Name()) { $0.aliased = target }
        }
        groups.reserveCapacity(drafts.count)
        for (index, draft) in drafts.enumerated() {
            groups.append(
                RoutingTable.Group(
                    name: draft.name, members: starts[index]..<free[index],
                    isFiltered: draft.isFiltered ?? router.enableTagFiltering, mayFailOpen: draft.mayFailOpen,
                    hasPatterns: draft.hasPatterns, hasDefault: draft.hasDefault, policy: own[index] ?? 0))
        }
    }
}

extension RoutingTable {
    /// The table of a whole configuration, in one go.
    public convenience init(_ configuration: Configuration) {
        var builder = RoutingTableBuilder(configuration, count: configuration.deployments.count)
        for index in configuration.deployments.indices { builder.add(configuration.deployments[index]) }
        builder.complete()
        self.init(builder)
    }
}
