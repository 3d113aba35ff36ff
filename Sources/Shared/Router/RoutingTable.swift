/// One generation, compiled: which deployments a model name stands for, and what the tag filter and the balancer need
/// to know of them.
///
/// Pure and immutable. Tags are numbered once, so that choosing compares numbers; names are looked up as the bytes
/// that a request holds.
package final class RoutingTable: Sendable {
    /// A deployment as the router sees it.
    struct Candidate: Sendable {
        /// Numbers of its tags, ascending.
        var tags: [Int32]
        var patterns: [TagPattern]
        var isDefault: Bool
        var isConfigured: Bool
        var order: Int
        var weight: Double
        var rpm: Double
        var tpm: Double
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
    }

    /// What a model name stands for.
    package struct Resolution: Sendable, Equatable {
        let group: Int
        /// The deployment whose id was named; -1 for the whole group. Tags are applied all the same.
        let only: Int32
        /// What the `*` of a wildcard name stands for, as a range of the name.
        package let capture: Range<Int>?
    }

    private struct Wildcard: Sendable {
        var prefix: [UInt8]
        var suffix: [UInt8]
        var group: Int
    }

    package let deployments: [Deployment]
    package let router: RouterSettings
    let candidates: [Candidate]
    let groups: [Group]
    private let names: ByteMap<Resolution>
    /// The most specific first.
    private let wildcards: [Wildcard]
    private let tagNumbers: ByteMap<Int32>
    private let leftOut: ByteMap<String>
    package let tagPrefix: [UInt8]
    /// Public names for `/v1/models`: groups in the order of the configuration, then visible aliases.
    package let visibleModels: [String]

    package init(_ configuration: Configuration) {
        deployments = configuration.deployments
        router = configuration.router
        tagPrefix = Array(configuration.router.tagPrefix.utf8)
        var numbers: [String: Int32] = ["default": 0]
        candidates = configuration.deployments.map { deployment in
            let tags = Set(deployment.tags).map { tag in
                let number = numbers[tag] ?? Int32(numbers.count)
                numbers[tag] = number
                return number
            }
            return Candidate(
                tags: tags.sorted(), patterns: deployment.tagPatterns.compactMap { try? TagPattern($0) },
                isDefault: deployment.tags.contains("default"), isConfigured: deployment.unconfigured == nil,
                order: deployment.order ?? .max, weight: deployment.weight ?? 0, rpm: deployment.rpm ?? 0,
                tpm: deployment.tpm ?? 0)
        }
        tagNumbers = ByteMap(numbers.map { (Array($0.key.utf8), $0.value) })
        groups = Self.groups(configuration, candidates)
        var pairs: [(key: [UInt8], value: Resolution)] = []
        var wildcards: [Wildcard] = []
        var visible: [String] = []
        for (index, group) in groups.enumerated() {
            visible.append(group.name)
            let name = Array(group.name.utf8)
            pairs.append((name, Resolution(group: index, only: -1, capture: nil)))
            if let star = name.firstIndex(of: 0x2A) {
                wildcards.append(
                    Wildcard(prefix: Array(name[..<star]), suffix: Array(name[(star + 1)...]), group: index))
            }
        }
        // Of equal names the later counts: an id before an alias before a group.
        for alias in configuration.router.aliases {
            guard let group = groups.firstIndex(where: { $0.name == alias.target }) else { continue }
            pairs.append((Array(alias.name.utf8), Resolution(group: group, only: -1, capture: nil)))
            if !alias.isHidden, !visible.contains(alias.name) { visible.append(alias.name) }
        }
        for (index, group) in groups.enumerated() {
            for member in group.members {
                let id = Array(configuration.deployments[Int(member)].id.utf8)
                pairs.append((id, Resolution(group: index, only: member, capture: nil)))
            }
        }
        names = ByteMap(pairs)
        self.wildcards = wildcards.sorted { $0.prefix.count + $0.suffix.count > $1.prefix.count + $1.suffix.count }
        leftOut = ByteMap(configuration.leftOut.map { (Array($0.modelName.utf8), $0.reason) })
        visibleModels = visible
    }

    private static func groups(_ configuration: Configuration, _ candidates: [Candidate]) -> [Group] {
        var order: [String] = []
        var members: [String: [Int32]] = [:]
        for (index, deployment) in configuration.deployments.enumerated() {
            if members[deployment.modelName] == nil { order.append(deployment.modelName) }
            members[deployment.modelName, default: []].append(Int32(index))
        }
        return order.map { name in
            let indices = members[name] ?? []
            let own = indices.map { configuration.deployments[Int($0)] }
            return Group(
                name: name, members: indices,
                isFiltered: own.lazy.compactMap(\.enableTagFiltering).first ?? configuration.router.enableTagFiltering,
                mayFailOpen: own.contains(where: \.allowFailOpen),
                hasPatterns: indices.contains { !candidates[Int($0)].patterns.isEmpty },
                hasDefault: indices.contains { candidates[Int($0)].isDefault },
                knownTags: Set(indices.flatMap { candidates[Int($0)].tags }).sorted())
        }
    }

    /// What `bytes[name]` stands for: a deployment's id, an alias, a group, or a wildcard that it matches.
    package func resolve(_ bytes: [UInt8], _ name: Range<Int>) -> Resolution? {
        if let resolution = names[bytes, name] { return resolution }
        for wildcard in wildcards
        where name.count >= wildcard.prefix.count + wildcard.suffix.count
            && bytes[name].starts(with: wildcard.prefix)
            && bytes[name].suffix(wildcard.suffix.count).elementsEqual(wildcard.suffix)
        {
            let capture = name.lowerBound + wildcard.prefix.count..<name.upperBound - wildcard.suffix.count
            return Resolution(group: wildcard.group, only: -1, capture: capture)
        }
        return nil
    }

    /// Why a name that resolves to nothing does not: its deployments were left out at load.
    package func reasonLeftOut(_ bytes: [UInt8], _ name: Range<Int>) -> String? { leftOut[bytes, name] }

    /// The name of the group that a resolution leads to.
    package func groupName(_ resolution: Resolution) -> String { groups[resolution.group].name }

    func tagNumber(_ bytes: [UInt8], _ range: Range<Int>) -> Int32? { tagNumbers[bytes, range] }
}
