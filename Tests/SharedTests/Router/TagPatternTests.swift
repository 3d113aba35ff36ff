import Foundation
import Testing

@testable import Shared

@Suite struct TagPatternTests {
    private func isFound(_ pattern: String, _ text: String) throws -> Bool {
        try TagPattern(pattern).isFound(in: Array(text.utf8))
    }

    // MARK: Against Python's re

    /// A pattern with what `re.search` says of some texts; without texts where `re.compile` refuses it.
    private struct Fixture: Decodable {
        var pattern: String
        var texts: [(text: String, found: Bool)]?

        private struct Pair: Decodable {
            var text: String
            var found: Bool

            init(from decoder: any Decoder) throws {
                var container = try decoder.unkeyedContainer()
                text = try container.decode(String.self)
                found = try container.decode(Bool.self)
            }
        }

        init(from decoder: any Decoder) throws {
            var container = try decoder.unkeyedContainer()
            pattern = try container.decode(String.self)
            texts = try container.decode([Pair]?.self)?.map { ($0.text, $0.found) }
        }
    }

    private static func fixtures() throws -> [Fixture] {
        let file = URL(filePath: #filePath).appending(path: "../../../Fixtures/tag-patterns.json").standardized
        return try JSONDecoder().decode([Fixture].self, from: Data(contentsOf: file))
    }

    /// Valid for Python, and refused here: what cannot be searched in linear time, and what is not worth its code.
    private static func isBeyondUs(_ pattern: String) -> Bool {
        let beyond = [
            "(?=", "(?!", "(?<", "(?>", "(?(", "(?#", "(?P=", "(?i:", "(?x)", "(?s)", "(?m)", "(?a", #"\N{"#,
            #"\u0061"#,
            "++", "*+", "?+", "}+", #"\1"#, #"\0"#, #"[\b]"#,
        ]
        return beyond.contains { pattern.contains($0) }
    }

    @Test func findsWhatPythonFinds() throws {
        var compared = 0
        for fixture in try Self.fixtures() {
            guard let texts = fixture.texts, let pattern = try? TagPattern(fixture.pattern) else { continue }
            for (text, found) in texts {
                #expect(pattern.isFound(in: Array(text.utf8)) == found, "\(fixture.pattern) in \(text)")
                compared += 1
            }
        }
        #expect(compared > 10_000)
    }

    @Test func refusesWhatPythonRefuses() throws {
        for fixture in try Self.fixtures() where fixture.texts == nil {
            #expect((try? TagPattern(fixture.pattern)) == nil, "\(fixture.pattern)")
        }
    }

    @Test func takesWhatPythonTakesButForWhatIsNamed() throws {
        for fixture in try Self.fixtures() where fixture.texts != nil {
            let isTaken = (try? TagPattern(fixture.pattern)) != nil
            if !isTaken { #expect(Self.isBeyondUs(fixture.pattern), "\(fixture.pattern)") }
        }
    }

    // MARK: Syntax

    @Test(arguments: [
        ("(", "a missing )", 1), ("(a", "a missing )", 2), (")", "an unmatched )", 0), ("a)b", "an unmatched )", 1),
        ("[a", "a missing ]", 2), ("[]", "a missing ]", 2), ("*a", "nothing to repeat", 0),
        ("a|*", "nothing to repeat", 2),
        ("a**", "a repetition of a repetition", 2), ("a{2}{3}", "a repetition of a repetition", 4),
        ("a{3,2}", "a repetition whose maximum is below its minimum", 1),
        ("a{1001}", "a repetition of more than 1000", 1),
        ("\\", "a backslash at the end", 1), ("\\q", "an unknown escape, or a backreference", 1),
        ("(a)\\1", "an unknown escape, or a backreference", 4), ("\\x4", "\\x needs two hexadecimal digits", 2),
        ("[b-a]", "a range that runs backwards", 4), ("^*", "nothing to repeat", 1), ("{2}", "nothing to repeat", 0),
        ("[\\d-a]", "a range that begins with a class", 3), ("(?P<1>a)", "a group name that is no identifier", 2),
        ("(?P<a>b)(?P<a>c)", "a group name that another has", 10),
        ("(?=a)", "lookaround, backreferences and flags within a pattern are not supported", 2),
        ("(?<!a)", "lookaround, backreferences and flags within a pattern are not supported", 2),
        ("a(?i)", "lookaround, backreferences and flags within a pattern are not supported", 3),
    ])
    func saysWhatIsWrongAndWhere(_ pattern: String, _ reason: String, _ offset: Int) throws {
        let error = try #require(throws: TagPattern.SyntaxError.self) { try TagPattern(pattern) }
        #expect(error == TagPattern.SyntaxError(reason: reason, offset: offset))
    }

    @Test func sizeAndNestingAreBounded() {
        let deep = String(repeating: "(", count: 60) + String(repeating: ")", count: 60)
        #expect(throws: TagPattern.SyntaxError.self) { try TagPattern(deep) }
        for large in [
            "(a{1000}){1000}", "((a{100}){100}){100}", String(repeating: "a", count: 6000), "(((a{9}){9}){9}){9}",
        ] {
            #expect(throws: TagPattern.SyntaxError.self, "\(large.prefix(30))") { try TagPattern(large) }
        }
    }

    /// A repetition repeats the whole character, not its last byte.
    @Test(arguments: [
        ("é+$", "éé", true), ("^é*$", "\u{E9}é", true), ("^é{2}$", "éé", true), ("^é?x", "x", true),
        ("日本", "x日本x", true),
        ("^(日|本)+$", "本日", true), ("é", "e", false), ("^.{2}$", "é", true),
    ])
    func charactersBeyondASCIIAreWhole(_ pattern: String, _ text: String, _ found: Bool) throws {
        #expect(try isFound(pattern, text) == found)
    }

    /// A set of bytes cannot hold a character of several.
    @Test(arguments: ["[é]", "[^é]", "[a-é]", "[日本]"])
    func classesBeyondASCIIAreRefused(_ pattern: String) {
        #expect(throws: TagPattern.SyntaxError.self) { try TagPattern(pattern) }
    }

    // MARK: Time

    /// Patterns that make backtracking engines run for ages, with texts that fail at the very end.
    static let hostile: [(pattern: String, unit: String)] = [
        ("^(a+)+$", "a"), ("^(a|a)*$", "a"), ("^(a|aa)+$", "a"), ("^(a*)*b$", "a"), ("^(.*)*x$", "a"),
        ("(a?){25}a{25}$", "a"), ("^([a-zA-Z]+)*$", "aB"), ("(.*)(.*)(.*)(.*)[^a]y$", "a"), ("^(\\w+\\s?)*$", "a b"),
        (".*.*.*=.*", "="), ("(x+x+)+y", "x"),
    ]

    @Test(arguments: hostile.map(\.pattern))
    func timeGrowsWithTheTextOnly(_ text: String) throws {
        let unit = Self.hostile.first { $0.pattern == text }?.unit ?? "a"
        let pattern = try TagPattern(text)
        // This thread's own time: what else the machine does is not counted.
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        func seconds(_ count: Int) -> Double {
            let bytes = Array(String(repeating: unit, count: count).utf8) + [0x21]
            var best = Double.infinity
            for _ in 0..<3 {
                let start = now()
                _ = pattern.isFound(in: bytes)
                best = min(best, now() - start)
            }
            return best
        }
        let short = seconds(500)
        let long = seconds(4000)
        // Eight times the text: eight times the time, with room for a noisy machine; a square would be 64.
        #expect(long < max(short, 0.0005) * 32, "\(short) s for 500, \(long) s for 4000")
    }

    /// Two ways to write the same find the same.
    @Test func equalPatternsFindTheSame() throws {
        var random = FastRandom(seed: 1)
        func atom(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &random) {
            case 0...2: return ["a", "b", "c"][Int.random(in: 0..<3, using: &random)]
            case 3: return ["[ab]", "[^a]", ".", "\\w"][Int.random(in: 0..<4, using: &random)]
            case 4: return "(?:\(atom(depth - 1))|\(atom(depth - 1)))"
            case 5: return "(?:\(atom(depth - 1)))*"
            default: return atom(depth - 1) + atom(depth - 1)
            }
        }
        for _ in 0..<300 {
            let one = atom(3)
            let plain = try TagPattern(one)
            let twice = try TagPattern("(?:\(one)){1}|(?:\(one))(?:)")
            for _ in 0..<10 {
                let text = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                    UInt8.random(in: 0x61...0x64, using: &random)
                }
                #expect(plain.isFound(in: text) == twice.isFound(in: text), "\(one)")
            }
        }
    }
}
