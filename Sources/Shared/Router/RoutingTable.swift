/// One generation, compiled: which deployments a model name stands for, and what the tag filter and the balancer need
/// to know of them. Made by a `RoutingTableBuilder`.
///
/// Pure and immutable. Tags are numbered once, so that choosing compares numbers; what is looked at for every request
/// lies in plain arrays, without an object per deployment or group, so that even a large table is let go at once; names
/// are looked up as the bytes that a request holds. Deployments themselves, by their index, are the caller's.
public final class RoutingTable: Sendable {
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

    /// The deployments behind one public name. Plain numbers only.
    struct Group: Sendable {
        /// The number of its name.
        var name: Int32
        /// A range of `members`.
        var members: Range<Int32>
        var isFiltered: Bool
        var mayFailOpen: Bool
        var hasPatterns: Bool
        var hasDefault: Bool
        /// Which of `policies` is its own.
        var policy: Int32
    }

    /// What one name stands for: an id counts before an alias, and that before a group; -1 where it is none.
    struct Name: Sendable {
        var group: Int32 = -1
        /// The group that the alias leads to.
        var aliased: Int32 = -1
        /// The deployment of that id, and its group.
        var deployment: Int32 = -1
        var owner: Int32 = -1

        var resolution: Resolution? {
            if deployment >= 0 { return Resolution(group: Int(owner), only: deployment, capture: nil) }
            let target = aliased >= 0 ? aliased : group
            return target >= 0 ? Resolution(group: Int(target), only: -1, capture: nil) : nil
        }
    }

    /// What a model name stands for.
    public struct Resolution: Sendable, Equatable {
        public let group: Int
        /// The deployment whose id was named; -1 for the whole group. Tags are applied all the same.
        public let only: Int32
        /// What the `*` of a wildcard name stands for, as a range of the name.
        public let capture: Range<Int>?
    }

    struct Wildcard: Sendable {
        var glob: Glob
        var group: Int
    }

    public let router: RouterSettings
    let candidates: [Candidate]
    let carriedTags: [Int32]
    let patterns: [TagPattern]
    let groups: [Group]
    /// Indices of deployments, group by group.
    private let members: [Int32]
    private let policies: [FailurePolicy]
    public let fallbacks: FallbackTable
    private let names: ByteMap<Name>
    /// The most specific first.
    private let wildcards: [Wildcard]
    private let tagNumbers: ByteMap<Int32>
    /// Tags of deployments that have a `*`, and their numbers.
    private let tagGlobs: [(glob: Glob, number: Int32)]
    private let leftOut: ByteMap<String>
    public let tagPrefix: [UInt8]

    /// The parts that a builder has made.
    init(_ parts: RoutingTableBuilder) {
        router = parts.router
        tagPrefix = Array(router.tagPrefix.utf8)
        candidates = parts.candidates
        carriedTags = parts.carriedTags
        patterns = parts.patterns
        tagNumbers = parts.tagNumbers
        tagGlobs = parts.tagGlobs
        leftOut = parts.leftOut
        groups = parts.groups
        members = parts.members
        policies = parts.policies
        let (names, wildcards) = (parts.names, parts.wildcards.sorted { $0.glob.specificity > $1.glob.specificity })
        self.names = names
        self.wildcards = wildcards
        fallbacks = FallbackTable(router.fallbacks) { name in
            let bytes = Array(name.utf8)
            return Self.resolve(bytes, 0..<bytes.count, names, wildcards)
        }
    }

    // MARK: Questions

    /// What `bytes[name]` stands for: a deployment's id, an alias, a group, or a wildcard that it matches.
    public func resolve(_ bytes: [UInt8], _ name: Range<Int>) -> Resolution? {
        Self.resolve(bytes, name, names, wildcards)
    }

    private static func resolve(
        _ bytes: [UInt8], _ name: Range<Int>, _ names: ByteMap<Name>, _ wildcards: [Wildcard]
    ) -> Resolution? {
        if let resolution = names[bytes, name]?.resolution { return resolution }
        for wildcard in wildcards {
            guard let capture = wildcard.glob.capture(bytes, name) else { continue }
            return Resolution(group: wildcard.group, only: -1, capture: capture)
        }
        return nil
    }

    /// Why a name that resolves to nothing does not: its deployments were left out at load.
    public func reasonLeftOut(_ bytes: [UInt8], _ name: Range<Int>) -> String? { leftOut[bytes, name] }

    /// The name of the group that a resolution leads to.
    public func groupName(_ resolution: Resolution) -> String { name(of: groups[resolution.group]) }

    private func name(of group: Group) -> String { String(decoding: names.key(Int(group.name)), as: UTF8.self) }

    /// Public names for `/v1/models`: groups in the order of the configuration, then visible aliases.
    public var visibleModels: [String] {
        var shown = groups.map { name(of: $0) }
        for (index, alias) in router.aliases.enumerated() where isVisible(alias) {
            guard !router.aliases[..<index].contains(where: { $0.name == alias.name && isVisible($0) }) else {
                continue
            }
            shown.append(alias.name)
        }
        return shown
    }

    /// Whether `visibleModels` has the name.
    public func isVisible(_ name: String) -> Bool {
        if let known = names[Array(name.utf8)], known.group >= 0 { return true }
        return router.aliases.contains { $0.name == name && isVisible($0) }
    }

    /// Whether an alias is shown beside the groups.
    private func isVisible(_ alias: ModelAlias) -> Bool {
        guard !alias.isHidden, let known = names[Array(alias.name.utf8)] else { return false }
        return known.aliased >= 0 && known.group < 0
    }

    /// The deployments of the group of that very name.
    public func members(ofGroup name: String) -> ArraySlice<Int32> {
        guard let known = names[Array(name.utf8)], known.group >= 0 else { return [] }
        return members(of: groups[Int(known.group)])
    }

    @inline(__always)
    func members(of group: Group) -> ArraySlice<Int32> {
        members[Int(group.members.lowerBound)..<Int(group.members.upperBound)]
    }

    /// The deployments that are alone in their group.
    public var loners: [Int] {
        groups.compactMap { $0.members.count == 1 ? Int(members[Int($0.members.lowerBound)]) : nil }
    }

    /// Whether tags choose among the deployments of the group of a resolution.
    public func isFiltered(_ resolution: Resolution) -> Bool { groups[resolution.group].isFiltered }

    /// Retries by kind of failure, a group's own before the router's.
    func retryPolicy(of group: Int) -> FailurePolicy { policies[Int(groups[group].policy)] }

    /// How often a request may be retried, by the first of `allowed` that says so.
    public func ownRetries(_ allowed: [Int32]) -> Int? {
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
