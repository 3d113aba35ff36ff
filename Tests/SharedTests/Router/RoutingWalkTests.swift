import Testing

@testable import Shared

/// Whole requests through random configurations, by names, aliases, ids and wildcards, with retries and fallbacks, while
/// deployments fail, cool down and recover: what has to hold at every step.
@Suite struct RoutingWalkTests {
    private static let tags = ["free", "paid", "default", "eu", "team-*", "team-a"]
    private static let wanted = ["free", "paid", "default", "eu", "team-a", "team-b", "!free", "&paid", "!eu", "none"]
    private static let names = ["a", "b", "c", "w/*", "*"]

    private struct Walk {
        var random: SeededGenerator

        mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        mutating func chance(_ percent: Int) -> Bool { int(1...100) <= percent }
        mutating func some(_ all: [String], _ most: Int) -> [String] {
            (0..<int(0...most)).map { _ in all[int(0...all.count - 1)] }
        }
        mutating func one(_ all: [String]) -> String { all[int(0...all.count - 1)] }

        mutating func policy() -> FailurePolicy {
            var policy = FailurePolicy()
            for kind in FailureClass.allCases where chance(20) { policy[kind] = int(0...4) }
            return policy
        }

        mutating func configuration() -> Configuration {
            var configuration = Configuration()
            for index in 0..<int(1...10) {
                var deployment = Deployment()
                deployment.modelName = one(names)
                deployment.id = "id-\(index)"
                deployment.tags = some(tags, 3)
                deployment.order = chance(50) ? int(1...3) : nil
                deployment.weight = chance(40) ? Double(int(0...3)) : nil
                deployment.rpm = chance(20) ? Double(int(0...9)) : nil
                deployment.inputCost = chance(30) ? Double(int(0...3)) : nil
                if chance(10) { deployment.tagPatterns = ["^User-Agent: x"] }
                if chance(5) { deployment.unconfigured = "KEY is not set" }
                if chance(5) { deployment.allowFailOpen = true }
                if chance(5) { deployment.enableTagFiltering = false }
                configuration.deployments.append(deployment)
            }
            let strategies = RoutingStrategy.allCases
            configuration.router.enableTagFiltering = chance(95)
            configuration.router.matchAny = chance(60)
            configuration.router.semantics = chance(70) ? .litellm : .strict
            configuration.router.strategy = strategies[int(0...strategies.count - 1)]
            configuration.router.latencyBuffer = chance(50) ? 0 : 0.5
            configuration.router.aliases = [ModelAlias(name: "alias", target: one(names), isHidden: chance(50))]
            if chance(30) { configuration.router.retries.policy = policy() }
            if chance(20) { configuration.router.retries.groupPolicies = [.init(group: one(names), policy: policy())] }
            let known = names + ["alias", "id-0", "id-3", "w/x", "elsewhere"]
            var fallbacks = FallbackSettings()
            for _ in 0..<int(0...4) { fallbacks.rules.append(FallbackRule(group: one(known), targets: some(known, 3))) }
            fallbacks.defaults = some(known, 2)
            if chance(30) { fallbacks.contextWindow = [FallbackRule(group: "*", targets: some(known, 2))] }
            fallbacks.maximumDepth = int(0...5)
            configuration.router.fallbacks = fallbacks
            return configuration
        }

        mutating func failure() -> AttemptFailure {
            let statuses = [400, 401, 403, 404, 408, 409, 422, 429, 500, 503]
            switch int(0...9) {
            case 0: return .contextWindow
            case 1: return .contentPolicy
            case 2: return .noAnswer
            case 3: return .timeout
            default: return .status(statuses[int(0...statuses.count - 1)])
            }
        }

        private var names: [String] { RoutingWalkTests.names }
        private var tags: [String] { RoutingWalkTests.tags }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64]) func noRequestLeavesWhatItsTagsAllow(seed: UInt64) throws {
        var walk = Walk(random: SeededGenerator(seed: seed))
        var plan = AttemptPlan()
        var chain = FallbackChain()
        var attempts = 0
        var failovers = 0
        for request in 0..<400 {
            let configuration = walk.configuration()
            let table = RoutingTable(configuration)
            let name = walk.one(Self.names + ["alias", "id-0", "id-1", "w/y", "z"])
            let bytes = Array(name.utf8)
            guard let first = table.resolve(bytes, 0..<bytes.count) else { continue }
            let tags = RequestTags()
            let list = Array(walk.some(Self.wanted, 3).joined(separator: ",").utf8)
            tags.add(list: list, 0..<list.count, table)
            let agent = walk.chance(20) ? Array("x/1".utf8)[...] : nil
            let budget = walk.int(0...4)
            // A policy may allow more of its kind; nothing is ever retried more often than the most that any says.
            let retries = configuration.router.retries
            let policies = [retries.policy] + retries.groupPolicies.map(\.policy)
            let most = max(budget, policies.flatMap(\.counts).compactMap { $0 }.max() ?? 0)
            let states = StatesTable()
            var now = Instant(nanoseconds: 1_000_000_000)
            var step: FallbackChain.Step? = .init(
                target: .init(name: name, resolution: first), depth: 0, own: nil)
            chain.begin(at: .init(name: name, resolution: first), maximumDepth: table.fallbacks.maximumDepth)
            plan.begin(retries: budget)
            var steps = 0
            var groups: Set<Int> = []
            let place = "seed \(seed), request \(request), \(name) \(tags.description)"
            while let current = step {
                let resolution = current.target.resolution
                #expect(current.depth <= table.fallbacks.maximumDepth, "\(place)")
                groups.insert(resolution.group)
                var allowed: [Int32] = []
                let reason = TagFilter.select(table, resolution, tags, userAgent: agent, into: &allowed)
                var kind = FallbackTable.Kind.general
                if reason != nil, plan.enter(allowed, group: resolution.group, asFallback: current.depth > 0, table) {
                    var tried: Set<Int32> = []
                    walking: while true {
                        steps += 1
                        try #require(steps < 2000, "\(place): no end")
                        churn(states, configuration.deployments.count, &walk, now)
                        switch plan.next(table, states, isStream: walk.chance(50), now: now, using: &walk.random) {
                        case .end: break walking
                        case .outage:
                            #expect(tried.isEmpty, "\(place): an outage after an attempt")
                            break walking
                        case .wait(let until):
                            #expect(until > now, "\(place): a wait for the past")
                            now = until
                        case .attempt(let index, _):
                            attempts += 1
                            #expect(allowed.contains(Int32(index)), "\(place): \(index) is not allowed")
                            #expect(table.candidates[index].isConfigured, "\(place): \(index) is not configured")
                            #expect(resolution.only < 0 || resolution.only == Int32(index), "\(place): another id")
                            #expect(states.availability(of: index, at: now) == .fit, "\(place): \(index) is not fit")
                            if tried.contains(Int32(index)) {
                                let order = table.candidates[index].order
                                for other in allowed where !tried.contains(other) {
                                    let candidate = table.candidates[Int(other)]
                                    #expect(
                                        candidate.order != order || !candidate.isConfigured
                                            || states.availability(of: Int(other), at: now) != .fit
                                            || states.taken.contains(Int(other)),
                                        "\(place): \(index) again before \(other)")
                                }
                            }
                            tried.insert(Int32(index))
                            now = now + .milliseconds(walk.int(0...300))
                            let failure = walk.failure()
                            kind = failure.fallbackKind
                            let retryAfter = walk.chance(20) ? TimeSpan.seconds(walk.int(0...100)) : nil
                            plan.failed(
                                failure, at: index, retryAfter: retryAfter, now: now, table, using: &walk.random)
                        }
                        #expect(plan.retries <= most, "\(place): \(plan.retries) retries of \(most)")
                    }
                }
                let asked = Array(current.target.name.utf8)
                let targets = table.fallbacks.targets(after: kind, of: asked, table.groupName(resolution))
                chain.add(targets.map { ($0, nil) }, behind: current.depth)
                step = chain.next()
            }
            if groups.count > 1 { failovers += 1 }
        }
        // The walk has been where it wanted to go.
        #expect(attempts > 300 && failovers > 20, "seed \(seed): \(attempts) attempts, \(failovers) fallbacks")
    }

    /// The world changes between two steps.
    private func churn(_ states: StatesTable, _ count: Int, _ walk: inout Walk, _ now: Instant) {
        let index = walk.int(0...count - 1)
        switch walk.int(0...9) {
        case 0: states.availabilities[index] = .cooling(until: now + .seconds(walk.int(1...20)))
        case 1: states.availabilities[index] = .limited(until: now + .seconds(walk.int(1...60)))
        case 2: states.availabilities[index] = nil
        case 3: states.taken = [index]
        case 4: states.taken = []
        case 5: states.latencies[index] = Int64(walk.int(0...1000))
        case 6: states.usedTokens[index] = walk.int(0...1000)
        case 7: states.attempts[index] = walk.int(0...5)
        default: break
        }
    }
}
