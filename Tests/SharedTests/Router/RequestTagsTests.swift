import Testing

@testable import Shared

@Suite struct RequestTagsTests {
    private static func table(prefix: String = "") -> RoutingTable {
        TagFilterTests.table([TagFilterTests.Member("one", ["free"])]) { $0.router.tagPrefix = prefix }
    }

    private func tags(list: String, prefix: String = "") -> RequestTags {
        let tags = RequestTags()
        let bytes = Array("<\(list)>".utf8)
        tags.add(list: bytes, 1..<bytes.count - 1, Self.table(prefix: prefix))
        return tags
    }

    @Test(arguments: [
        ("free", "['free']"), ("free,paid", "['free', 'paid']"), (" free ,\tpaid\t", "['free', 'paid']"),
        ("free,free", "['free']"), ("free,,paid,", "['free', 'paid']"), ("", "[]"), (",", "[]"), (" , ", "[]"),
        ("a b", "['a b']"), ("[\"free\"]", "['[\"free\"]']"), ("!free,&paid", "['!free', '&paid']"), ("!", "[]"),
        ("&,!", "[]"), ("é", "['é']"), ("Free,free", "['Free', 'free']"), ("free;paid", "['free;paid']"),
    ])
    func aHeaderIsSplitAtCommas(_ list: String, _ description: String) {
        #expect(tags(list: list).description == description)
    }

    @Test func marksTellTagsApart() {
        let kinds = tags(list: "a,!b,&c,!!d").tags.map(\.kind)
        #expect(kinds == [.wanted, .excluded, .required, .excluded])
    }

    @Test func knownTagsHaveTheirNumber() {
        let found = tags(list: "free,!free,&free,other,default").tags.map(\.number)
        #expect(found[0] >= 0)
        #expect(found[0] == found[1] && found[1] == found[2])
        #expect(found[3] == -1)
        #expect(found[4] == 0)
    }

    @Test func thePrefixMakesAWish() {
        let found = tags(list: "p:free,free2,p:!x,p:", prefix: "p:").tags
        #expect(found.map(\.isWish) == [true, false, true])
        #expect(found.map(\.kind) == [.wanted, .wanted, .excluded])
        #expect(found[0].number >= 0)
    }

    /// As the caller wrote it, for the log and the refusal.
    @Test func textsAreTheCallers() {
        #expect(tags(list: "p:!x,free", prefix: "p:").description == "['p:!x', 'free']")
        #expect(String(decoding: tags(list: "x,y").firstText, as: UTF8.self) == "x")
        #expect(tags(list: "").firstText.isEmpty)
    }

    @Test func tagsAreUsedAgain() {
        let tags = tags(list: "a,b")
        tags.removeAll()
        #expect(tags.isEmpty)
        let bytes = Array("c".utf8)
        tags.add(bytes, 0..<1, Self.table())
        #expect(tags.description == "['c']")
    }

    @Test func manyTagsAreKeptInOrder() {
        let names = (0..<200).map { "t\($0)" }
        #expect(tags(list: names.joined(separator: ",")).tags.count == 200)
    }
}

@Suite struct RoutingTableTests {
    private func table(
        _ names: [String], aliases: [ModelAlias] = [], leftOut: [LeftOutGroup] = []
    ) -> RoutingTable {
        var configuration = Configuration()
        for (index, name) in names.enumerated() {
            var deployment = Deployment()
            deployment.modelName = name
            deployment.id = "id-\(index)"
            configuration.deployments.append(deployment)
        }
        configuration.router.aliases = aliases
        configuration.leftOut = leftOut
        return RoutingTable(configuration)
    }

    /// The group's name and what a `*` stands for.
    private func resolve(_ table: RoutingTable, _ name: String) -> (group: String, capture: String?, only: Int32)? {
        let bytes = Array("<\(name)>".utf8)
        guard let found = table.resolve(bytes, 1..<bytes.count - 1) else { return nil }
        return (table.groupName(found), found.capture.map { String(decoding: bytes[$0], as: UTF8.self) }, found.only)
    }

    @Test func namesAliasesAndIdsAreFound() {
        let table = table(
            ["gpt-4", "gpt-4", "other"],
            aliases: [
                ModelAlias(name: "best", target: "other", isHidden: false),
                ModelAlias(name: "secret", target: "gpt-4", isHidden: true),
                ModelAlias(name: "dangling", target: "gone", isHidden: false),
            ])
        #expect(resolve(table, "gpt-4")?.group == "gpt-4")
        #expect(resolve(table, "gpt-4")?.only == -1)
        #expect(resolve(table, "best")?.group == "other")
        #expect(resolve(table, "secret")?.group == "gpt-4")
        #expect(resolve(table, "id-1")?.only == 1)
        for name in ["", "gpt", "gpt-4 ", "GPT-4", "dangling", "gone", "id-3"] { #expect(resolve(table, name) == nil) }
        #expect(table.visibleModels == ["gpt-4", "other", "best"])
    }

    @Test(
        arguments: [
            ("gpt-4", "gpt-4", nil), ("gpt-5", "gpt-*", "5"), ("openai/x/y", "openai/*", "x/y"),
            ("openai/", "openai/*", ""),
            ("anything", "*", "anything"), ("a-mini", "*-mini", "a"), ("gpt--mini", "gpt-*-mini", ""),
            ("gpt-4-mini", "gpt-*-mini", "4"), ("gpt-mini", "*-mini", "gpt"), ("é", "*", "é"),
        ] as [(String, String, String?)])
    func theMostSpecificWildcardWins(_ name: String, _ group: String, _ capture: String?) {
        let table = table(["*", "gpt-*", "gpt-4", "openai/*", "*-mini", "gpt-*-mini"])
        let found = resolve(table, name)
        #expect(found?.group == group)
        #expect(found?.capture == capture)
    }

    @Test func groupsThatWereLeftOutSayWhy() {
        let table = table(["a"], leftOut: [LeftOutGroup(modelName: "b", reason: "why")])
        let name = Array("b".utf8)
        #expect(table.resolve(name, 0..<1) == nil)
        #expect(table.reasonLeftOut(name, 0..<1) == "why")
        #expect(table.reasonLeftOut(Array("a".utf8), 0..<1) == nil)
    }
}
