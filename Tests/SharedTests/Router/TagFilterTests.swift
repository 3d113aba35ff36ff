import Testing

@testable import Shared

/// Which deployments of a group a request's tags allow: every rule of the reference's tag routing, and where Tagway
/// deviates from it.
@Suite struct TagFilterTests {
    /// A deployment of the group, by its id.
    struct Member: Sendable {
        var id: String
        var tags: [String]
        var patterns: [String]

        init(_ id: String, _ tags: [String] = [], patterns: [String] = []) {
            self.id = id
            self.tags = tags
            self.patterns = patterns
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var group: [Member]
        /// As in the header: separated by commas.
        var tags: String
        var agent: String?
        /// Ids; none at all when the request is refused.
        var allowed: [String]
        var reason: TagFilter.Reason?
        var change: @Sendable (inout Configuration) -> Void = { _ in }

        init(
            _ description: String, _ group: [Member], tags: String = "", agent: String? = nil, allowed: [String],
            _ reason: TagFilter.Reason? = nil, change: @escaping @Sendable (inout Configuration) -> Void = { _ in }
        ) {
            testDescription = description
            self.group = group
            self.tags = tags
            self.agent = agent
            self.allowed = allowed
            self.reason = reason
            self.change = change
        }
    }

    static func table(_ group: [Member], _ change: (inout Configuration) -> Void) -> RoutingTable {
        var configuration = Configuration()
        configuration.router.enableTagFiltering = true
        for member in group {
            var deployment = Deployment()
            deployment.modelName = "m"
            deployment.id = member.id
            deployment.tags = member.tags
            deployment.tagPatterns = member.patterns
            configuration.deployments.append(deployment)
        }
        change(&configuration)
        return RoutingTable(configuration)
    }

    /// The ids that `name` stands for, for a request with `tags`.
    static func select(
        _ table: RoutingTable, _ group: [Member], _ name: String = "m", tags: String, agent: String? = nil
    ) throws -> (ids: [String], reason: TagFilter.Reason?) {
        let bytes = Array(name.utf8)
        let resolution = try #require(table.resolve(bytes, 0..<bytes.count))
        let wanted = RequestTags()
        let list = Array(tags.utf8)
        wanted.add(list: list, 0..<list.count, table)
        var allowed: [Int32] = []
        let reason = TagFilter.select(
            table, resolution, wanted, userAgent: agent.map { Array($0.utf8)[...] }, into: &allowed)
        return (allowed.map { group[Int($0)].id }, reason)
    }

    private static let tiers = [Member("free", ["free"]), Member("paid", ["paid"])]
    private static let withDefault = [
        Member("free", ["free"]), Member("paid", ["paid"]), Member("default", ["default"]), Member("plain"),
    ]
    private static let agents = [
        Member("claude", patterns: ["^User-Agent: claude-code"]), Member("default", ["default"]),
    ]

    static let cases: [Case] = [
        // Switched off.
        Case(
            "filtering is off: everybody", tiers, tags: "free", allowed: ["free", "paid"], .filteringOff,
            change: { $0.router.enableTagFiltering = false }),
        Case(
            "the group's switch turns filtering on", tiers, tags: "free", allowed: ["free"], .matched,
            change: {
                $0.router.enableTagFiltering = false
                $0.deployments[1].enableTagFiltering = true
            }),
        Case(
            "the group's switch turns filtering off", tiers, tags: "free", allowed: ["free", "paid"], .filteringOff,
            change: { $0.deployments[0].enableTagFiltering = false }),
        Case(
            "the first switch of a group wins", tiers, tags: "free", allowed: ["free", "paid"], .filteringOff,
            change: {
                $0.deployments[0].enableTagFiltering = false
                $0.deployments[1].enableTagFiltering = true
            }),

        // Wanted tags, match-any.
        Case("a tag picks its deployment", tiers, tags: "free", allowed: ["free"], .matched),
        Case("the other tag picks the other", tiers, tags: "paid", allowed: ["paid"], .matched),
        Case("two tags reach both", tiers, tags: "free,paid", allowed: ["free", "paid"], .matched),
        Case(
            "one shared tag of two is enough", [Member("ab", ["a", "b"]), Member("c", ["c"])], tags: "a,x",
            allowed: ["ab"],
            .matched),
        Case("tags are compared exactly", tiers, tags: "Free", allowed: []),
        Case("blanks within a tag count", tiers, tags: "fr ee", allowed: []),
        Case("a known tag wins although a default exists", withDefault, tags: "paid", allowed: ["paid"], .matched),

        // Wanted tags, match-all.
        Case(
            "match-all: the request's tags are a part of the deployment's",
            [Member("ab", ["a", "b"]), Member("a", ["a"])],
            tags: "a,b", allowed: ["ab"], .matched, change: { $0.router.matchAny = false }),
        Case(
            "match-all: one tag reaches all that carry it", [Member("ab", ["a", "b"]), Member("a", ["a"])], tags: "a",
            allowed: ["ab", "a"], .matched, change: { $0.router.matchAny = false }),
        Case(
            "match-all: any extra tag refuses", [Member("ab", ["a", "b"])], tags: "a,b,c", allowed: [],
            change: { $0.router.matchAny = false }),
        Case(
            "match-all: known tags that nobody carries together refuse, although a default exists",
            [Member("a", ["a"]), Member("b", ["b"]), Member("d", ["default"])], tags: "a,b", allowed: [],
            change: { $0.router.matchAny = false }),

        // Unknown tags.
        Case("an unknown tag goes to the default", withDefault, tags: "x", allowed: ["default"], .defaultForUnknown),
        Case("an unknown tag without a default is refused", tiers, tags: "x", allowed: []),
        Case(
            "an unknown and a known tag: the known one counts", withDefault, tags: "x,free", allowed: ["free"], .matched
        ),
        Case(
            "an untagged deployment is never matched by a wanted tag", [Member("plain")], tags: "x", allowed: []),
        Case(
            "the tag default is a tag like others", withDefault, tags: "default", allowed: ["default"], .matched),
        Case(
            "the tag default with no default is unknown", tiers, tags: "default", allowed: []),

        // No tags.
        Case("untagged: the default", withDefault, allowed: ["default"], .defaultForUntagged),
        Case(
            "untagged without a default: all, tagged ones too", tiers + [Member("plain")],
            allowed: ["free", "paid", "plain"], .allForUntagged),
        Case(
            "untagged, strict: untagged deployments only", tiers + [Member("plain")], allowed: ["plain"],
            .allForUntagged,
            change: { $0.router.semantics = .strict }),
        Case(
            "untagged, strict, only tagged deployments: refused", tiers, allowed: [],
            change: { $0.router.semantics = .strict }),
        Case(
            "strict changes nothing where a default exists", withDefault, allowed: ["default"], .defaultForUntagged,
            change: { $0.router.semantics = .strict }),

        // Excluded and required tags.
        Case("excluded without a default: all but those", tiers, tags: "!paid", allowed: ["free"], .notExcluded),
        Case(
            "excluded with a default: the default", withDefault, tags: "!paid", allowed: ["default"], .notExcluded),
        Case(
            "excluding the only default refuses", withDefault, tags: "!default", allowed: []),
        Case(
            "a default with an excluded tag does not count",
            [Member("d1", ["default", "eu"]), Member("d2", ["default"])],
            tags: "!eu", allowed: ["d2"], .notExcluded),
        Case("excluding an unknown tag excludes nobody", tiers, tags: "!x", allowed: ["free", "paid"], .notExcluded),
        Case("excluding everybody refuses", tiers, tags: "!free,!paid", allowed: []),
        Case(
            "required: those that carry all of them", [Member("ab", ["a", "b"]), Member("a", ["a"])], tags: "&a,&b",
            allowed: ["ab"], .required),
        Case("required and unknown: refused, although a default exists", withDefault, tags: "&x", allowed: []),
        Case(
            "required and excluded", [Member("ab", ["a", "b"]), Member("a", ["a"])], tags: "&a,!b", allowed: ["a"],
            .required),
        Case(
            "required and wanted", [Member("ab", ["a", "b"]), Member("a", ["a"]), Member("b", ["b"])], tags: "&a,b",
            allowed: ["ab"], .matched),
        Case(
            "wanted, but the only carrier is excluded: refused, although a default exists",
            [Member("ab", ["a", "b"]), Member("d", ["default"])], tags: "a,!b", allowed: []),
        Case(
            "an unknown wanted tag goes to a default that is not excluded",
            [Member("d1", ["default", "eu"]), Member("d2", ["default"])], tags: "x,!eu", allowed: ["d2"],
            .defaultForUnknown),
        Case(
            "an unknown wanted tag and a required one: a default that carries it",
            [Member("d1", ["default", "eu"]), Member("d2", ["default"])], tags: "x,&eu", allowed: ["d1"],
            .defaultForUnknown),
        Case("a lone mark is nothing", tiers, tags: "!,&", allowed: ["free", "paid"], .allForUntagged),
        Case("a mark within a tag is a part of it", [Member("a!b", ["a!b"])], tags: "a!b", allowed: ["a!b"], .matched),
        Case(
            "two marks: the second is a part of the tag", [Member("x", ["!a"]), Member("y", ["a"])], tags: "!!a",
            allowed: ["y"], .notExcluded),
        Case("wanted and excluded at once: excluded", tiers, tags: "free,!free", allowed: []),

        // User agents.
        Case(
            "a matching agent reaches its deployment", agents, agent: "claude-code/1.0", allowed: ["claude"], .matched),
        Case(
            "another agent goes to the default", agents, agent: "curl/8", allowed: ["default"], .defaultForUnknown),
        Case("no agent goes to the default", agents, allowed: ["default"], .defaultForUntagged),
        Case(
            "without a default, another agent is refused, untagged or not", [agents[0], Member("plain")],
            agent: "curl/8",
            allowed: []),
        Case(
            "without a default, no agent reaches all", [agents[0], Member("plain")], allowed: ["claude", "plain"],
            .allForUntagged),
        Case(
            "patterns are searched, not matched in full", [Member("x", patterns: ["code/[0-9]"])],
            agent: "claude-code/1",
            allowed: ["x"], .matched),
        Case(
            "patterns see the field's name", [Member("x", patterns: ["^User-Agent: curl"])], agent: "curl",
            allowed: ["x"],
            .matched),
        Case(
            "patterns are case-sensitive", [Member("x", patterns: ["Claude"])], agent: "claude-code", allowed: []),
        Case(
            "any of several patterns is enough", [Member("x", patterns: ["wget", "curl"])], agent: "curl/8",
            allowed: ["x"],
            .matched),
        Case(
            "a tag and an agent: both reach their deployment",
            [Member("free", ["free"]), Member("claude", patterns: ["claude"])], tags: "free", agent: "claude-code",
            allowed: ["free", "claude"], .matched),
        Case(
            "match-all: a deployment with tags is not reached by its pattern",
            [Member("both", ["a"], patterns: ["claude"]), Member("d", ["default"])], agent: "claude-code",
            allowed: ["d"],
            .defaultForUnknown, change: { $0.router.matchAny = false }),
        Case(
            "match-all: a deployment with patterns only is",
            [Member("only", patterns: ["claude"]), Member("d", ["default"])], agent: "claude-code", allowed: ["only"],
            .matched, change: { $0.router.matchAny = false }),
        Case(
            "match-any: a deployment with tags is reached by its pattern",
            [Member("both", ["a"], patterns: ["claude"]), Member("d", ["default"])], agent: "claude-code",
            allowed: ["both"], .matched),
        Case(
            "a known tag that nobody may serve is refused, whatever the agent",
            [Member("a", ["a", "b"]), Member("d", ["default"]), Member("x", patterns: ["wget"])], tags: "a,!b",
            agent: "curl", allowed: []),
        Case(
            "required tags only: agents are not looked at",
            [Member("a", ["a"]), Member("claude", patterns: ["claude"])], tags: "&a", agent: "claude-code",
            allowed: ["a"], .required),
        Case(
            "excluded tags and an agent: a pattern of what is not excluded",
            [Member("x", ["eu"], patterns: ["claude"]), Member("y", patterns: ["claude"])], tags: "!eu",
            agent: "claude-code", allowed: ["y"], .matched),
        Case(
            "agents without any pattern in the group do nothing", tiers, agent: "curl/8", allowed: ["free", "paid"],
            .allForUntagged),

        // Failing open.
        Case(
            "may fail open: an unknown tag reaches the default", withDefault, tags: "free,!free", allowed: ["default"],
            .failedOpen, change: { $0.deployments[3].allowFailOpen = true }),
        Case(
            "may fail open without a default: everybody", tiers, tags: "x", allowed: ["free", "paid"], .failedOpen,
            change: { $0.deployments[0].allowFailOpen = true }),
        Case(
            "may fail open, and need not", tiers, tags: "free", allowed: ["free"], .matched,
            change: { $0.deployments[1].allowFailOpen = true }),

        // The prefix.
        Case(
            "a prefixed tag is used without its prefix", tiers, tags: "route:free", allowed: ["free"], .matched,
            change: { $0.router.tagPrefix = "route:" }),
        Case(
            "a prefixed unknown tag is a wish, and does not fall to the default", withDefault, tags: "route:x",
            allowed: [],
            change: { $0.router.tagPrefix = "route:" }),
        Case(
            "an unprefixed unknown tag does", withDefault, tags: "x", allowed: ["default"], .defaultForUnknown,
            change: { $0.router.tagPrefix = "route:" }),
        Case(
            "unprefixed tags route as well", withDefault, tags: "free", allowed: ["free"], .matched,
            change: { $0.router.tagPrefix = "route:" }),
        Case(
            "the prefix stands before the mark", tiers, tags: "route:!free", allowed: ["paid"], .notExcluded,
            change: { $0.router.tagPrefix = "route:" }),
        Case(
            "behind the mark it is a part of the tag", tiers, tags: "!route:free", allowed: ["free", "paid"],
            .notExcluded, change: { $0.router.tagPrefix = "route:" }),
        Case(
            "a lone prefix is nothing", tiers, tags: "route:", allowed: ["free", "paid"], .allForUntagged,
            change: { $0.router.tagPrefix = "route:" }),

        // What is not configured is filtered like the rest: an outage is not a refusal.
        Case(
            "an unconfigured deployment keeps its tags known", withDefault, tags: "free", allowed: ["free"], .matched,
            change: { $0.deployments[0].unconfigured = "KEY is not set" }),
    ]

    @Test(arguments: cases)
    func allowsWhatTheTagsAllow(_ c: Case) throws {
        let table = Self.table(c.group, c.change)
        let (ids, reason) = try Self.select(table, c.group, tags: c.tags, agent: c.agent)
        #expect(ids == c.allowed)
        #expect(reason == c.reason)
    }

    /// Deviation: the reference lets an id skip the filter. Here an id opens nothing that its group does not.
    @Test(arguments: cases)
    func anIdOpensNoDoor(_ c: Case) throws {
        let table = Self.table(c.group, c.change)
        for member in c.group {
            let (ids, reason) = try Self.select(table, c.group, member.id, tags: c.tags, agent: c.agent)
            #expect(ids == (c.allowed.contains(member.id) ? [member.id] : []), "\(member.id)")
            #expect((reason == nil) == ids.isEmpty)
        }
    }

    /// The agent is searched up to a bound, so that a caller cannot make the search long.
    @Test func longAgentsAreCut() throws {
        let group = [Member("x", patterns: ["needle"])]
        let table = Self.table(group) { _ in }
        let near = String(repeating: "y", count: 1000) + "needle"
        let far = String(repeating: "y", count: 1020) + "needle"
        #expect(try Self.select(table, group, tags: "", agent: near).ids == ["x"])
        #expect(try Self.select(table, group, tags: "", agent: far).ids == [])
    }

    /// Whatever the group and the request, what is allowed meets the request's constraints.
    @Test func nobodyIsAllowedAgainstTheConstraints() throws {
        var random = FastRandom(seed: 17)
        let names = ["a", "b", "c", "default", "zz"]
        func some(_ count: ClosedRange<Int>) -> [String] {
            (0..<Int.random(in: count, using: &random)).map { _ in
                names[Int.random(in: 0..<names.count, using: &random)]
            }
        }
        for round in 0..<3000 {
            let group = (0..<Int.random(in: 1...5, using: &random)).map { Member("id\($0)", some(0...3)) }
            let tags = some(0...4).map { tag in
                ["", "", "!", "&"][Int.random(in: 0..<4, using: &random)] + tag
            }
            let matchAny = Bool.random(using: &random)
            let strict = Bool.random(using: &random)
            let table = Self.table(group) {
                $0.router.matchAny = matchAny
                $0.router.semantics = strict ? .strict : .litellm
            }
            let (ids, reason) = try Self.select(table, group, tags: tags.joined(separator: ","))
            #expect(ids.isEmpty == (reason == nil), "round \(round)")
            for id in ids {
                let carried = group.first { $0.id == id }?.tags ?? []
                let what = "round \(round): \(id) \(carried) for \(tags)"
                for tag in tags where tag.hasPrefix("!") {
                    #expect(!carried.contains(String(tag.dropFirst())), "\(what)")
                }
                for tag in tags where tag.hasPrefix("&") {
                    #expect(carried.contains(String(tag.dropFirst())), "\(what)")
                }
                let wanted = tags.filter { !$0.hasPrefix("!") && !$0.hasPrefix("&") }
                if reason == .matched, !wanted.isEmpty {
                    #expect(
                        matchAny
                            ? wanted.contains(where: carried.contains) : wanted.allSatisfy(carried.contains), "\(what)")
                }
                if tags.isEmpty, strict { #expect(carried.isEmpty || carried.contains("default"), "\(what)") }
            }
        }
    }
}
