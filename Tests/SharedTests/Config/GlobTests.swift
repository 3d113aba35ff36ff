import Testing

@testable import Shared

@Suite struct GlobTests {
    @Test(arguments: [
        ("*", "", ""), ("*", "a/b", "a/b"), ("team-*", "team-a", "a"), ("team-*", "team-", ""),
        ("*-eu", "gpt-eu", "gpt"),
        ("a*z", "abcz", "bc"), ("a*z", "az", ""), ("a**", "ab*", "b"), ("é*", "éa", "a"), ("openai/*", "openai/*", "*"),
    ])
    func captures(_ pattern: String, _ name: String, _ captured: String) {
        let bytes = Array("<\(name)>".utf8)
        let range = Glob(pattern).capture(bytes, 1..<bytes.count - 1)
        #expect(range.map { String(decoding: bytes[$0], as: UTF8.self) } == captured)
        #expect(Glob(pattern).matches(name))
    }

    @Test(arguments: [
        ("team-*", "team"), ("team-*", "Team-a"), ("team-*", "x-team-a"), ("*-eu", "gpt-eu2"), ("a*a", "a"),
        ("ab*bc", "abc"), ("a**", "ab"), ("?*", "a"),
    ])
    func doesNotMatch(_ pattern: String, _ name: String) {
        #expect(!Glob(pattern).matches(name))
        // What lies around the name does not help.
        let bytes = Array("\(pattern)\(name)\(pattern)".utf8)
        let start = pattern.utf8.count
        #expect(Glob(pattern).capture(bytes, start..<start + name.utf8.count) == nil)
    }

    @Test func theMoreItFixesTheMoreSpecificItIs() {
        let patterns = ["*", "a/*", "*-eu", "a/b-*", "a/*-eu"]
        #expect(patterns.map { Glob($0).specificity } == [0, 2, 3, 4, 5])
    }
}
