/// Which model groups stand in for a group whose attempts have all failed, by the kind of the failure. Pure, compiled
/// at load.
///
/// Looked up under the name that was asked for, as the reference does: an alias has no fallbacks of its target.
public struct FallbackTable: Sendable {
    public enum Kind: Sendable, Equatable {
        case general, contextWindow, contentPolicy
    }

    /// A group that may be asked instead.
    public struct Target: Sendable, Equatable {
        public let name: String
        public let resolution: RoutingTable.Resolution

        public init(name: String, resolution: RoutingTable.Resolution) {
            self.name = name
            self.resolution = resolution
        }
    }

    private let general: ByteMap<[Target]>
    private let contextWindow: ByteMap<[Target]>?
    private let contentPolicy: ByteMap<[Target]>?
    private let defaults: [Target]
    public let maximumDepth: Int
    /// Whether any failure can lead anywhere.
    public let isEmpty: Bool

    private static let anyGroup = Array("*".utf8)

    init(_ settings: FallbackSettings, resolve: (String) -> RoutingTable.Resolution?) {
        func targets(_ names: [String]) -> [Target] {
            names.compactMap { name in resolve(name).map { Target(name: name, resolution: $0) } }
        }
        func map(_ rules: [FallbackRule]) -> ByteMap<[Target]> {
            ByteMap(rules.map { (Array($0.group.utf8), targets($0.targets)) })
        }
        general = map(settings.rules)
        contextWindow = settings.contextWindow.map(map)
        contentPolicy = settings.contentPolicy.map(map)
        defaults = targets(settings.defaults)
        maximumDepth = settings.maximumDepth
        isEmpty =
            settings.rules.isEmpty && settings.defaults.isEmpty && settings.contextWindow == nil
            && settings.contentPolicy == nil
    }

    /// Whether the configuration has a list for that kind of failure alone.
    public func hasList(for kind: Kind) -> Bool {
        switch kind {
        case .general: true
        case .contextWindow: contextWindow != nil
        case .contentPolicy: contentPolicy != nil
        }
    }

    /// The groups to ask next, in order, when the group asked for as `name` has failed. A list for its kind of failure,
    /// where the configuration has one, is the only one that counts.
    public func targets(after kind: Kind, of name: [UInt8], _ group: String) -> [Target] {
        switch kind {
        case .contextWindow:
            if let contextWindow { return entry(contextWindow, name, group) ?? [] }
        case .contentPolicy:
            if let contentPolicy { return entry(contentPolicy, name, group) ?? [] }
        case .general: break
        }
        return entry(general, name, group) ?? defaults
    }

    private func entry(_ map: ByteMap<[Target]>, _ name: [UInt8], _ group: String) -> [Target]? {
        if let targets = map[name] { return targets }
        // A name that only a wildcard matches is written nowhere; the wildcard may be.
        if group.contains("*"), let targets = map[Array(group.utf8)] { return targets }
        return map[Self.anyGroup]
    }
}

/// The groups that one request may still fall back to, as a chain goes on: each at most once, to a limited depth. Pure.
public struct FallbackChain: Sendable {
    public struct Step: Sendable {
        public let target: FallbackTable.Target
        public let depth: Int
        /// Members that a client gave for this group only, a range of its bytes: `{"model": …, "messages": …}`.
        public let own: Range<Int>?

        public init(target: FallbackTable.Target, depth: Int, own: Range<Int>?) {
            self.target = target
            self.depth = depth
            self.own = own
        }
    }

    private var waiting: [Step] = []
    private var visited: [FallbackTable.Target] = []
    private var visitedOwn: [Range<Int>] = []
    private var maximumDepth = 0

    public init() {}

    /// Begins a request at the group that it asked for.
    public mutating func begin(at first: FallbackTable.Target, maximumDepth: Int) {
        waiting.removeAll(keepingCapacity: true)
        visited.removeAll(keepingCapacity: true)
        visitedOwn.removeAll(keepingCapacity: true)
        visited.append(first)
        self.maximumDepth = maximumDepth
    }

    /// `targets` stand in for a group that was reached at `depth`; they come before those that wait already.
    public mutating func add(_ targets: [(target: FallbackTable.Target, own: Range<Int>?)], behind depth: Int) {
        guard depth < maximumDepth else { return }
        for (target, own) in targets.reversed() { waiting.append(Step(target: target, depth: depth + 1, own: own)) }
    }

    public mutating func next() -> Step? {
        while let step = waiting.popLast() {
            // With a client's own messages even the same group is another question; each is asked once all the same.
            if let own = step.own {
                if visitedOwn.contains(own) { continue }
                visitedOwn.append(own)
            } else if visited.contains(where: { $0.isSame(as: step.target) }) {
                continue
            }
            visited.append(step.target)
            return step
        }
        return nil
    }
}

extension FallbackTable.Target {
    /// Whether both lead to the same deployments with the same model name.
    fileprivate func isSame(as other: Self) -> Bool {
        resolution.group == other.resolution.group && resolution.only == other.resolution.only
            && (resolution.capture == nil || name == other.name)
    }
}
