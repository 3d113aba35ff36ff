import Testing

@testable import Shared

/// Who stands in for a group: docs/configuration.md, `fallbacks`.
@Suite struct FallbackTableTests {
    static func table(_ change: (inout FallbackSettings) -> Void) -> RoutingTable {
        var configuration = Configuration()
        for (index, name) in ["a", "b", "c", "w/*"].enumerated() {
            var deployment = Deployment()
            deployment.modelName = name
            deployment.id = "id-\(index)"
            configuration.deployments.append(deployment)
        }
        configuration.router.aliases = [ModelAlias(name: "alias", target: "a", isHidden: false)]
        change(&configuration.router.fallbacks)
        return RoutingTable(configuration)
    }

    private func targets(
        _ table: RoutingTable, _ kind: FallbackTable.Kind = .general, of name: String, _ group: String? = nil
    ) -> [String] {
        table.fallbacks.targets(after: kind, of: Array(name.utf8), group ?? name).map(\.name)
    }

    @Test func aGroupHasItsOwnThenThoseOfAnyThenTheDefaults() {
        let own = Self.table {
            $0.rules = [.init(group: "a", targets: ["b", "c"]), .init(group: "b", targets: [])]
            $0.defaults = ["c"]
        }
        #expect(targets(own, of: "a") == ["b", "c"])
        #expect(targets(own, of: "b") == [])
        #expect(targets(own, of: "c") == ["c"])
        let any = Self.table {
            $0.rules = [.init(group: "*", targets: ["b"]), .init(group: "a", targets: ["c"])]
            $0.defaults = ["a"]
        }
        #expect(targets(any, of: "a") == ["c"])
        #expect(targets(any, of: "c") == ["b"])
    }

    @Test func anAliasHasNoFallbacksOfItsTarget() {
        let table = Self.table { $0.rules = [.init(group: "a", targets: ["b"])] }
        #expect(targets(table, of: "alias", "a") == [])
    }

    @Test func aWildcardStandsForTheNamesItMatches() {
        let table = Self.table {
            $0.rules = [.init(group: "w/*", targets: ["a"]), .init(group: "w/own", targets: ["b"])]
        }
        #expect(targets(table, of: "w/x", "w/*") == ["a"])
        #expect(targets(table, of: "w/own", "w/*") == ["b"])
        #expect(targets(table, of: "x", "a") == [])
    }

    @Test func targetsMayBeAnyName() {
        let table = Self.table { $0.defaults = ["gone", "alias", "id-1", "w/x"] }
        let found = table.fallbacks.targets(after: .general, of: Array("a".utf8), "a")
        #expect(found.map(\.name) == ["alias", "id-1", "w/x"])
        #expect(found.map(\.resolution.group) == [0, 1, 3])
        #expect(found.map(\.resolution.only) == [-1, 1, -1])
        #expect(found[2].resolution.capture == 2..<3)
    }

    /// A list of its own, where there is one, is the only one that counts.
    @Test func someFailuresHaveAListOfTheirOwn() {
        let rules = [FallbackRule(group: "a", targets: ["b"])]
        let general = Self.table {
            $0.rules = rules
            $0.defaults = ["c"]
        }
        for kind in [FallbackTable.Kind.contextWindow, .contentPolicy] {
            #expect(targets(general, kind, of: "a") == ["b"])
            #expect(targets(general, kind, of: "b") == ["c"])
            #expect(!general.fallbacks.hasList(for: kind))
        }
        let own = Self.table {
            $0.rules = rules
            $0.defaults = ["c"]
            $0.contextWindow = [.init(group: "a", targets: ["c"])]
            $0.contentPolicy = [.init(group: "*", targets: ["a"])]
        }
        #expect(targets(own, .contextWindow, of: "a") == ["c"])
        #expect(targets(own, .contextWindow, of: "b") == [])
        #expect(targets(own, .contentPolicy, of: "b") == ["a"])
        #expect(targets(own, of: "a") == ["b"])
        #expect(own.fallbacks.hasList(for: .contextWindow) && own.fallbacks.hasList(for: .contentPolicy))
        #expect(own.fallbacks.hasList(for: .general))
    }

    @Test func anEmptyTableSaysSo() {
        #expect(Self.table { _ in }.fallbacks.isEmpty)
        #expect(!Self.table { $0.defaults = ["a"] }.fallbacks.isEmpty)
        #expect(!Self.table { $0.rules = [.init(group: "a", targets: ["b"])] }.fallbacks.isEmpty)
        #expect(!Self.table { $0.contentPolicy = [.init(group: "a", targets: ["b"])] }.fallbacks.isEmpty)
    }
}

@Suite struct FallbackChainTests {
    private let table = FallbackTableTests.table { _ in }

    private func target(_ name: String) throws -> FallbackTable.Target {
        let bytes = Array(name.utf8)
        return .init(name: name, resolution: try #require(table.resolve(bytes, 0..<bytes.count)))
    }

    /// The names asked, in order, when `after` tells who stands in for each.
    private func run(_ first: String, depth: Int, _ after: [String: [String]]) throws -> [String] {
        var chain = FallbackChain()
        chain.begin(at: try target(first), maximumDepth: depth)
        var asked: [String] = []
        var current = (name: first, depth: 0)
        while asked.count < 100 {
            chain.add(try (after[current.name] ?? []).map { (try target($0), nil) }, behind: current.depth)
            guard let step = chain.next() else { break }
            current = (step.target.name, step.depth)
            asked.append("\(current.name)\(current.depth)")
        }
        return asked
    }

    @Test func goesDeepBeforeItGoesOn() throws {
        #expect(try run("a", depth: 5, ["a": ["b", "id-3"], "b": ["c"]]) == ["b1", "c2", "id-31"])
    }

    @Test func eachGroupIsAskedOnce() throws {
        #expect(try run("a", depth: 5, ["a": ["a", "b", "b"], "b": ["a", "c"], "c": ["b", "a"]]) == ["b1", "c2"])
        // By whatever name; an id is another question.
        #expect(try run("alias", depth: 5, ["alias": ["a", "b", "id-1"]]) == ["b1", "id-11"])
        // So is another model of a wildcard.
        #expect(try run("w/x", depth: 5, ["w/x": ["w/x", "w/y", "w/y"]]) == ["w/y1"])
    }

    @Test func depthIsLimited() throws {
        let after = ["a": ["b"], "b": ["c"], "c": ["w/x"]]
        #expect(try run("a", depth: 0, after) == [])
        #expect(try run("a", depth: 1, after) == ["b1"])
        #expect(try run("a", depth: 3, after) == ["b1", "c2", "w/x3"])
    }

    /// With a client's own messages even the same group is another question, but the same question is asked once.
    @Test func ownMessagesAreAskedOnce() throws {
        var chain = FallbackChain()
        let same = try target("a")
        chain.begin(at: same, maximumDepth: 5)
        let list: [(target: FallbackTable.Target, own: Range<Int>?)] = [(same, 10..<20), (same, 30..<40)]
        chain.add(list, behind: 0)
        var asked: [Range<Int>?] = []
        while asked.count < 100, let step = chain.next() {
            asked.append(step.own)
            chain.add(list, behind: step.depth)
        }
        #expect(asked == [10..<20, 30..<40])
    }

    @Test func aChainBeginsAnew() throws {
        var chain = FallbackChain()
        chain.begin(at: try target("a"), maximumDepth: 5)
        chain.add([(try target("b"), nil), (try target("c"), 1..<2)], behind: 0)
        #expect(chain.next()?.target.name == "b")
        chain.begin(at: try target("c"), maximumDepth: 5)
        #expect(chain.next() == nil)
        chain.add([(try target("b"), nil), (try target("c"), 1..<2)], behind: 0)
        #expect(chain.next()?.target.name == "b")
        #expect(chain.next()?.own == 1..<2)
    }
}
