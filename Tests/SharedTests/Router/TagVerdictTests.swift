import Testing

@testable import Shared

/// What an operator is told of each deployment of a group; `TagFilterTests` has what the filter decides.
@Suite struct TagVerdictTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var tags: String
        var expected: [String]
        var agent: String?
        var model = "m"
        var change: @Sendable (inout Configuration) -> Void = { _ in }
    }

    /// Deployments: a [free, eu], b [paid], c [default], d [].
    private static func deployment(_ id: String, _ tags: [String]) -> Deployment {
        var deployment = Deployment()
        deployment.modelName = "m"
        deployment.id = id
        deployment.tags = tags
        return deployment
    }

    static let cases: [Case] = [
        Case(
            testDescription: "a shared tag", tags: "free",
            expected: ["+carries `free`", "-carries no wanted tag", "-carries no wanted tag", "-carries no wanted tag"]),
        Case(
            testDescription: "every tag, in match-all", tags: "free, eu",
            expected: ["+carries every wanted tag", "-lacks `free`", "-lacks `free`", "-lacks `free`"],
            change: { $0.router.matchAny = false }),
        Case(
            testDescription: "excluded and required", tags: "!paid, &eu",
            expected: [
                "+required tags match", "-carries what `!paid` excludes", "-lacks what `&eu` requires",
                "-lacks what `&eu` requires",
            ]),
        Case(
            testDescription: "excluded only", tags: "!paid",
            expected: ["-not tagged default", "-carries what `!paid` excludes", "+not excluded", "-not tagged default"]),
        Case(
            testDescription: "an unknown tag", tags: "nope",
            expected: [
                "-carries no wanted tag", "-carries no wanted tag", "+unknown tags go to the default",
                "-carries no wanted tag",
            ]),
        Case(
            testDescription: "no tag", tags: "",
            expected: [
                "-not tagged default", "-not tagged default", "+untagged requests go to the default",
                "-not tagged default",
            ]),
        Case(
            testDescription: "no tag and no default, in strict semantics", tags: "",
            expected: [
                "-tagged, and the request is not", "-tagged, and the request is not", "-tagged, and the request is not",
                "+untagged, and no default",
            ],
            change: {
                $0.router.semantics = .strict
                $0.deployments[2].tags = ["x"]
            }),
        Case(
            testDescription: "filtering is off", tags: "free",
            expected: Array(repeating: "+tag filtering is off", count: 4),
            change: { $0.router.enableTagFiltering = false }),
        Case(
            testDescription: "by its id", tags: "free",
            expected: [
                "+carries `free`", "-another deployment was asked for by its id",
                "-another deployment was asked for by its id", "-another deployment was asked for by its id",
            ], model: "a"),
        Case(
            testDescription: "by its id, but not allowed", tags: "free",
            expected: [
                "-another deployment was asked for by its id", "-carries no wanted tag",
                "-another deployment was asked for by its id", "-another deployment was asked for by its id",
            ], model: "b"),
        Case(
            testDescription: "failing open", tags: "&none",
            expected: [
                "-not tagged default", "-not tagged default", "+no match, and the group may fail open",
                "-not tagged default",
            ], change: { $0.deployments[1].allowFailOpen = true }),
        Case(
            testDescription: "a pattern", tags: "",
            expected: [
                "-no pattern of it is found in the User-Agent", "+a pattern is found in the User-Agent",
                "-no pattern of it is found in the User-Agent", "-no pattern of it is found in the User-Agent",
            ], agent: "curl/8", change: { $0.deployments[1].tagPatterns = ["^User-Agent: curl/"] }),
        Case(
            testDescription: "a glob", tags: "team-x",
            expected: [
                "+carries `team-x`", "-carries no wanted tag", "-carries no wanted tag", "-carries no wanted tag",
            ],
            change: { $0.deployments[0].tags = ["team-*"] }),
    ]

    @Test(arguments: cases)
    func eachDeploymentIsToldWhy(_ c: Case) throws {
        var configuration = Configuration()
        configuration.router.enableTagFiltering = true
        configuration.deployments = [
            Self.deployment("a", ["free", "eu"]), Self.deployment("b", ["paid"]), Self.deployment("c", ["default"]),
            Self.deployment("d", []),
        ]
        c.change(&configuration)
        let table = RoutingTable(configuration)
        let name = Array(c.model.utf8)
        let resolution = try #require(table.resolve(name, 0..<name.count))
        let tags = RequestTags()
        let list = Array(c.tags.utf8)
        tags.add(list: list, 0..<list.count, table)
        let agent = c.agent.map { Array($0.utf8)[...] }
        let (reason, verdicts) = TagFilter.verdicts(table, resolution, tags, userAgent: agent)
        #expect(verdicts.map { ($0.isAllowed ? "+" : "-") + $0.reason } == c.expected)
        #expect(verdicts.map(\.deployment) == [0, 1, 2, 3])
        #expect((reason == nil) == !verdicts.contains(where: \.isAllowed))
    }
}

/// What is said of a choice is what choosing over and over comes to.
@Suite struct BalancerSharesTests {
    @Test(arguments: RoutingStrategy.allCases)
    func sharesAreWhatIsPicked(_ strategy: RoutingStrategy) {
        var random = SeededGenerator(seed: 7)
        for round in 0..<12 {
            var configuration = Configuration()
            configuration.router.strategy = strategy
            configuration.router.latencyBuffer = round % 2 == 0 ? 0 : 0.5
            let states = StatesTable()
            for index in 0..<(1 + round % 5) {
                var deployment = Deployment()
                deployment.modelName = "m"
                deployment.id = "\(index)"
                if round % 3 > 0 { deployment.weight = Double((index + round) % 4) }
                if round % 3 == 1 { deployment.rpm = 10 }
                if round % 4 > 1 { deployment.inputCost = Double(index % 2) }
                configuration.deployments.append(deployment)
                states.attempts[index] = index % 2
                states.latencies[index] = Int64(100 + 40 * index)
                states.usedTokens[index] = round % 2 * index
            }
            let table = RoutingTable(configuration)
            let all = configuration.deployments.indices.map { Int32($0) }
            let now = Instant(nanoseconds: 0)
            let shares = Balancer.shares(of: all, table, states, isStream: false, now: now)
            var picked = [Double](repeating: 0, count: all.count)
            for _ in 0..<4000 {
                let index = Balancer.pick(all, table, states, isStream: false, now: now, using: &random)
                picked[Int(index ?? 0)] += 1 / 4000
            }
            #expect(abs(shares.reduce(0, +) - 1) < 1e-9)
            for (share, frequency) in zip(shares, picked) {
                #expect(abs(share - frequency) < 0.04, "round \(round): \(shares) \(picked)")
            }
        }
    }
}
