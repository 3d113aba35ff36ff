public import Shared

/// Where a request would go, and why: the answer to "why this one?", for `tagway explain`.
///
/// Pure: asks the files that the worker routes with, in the order in which `Exchange` asks them, about a gateway whose
/// deployments are all fit and idle.
public struct Explanation: Equatable {
    public struct Tag: Equatable, Sendable {
        public let text: String
        /// The place in the request.
        public let source: String
    }

    public struct Member: Equatable, Sendable {
        /// Its index in the configuration.
        public let index: Int
        public let isAllowed: Bool
        public let reason: String
        /// What the upstream would be asked for.
        public let model: String
        /// How likely it is that it is asked first among those of its `order`; nil: never.
        public let share: Double?
    }

    /// A model group on the way of the request.
    public struct Group: Equatable, Sendable {
        /// As it was asked for, or as the fallbacks name it.
        public let name: String
        /// The `model_name` behind that.
        public let modelName: String
        public let isFiltered: Bool
        /// Why the tags allow those that they allow; nil: they allow none.
        public let reason: String?
        public let members: [Member]

        public var canServe: Bool { members.contains { $0.share != nil } }
    }

    /// What a client would be told instead.
    public struct Refusal: Equatable, Sendable {
        public let status: Int
        public let type: String
        public let param: String?
        public let message: String
    }

    public private(set) var model = ""
    public private(set) var isStream = false
    public private(set) var tags: [Tag] = []
    public private(set) var retries = 0
    /// Nil where the request does not get as far.
    public private(set) var group: Group?
    /// The groups that stand in, one after the other, when everything before them has failed.
    public private(set) var fallbacks: [Group] = []
    /// The same when a prompt is too long, or is refused by a provider's filter, all along.
    public private(set) var contextWindowFallbacks: [Group] = []
    public private(set) var contentPolicyFallbacks: [Group] = []
    /// Set when nobody may serve it.
    public private(set) var refusal: Refusal?

    /// Explains a whole request: head and body, as a client would send them.
    public init(of bytes: [UInt8], _ configuration: Configuration) {
        let table = RoutingTable(configuration)
        let asked = Inquiry()
        do throws(GatewayError) {
            let (head, body) = try Self.parse(bytes, configuration.process)
            try explain(head, bytes, body, table, configuration, asked)
        } catch {
            let answer = error.answer
            refusal = Refusal(status: answer.status, type: answer.type, param: answer.param, message: answer.message)
        }
        model = asked.modelText
        isStream = asked.request.isStream
    }

    private static func parse(
        _ bytes: [UInt8], _ settings: ProcessSettings
    ) throws(GatewayError) -> (MessageHead, Range<Int>) {
        let head = MessageHead()
        var parser = HeadParser.request(limit: settings.headerBytes)
        let isComplete: Bool
        do throws(HTTPViolation) {
            isComplete = try parser.read(bytes, 0..<bytes.count, into: head)
            if isComplete { _ = try BodyFraming.request(head, bytes) }
        } catch {
            throw .refusal(.violation(error))
        }
        guard isComplete else { throw .refusal(.cutOff) }
        let body = head.end..<bytes.count
        guard body.count <= settings.bodyBytes else {
            throw .refusal(
                .violation(HTTPViolation(.bodyTooLarge, "the request body is larger than this server accepts")))
        }
        return (head, body)
    }

    private mutating func explain(
        _ head: MessageHead, _ bytes: [UInt8], _ body: Range<Int>, _ table: RoutingTable,
        _ configuration: Configuration, _ asked: Inquiry
    ) throws(GatewayError) {
        let path: Range<Int>?
        switch Endpoint(head.method, bytes, target: head.target) {
        case .inference(let operation, let name):
            asked.operation = operation
            path = name
        case .methodNotAllowed(let allow): throw .methodNotAllowed(allow: allow)
        default: throw .notFound
        }
        let credentials = Credentials(masterKey: configuration.general.masterKey.map { Array($0.reveal().utf8) })
        try asked.read(head, bytes, body: body, path: path, credentials, table)
        try takeTags(head, bytes, table, asked)
        let first = try asked.resolve(table)
        let agent = head.first(.userAgent).map { bytes[$0] }
        let deployments = configuration.deployments
        let route = Route(table: table, deployments: deployments, asked: asked, bytes: bytes, agent: agent)
        let groups = route.groups(from: first, after: .general)
        group = groups.first
        fallbacks = Array(groups.dropFirst())
        contextWindowFallbacks = Array(route.groups(from: first, after: .contextWindow).dropFirst())
        contentPolicyFallbacks = Array(route.groups(from: first, after: .contentPolicy).dropFirst())
        let allowed = groups[0].members.filter(\.isAllowed).map { Int32($0.index) }
        retries = asked.retries(head, bytes, table, allowed) ?? RetrySettings.usualCount
        guard !groups.contains(where: \.canServe) else { return }
        guard groups[0].reason != nil else { throw asked.tagsRefused(table) }
        throw asked.unconfigured(allowed) { deployments[$0].unconfigured }
    }

    private mutating func takeTags(
        _ head: MessageHead, _ bytes: [UInt8], _ table: RoutingTable, _ asked: Inquiry
    ) throws(GatewayError) {
        let request = asked.request
        for source in CompletionRequest.TagSource.allCases {
            let found = RequestTags()
            try request.addTags(from: source, bytes, header: head.first(.litellmTags), to: found, table)
            found.forEachText { text in
                tags.append(Tag(text: String(decoding: found.texts[text], as: UTF8.self), source: source.rawValue))
            }
        }
    }
}

/// The way of one request through the groups. Pure.
private struct Route {
    let table: RoutingTable
    let deployments: [Deployment]
    let asked: Inquiry
    let bytes: [UInt8]
    let agent: ArraySlice<UInt8>?

    /// The groups that are asked, one after the other, when each fails in that way.
    func groups(
        from first: RoutingTable.Resolution, after kind: FallbackTable.Kind
    ) -> [Explanation.Group] {
        var groups: [Explanation.Group] = []
        var chain = FallbackChain()
        let start = FallbackTable.Target(name: asked.modelText, resolution: first)
        chain.begin(at: start, maximumDepth: table.fallbacks.maximumDepth)
        var step: FallbackChain.Step? = .init(target: start, depth: 0, own: nil)
        while let current = step {
            let group = group(current.target)
            groups.append(group)
            // A group that nobody may be asked in has not failed in that way.
            let targets = asked.standIns(
                after: group.canServe ? kind : .general, of: Array(current.target.name.utf8),
                current.target.resolution, bytes, table)
            chain.add(targets, behind: current.depth)
            step = chain.next()
        }
        return groups
    }

    private func group(_ target: FallbackTable.Target) -> Explanation.Group {
        let (reason, verdicts) = TagFilter.verdicts(table, target.resolution, asked.tags, userAgent: agent)
        let shares = shares(verdicts.filter(\.isAllowed).map(\.deployment))
        let captured = target.resolution.capture.map { String(decoding: Array(target.name.utf8)[$0], as: UTF8.self) }
        return Explanation.Group(
            name: target.name, modelName: table.groupName(target.resolution),
            isFiltered: table.isFiltered(target.resolution), reason: reason?.text.description,
            members: verdicts.map { verdict in
                let model = deployments[verdict.deployment].upstreamModel
                return Explanation.Member(
                    index: verdict.deployment, isAllowed: verdict.isAllowed, reason: verdict.reason,
                    model: captured.map { model.replacingStar(with: $0) } ?? model, share: shares[verdict.deployment])
            })
    }

    /// Of each deployment among those of its `order`; none where it lacks what the environment should have given.
    private func shares(_ allowed: [Int]) -> [Int: Double] {
        let configured = allowed.filter { deployments[$0].unconfigured == nil }
        var shares: [Int: Double] = [:]
        for level in Dictionary(grouping: configured, by: { deployments[$0].order ?? .max }).values {
            let members = level.map { Int32($0) }
            let figures = Balancer.shares(
                of: members, table, IdleDeployments(), isStream: asked.request.isStream, now: Instant(nanoseconds: 0))
            for (index, share) in zip(level, figures) { shares[index] = share }
        }
        return shares
    }
}

/// Nothing has happened yet.
private struct IdleDeployments: DeploymentStates {
    func availability(of index: Int, at now: Instant) -> Availability { .fit }
    func admit(_ index: Int, at now: Instant) -> Admission? { Admission() }
    func inFlight(of index: Int) -> Int { 0 }
    func latency(of index: Int, isStream: Bool, at now: Instant) -> Int64 { 0 }
    func tokens(of index: Int, at now: Instant) -> Int { 0 }
}
