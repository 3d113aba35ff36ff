/// One generation, compiled: which deployments a model name stands for, and what the tag filter and the balancer need
/// to know of them.
///
/// Pure and immutable. Tags are numbered once, so that choosing compares numbers; what is looked at for every request
/// lies in plain arrays, without an object per deployment; names are looked up as the bytes that a request holds.
package final class RoutingTable: Sendable {
    /// A deployment as the router sees it. Plain numbers only: choosing copies many of these.
    struct Candidate: Sendable {
        /// Its tags, a range of `carriedTags`.
        var tags: Range<Int32>
        /// Its `tag_regex`, a range of `patterns`.
        var patterns: Range<Int32>
        var isDefault: Bool
        var isConfigured: Bool
        /// `Int.max` where none is configured.
        var order: Int
        var weight: Double
        var rpm: Double
        var tpm: Double
        /// Input plus output price of a token; infinite where none is configured.
        var cost: Double
        /// Retries where a request has none of its own; -1 where none are configured.
        var retries: Int32
    }

    /// The deployments behind one public name.
    struct Group: Sendable {
        var name: String
        var members: [Int32]
        var isFiltered: Bool
        var mayFailOpen: Bool
        var hasPatterns: Bool
        var hasDefault: Bool
        /// Numbers of all tags on its members, ascending.
        var knownTags: [Int32]
        /// Retries by kind of failure, its own before the router's.
        var retryPolicy: FailurePolicy
    }

    /// What a model name stands for.
    package struct Resolution: Sendable, Equatable {
        package let group: Int
        /// The deployment whose id was named; -1 for the whole group. Tags are applied all the same.
        package let only: Int32
        /// What the `*` of a wildcard name stands for, as a range of the name.
        package let capture: Range<Int>?
    }

    private struct Wildcard: Sendable {
        var glob: Glob
        var group: Int
    }

    package let deployments: [Deployment]
    package let router: RouterSettings
    let candidates: [Candidate]
    let carriedTags: [Int32]
    let patterns: [TagPattern]
    let groups: [Group]
    package let fallbacks: FallbackTable
    private let names: ByteMap<Resolution>
    /// The most specific first.
    private let wildcards: [Wildcard]
    private let tagNumbers: ByteMap<Int32>
    /// Tags of deployments that have a `*`, and their numbers.
    private let tagGlobs: [(glob: Glob, number: Int32)]
    private let leftOut: ByteMap<String>
    package let tagPrefix: [UInt8]
    /// Public names for `/v1/models`: groups in the order of the configuration, then visible aliases.
    package let visibleModels: [String]

    package init(_ configuration: Configuration) {
        deployments = configuration.deployments
        router = configuration.router
        tagPrefix = Array(configuration.router.tagPrefix.utf8)
        var compiler = CandidateCompiler()
        for deployment in configuration.deployments { compiler.add(deployment) }
        candidates = compiler.candidates
        carriedTags = compiler.carriedTags
        patterns = compiler.patterns
        tagNumbers = ByteMap(compiler.numbers.map { (Array($0.key.utf8), $0.value) })
        tagGlobs = compiler.numbers.filter { $0.key.contains("*") }.map { (Glob($0.key), $0.value) }
        groups = Self.groups(configuration, compiler)
        let names = GroupNames(configuration, groups)
        self.names = ByteMap(names.pairs)
        wildcards = names.wildcards.map { Wildcard(glob: $0.glob, group: $0.group) }
        visibleModels = names.visible
        leftOut = ByteMap(configuration.leftOut.map { (Array($0.modelName.utf8), $0.reason) })
        let (exact, globs) = (self.names, wildcards)
        fallbacks = FallbackTable(configuration.router.fallbacks) { name in
            let bytes = Array(name.utf8)
            return Self.resolve(bytes, 0..<bytes.count, exact, globs)
        }
    }

    private static func groups(_ configuration: Configuration, _ compiler: CandidateCompiler) -> [Group] {
        var order: [String] = []
        var members: [String: [Int32]] = [:]
        for (index, deployment) in configuration.deployments.enumerated() {
            if members[deployment.modelName] == nil { order.append(deployment.modelName) }
            members[deployment.modelName, default: []].append(Int32(index))
        }
        let router = configuration.router
        let policies = Dictionary(router.retries.groupPolicies.map { ($0.group, $0.policy) }) { $1 }
        return order.map { name in
            let indices = members[name] ?? []
            let own = indices.map { configuration.deployments[Int($0)] }
            let tags = indices.flatMap { index in
                let range = compiler.candidates[Int(index)].tags
                return compiler.carriedTags[Int(range.lowerBound)..<Int(range.upperBound)]
            }
            return Group(
                name: name, members: indices,
                isFiltered: own.lazy.compactMap(\.enableTagFiltering).first ?? router.enableTagFiltering,
                mayFailOpen: own.contains(where: \.allowFailOpen),
                hasPatterns: own.contains { !$0.tagPatterns.isEmpty },
                hasDefault: indices.contains { compiler.candidates[Int($0)].isDefault },
                knownTags: Set(tags).sorted(), retryPolicy: policies[name] ?? router.retries.policy)
        }
    }

    // MARK: Questions

    /// What `bytes[name]` stands for: a deployment's id, an alias, a group, or a wildcard that it matches.
    package func resolve(_ bytes: [UInt8], _ name: Range<Int>) -> Resolution? {
        Self.resolve(bytes, name, names, wildcards)
    }

    private static func resolve(
        _ bytes: [UInt8], _ name: Range<Int>, _ names: ByteMap<Resolution>, _ wildcards: [Wildcard]
    ) -> Resolution? {
        if let resolution = names[bytes, name] { return resolution }
        for wildcard in wildcards {
            guard let capture = wildcard.glob.capture(bytes, name) else { continue }
            return Resolution(group: wildcard.group, only: -1, capture: capture)
        }
        return nil
    }

    /// Why a name that resolves to nothing does not: its deployments were left out at load.
    package func reasonLeftOut(_ bytes: [UInt8], _ name: Range<Int>) -> String? { leftOut[bytes, name] }

    /// The name of the group that a resolution leads to.
    package func groupName(_ resolution: Resolution) -> String { groups[resolution.group].name }

    /// Whether tags choose among the deployments of the group of a resolution.
    package func isFiltered(_ resolution: Resolution) -> Bool { groups[resolution.group].isFiltered }

    /// How often a request may be retried, by the first of `allowed` that says so.
    package func ownRetries(_ allowed: [Int32]) -> Int? {
        for index in allowed where candidates[Int(index)].retries >= 0 { return Int(candidates[Int(index)].retries) }
        return nil
    }

    func tagNumber(_ bytes: [UInt8], _ range: Range<Int>) -> Int32? { tagNumbers[bytes, range] }

    /// Adds the numbers of the tags with a `*` that the tag at `range` matches.
    func addGlobs(_ bytes: [UInt8], _ range: Range<Int>, to numbers: inout [Int32]) {
        for (glob, number) in tagGlobs where glob.capture(bytes, range) != nil { numbers.append(number) }
    }

    @inline(__always)
    func carries(_ candidate: Candidate, _ number: Int32) -> Bool {
        guard number >= 0 else { return false }
        var position = Int(candidate.tags.lowerBound)
        let end = Int(candidate.tags.upperBound)
        while position < end {
            if carriedTags[position] == number { return true }
            position += 1
        }
        return false
    }
}

/// Numbers the tags of deployments and lays the deployments out for the router.
private struct CandidateCompiler {
    var candidates: [RoutingTable.Candidate] = []
    var carriedTags: [Int32] = []
    var patterns: [TagPattern] = []
    var numbers: [String: Int32] = ["default": 0]

    mutating func add(_ deployment: Deployment) {
        let firstTag = Int32(carriedTags.count)
        for tag in Set(deployment.tags) {
            let number = numbers[tag] ?? Int32(numbers.count)
            numbers[tag] = number
            carriedTags.append(number)
        }
        let firstPattern = Int32(patterns.count)
        patterns += deployment.tagPatterns.compactMap { try? TagPattern($0) }
        let cost = deployment.inputCost.map { $0 + (deployment.outputCost ?? 0) } ?? deployment.outputCost ?? .infinity
        candidates.append(
            RoutingTable.Candidate(
                tags: firstTag..<Int32(carriedTags.count), patterns: firstPattern..<Int32(patterns.count),
                isDefault: deployment.tags.contains("default"), isConfigured: deployment.unconfigured == nil,
                order: deployment.order ?? .max, weight: deployment.weight ?? 0, rpm: deployment.rpm ?? 0,
                tpm: deployment.tpm ?? 0, cost: cost, retries: Int32(deployment.numRetries ?? -1)))
    }
}

/// All names by which a client can ask: groups, aliases, ids, wildcards.
private struct GroupNames {
    var pairs: [(key: [UInt8], value: RoutingTable.Resolution)] = []
    /// The most specific first.
    var wildcards: [(glob: Glob, group: Int)] = []
    var visible: [String] = []

    init(_ configuration: Configuration, _ groups: [RoutingTable.Group]) {
        var indices: [String: Int] = [:]
        for (index, group) in groups.enumerated() {
            indices[group.name] = index
            visible.append(group.name)
            pairs.append((Array(group.name.utf8), .init(group: index, only: -1, capture: nil)))
            if group.name.contains("*") { wildcards.append((Glob(group.name), index)) }
        }
        // Of equal names the later counts: an id before an alias before a group.
        var shown = Set(visible)
        for alias in configuration.router.aliases {
            guard let group = indices[alias.target] else { continue }
            pairs.append((Array(alias.name.utf8), .init(group: group, only: -1, capture: nil)))
            if !alias.isHidden, shown.insert(alias.name).inserted { visible.append(alias.name) }
        }
        for (index, group) in groups.enumerated() {
            for member in group.members {
                let id = Array(configuration.deployments[Int(member)].id.utf8)
                pairs.append((id, .init(group: index, only: member, capture: nil)))
            }
        }
        wildcards.sort { $0.glob.specificity > $1.glob.specificity }
    }
}
