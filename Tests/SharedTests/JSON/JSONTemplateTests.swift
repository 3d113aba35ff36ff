import Testing

@testable import Shared

@Suite struct JSONTemplateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var first: String
        var others: [String]
        var isAlike: Bool

        init(_ description: String, _ first: String, _ others: [String], alike: Bool) {
            testDescription = description
            self.first = first
            self.others = others
            isAlike = alike
        }
    }

    private static func template(_ text: String) -> JSONTemplate {
        let template = JSONTemplate(fixed: ["model", "type"])
        let bytes = Array(text.utf8)
        template.learn(bytes, 0..<bytes.count, object: 0..<bytes.count)
        return template
    }

    @Test(arguments: [
        Case("the same", #"{"a":"b"}"#, [#"{"a":"b"}"#], alike: true),
        Case(
            "strings of any length, escapes and other scripts", #"{"a":"b","c":[{"d":"e"}]}"#,
            [
                #"{"a":"","c":[{"d":"e"}]}"#, #"{"a":"bb","c":[{"d":""}]}"#, #"{"a":"\"","c":[{"d":"\\"}]}"#,
                #"{"a":"漢字かな","c":[{"d":"zażółć"}]}"#,
                #"{"a":"a rather long text, longer than a block","c":[{"d":"e"}]}"#,
            ], alike: true),
        Case("an empty string filled", #"{"a":"","b":1}"#, [#"{"a":"x","b":1}"#, #"{"a":"","b":1}"#], alike: true),
        Case(
            "numbers", #"{"a":1,"b":[2,3]}"#, [#"{"a":12,"b":[2,3]}"#, #"{"a":0,"b":[-2.5e9,33]}"#], alike: true),
        Case(
            "white space that is the same", "{ \"a\" : \"b\",\n \"c\": 1 }\n",
            ["{ \"a\" : \"c\",\n \"c\": 12 }\n"], alike: true),
        Case("other white space", "{ \"a\": 1}", ["{\"a\": 1}", "{ \"a\":1}"], alike: false),
        Case("keys, with white space behind them", "{\"model\" : \"m\"}", ["{\"model\" : \"n\"}"], alike: false),
        Case("keys", #"{"a":"b"}"#, [#"{"b":"b"}"#, #"{"ab":"b"}"#, #"{"a\u0062":"b"}"#, #"{"":"b"}"#], alike: false),
        Case("kinds", #"{"a":"b"}"#, [#"{"a":null}"#, #"{"a":1}"#, #"{"a":{}}"#, #"{"a":["b"]}"#], alike: false),
        Case("more and fewer members", #"{"a":"b"}"#, [#"{"a":"b","c":1}"#, "{}"], alike: false),
        Case(
            "fixed values", #"{"model":"b"}"#, [#"{"model":"c"}"#, #"{"model":""}"#, #"{"model":"bb"}"#], alike: false),
        Case("values of keys with escapes", #"{"mod\u0065l":"b"}"#, [#"{"mod\u0065l":"c"}"#], alike: false),
        Case(
            "fixed values deeper down", #"{"x":[{"type":["b"]}]}"#, [#"{"x":[{"type":["c"]}]}"#], alike: false),
        Case(
            "what is not valid in strings", #"{"a":"b"}"#,
            [
                "{\"a\":\"\u{1}\"}", #"{"a":"\x"}"#, #"{"a":"\ud800"}"#, "{\"a\":\"\n\"}", #"{"a":"b}"#,
            ], alike: false),
        Case(
            "what is no valid number", #"{"a":1}"#,
            [
                #"{"a":01}"#, #"{"a":1.}"#, #"{"a":-}"#, #"{"a":1e}"#, #"{"a":.1}"#, #"{"a":}"#, #"{"a":1x}"#,
            ], alike: false),
    ])
    func tellsWhatIsAlike(_ c: Case) {
        let template = Self.template(c.first)
        // Twice, for the first time teaches which values vary.
        for other in c.others + c.others {
            let bytes = Array("..\(other)..".utf8)
            let end = template.match(bytes, from: 2, to: bytes.count)
            #expect(end == (c.isAlike ? bytes.count - 2 : nil), "\(other)")
        }
    }

    @Test func aTextThatIsCutIsNotAlikeYet() {
        let template = Self.template(#"{"a":"bcd","e":12}"#)
        let bytes = Array(#"{"a":"xyz","e":34}"#.utf8)
        for _ in 0..<2 {
            for end in bytes.indices { #expect(template.match(bytes, from: 0, to: end) == nil, "\(end)") }
            #expect(template.match(bytes, from: 0, to: bytes.count) == bytes.count)
        }
    }

    @Test func whatDoesNotVaryIsFoundBehindWhatDoes() {
        let first = #"{"a":"b","model":"m","c":3,"d":null}"#
        let template = Self.template(first)
        let place = 17..<20
        #expect(String(Array(first.utf8)[place].map { Character(Unicode.Scalar($0)) }) == #""m""#)
        for text in ["bcd", "", "b"] {
            let bytes = Array(#"..{"a":"\#(text)","model":"m","c":33,"d":null}"#.utf8)
            #expect(template.match(bytes, from: 2, to: bytes.count) == bytes.count)
            #expect(template.matched(place.lowerBound) == place.lowerBound + text.count - 1)
            #expect(template.matched(place.upperBound) == place.upperBound + text.count - 1)
            #expect(template.matched(first.utf8.count) == bytes.count - 2)
            #expect(template.matched(0) == 0)
        }
    }

    private static let named = #"{"a":"b","model":"m","c":"d","model":"n"}"#
    private static let places = [17..<20, 37..<40]

    private static func named(_ a: String, _ c: String = "d") -> String {
        #"{"a":"\#(a)","model":"m","c":"\#(c)","model":"n"}"#
    }

    private static func namedTemplate() -> JSONTemplate {
        let template = JSONTemplate(fixed: ["model"])
        let bytes = Array("..\(named)".utf8)
        let places = places.map { $0.lowerBound + 2..<$0.upperBound + 2 }
        template.learn(bytes, 2..<bytes.count, object: 2..<bytes.count, places: places)
        return template
    }

    /// As many as there is room for are found at a time, in the pieces that the places leave of them.
    @Test(arguments: [0, 1, 7, 31, 32, 33, 100])
    func manyTextsAreFoundOneBehindTheOther(_ count: Int) {
        let template = Self.namedTemplate()
        let texts = (0..<count).map { Self.named(String(repeating: "x", count: $0 % 5), "\($0)") }
        let bytes = Array("..\(texts.joined())[1]".utf8)
        var position = 2
        var number = 0
        while true {
            let found = template.matchAll(bytes, position..<bytes.count, strict: 0)
            #expect(found.count == min(32, count - number))
            #expect(found.pieces == 2 * found.count + 1)
            let pieces = (0..<found.pieces).map {
                String(decoding: bytes[template.pieces[2 * $0]..<template.pieces[2 * $0 + 1]], as: UTF8.self)
            }
            let expected = texts[number..<number + found.count].joined()
            #expect(pieces.joined(separator: "?") == expected.replacing(#/"[mn]"/#, with: "?"))
            #expect(found.end == position + expected.utf8.count)
            if found.count == 0 { break }
            // Fewer are all that there are.
            if found.count < JSONTemplate.fewest { #expect(number + found.count == count) }
            number += found.count
            position = found.end
        }
        #expect(position == bytes.count - 3 && number == count)
    }

    /// Whatever changes between two of them, wherever that is and however long, and if one is not like the others at all.
    @Test(arguments: 0..<40)
    func textsInARowAreFoundLikeEachOfThem(_ seed: UInt64) {
        var random = FastRandom(seed: seed)
        func any(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }
        let strings = [
            "", "a", "bc", "d e f g", #"\"\\"#, "漢字", "a text that is longer than two words of eight bytes",
            "x,\\u00e9",
        ]
        let numbers = ["0", "1", "27", "-3.5", "1234567890", "6e-7"]
        let first = #"{"id":"i","model":"m","c":"t","n":1,"d":[2,"s"],"model":"n","e":"f"}"#
        let places = [18..<21, 56..<59]
        let (template, single) = (JSONTemplate(fixed: ["model"]), JSONTemplate(fixed: ["model"]))
        let learnt = Array(first.utf8)
        #expect(places.map { String(decoding: learnt[$0], as: UTF8.self) } == [#""m""#, #""n""#])
        template.learn(learnt, learnt.indices, object: learnt.indices, places: places)
        single.learn(learnt, learnt.indices, object: learnt.indices)
        var all = 0
        for _ in 0..<60 {
            var (id, end) = (any(strings), any(strings))
            var (number, other) = (any(numbers), any(numbers))
            let texts = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                switch Int.random(in: 0..<40, using: &random) {
                case 0: id = any(strings)
                case 1...4: end = any(strings)
                case 5...12: number = any(numbers)
                case 13: other = any(numbers)
                default: break
                }
                return
                    #"{"id":"\#(id)","model":"m","c":"\#(any(strings))","n":\#(number),"d":[\#(other),"s"],"model":"n","e":"\#(end)"}"#
            }
            var bytes = Array(texts.joined().utf8)
            if Bool.random(using: &random), let position = bytes.indices.randomElement(using: &random) {
                bytes[position] = Array(#"x"\,:1"#.utf8).randomElement(using: &random) ?? 0
            }
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 1..<50, using: &random)) }
            // Of a text of another script that ends with the bytes nothing is said.
            bytes += Array("    ".utf8)
            var (count, position, bounds) = (0, 0, [0])
            while count < 32, let end = single.match(bytes, from: position, to: bytes.count) {
                for place in places {
                    bounds.append(position + single.matched(place.lowerBound))
                    bounds.append(position + single.matched(place.upperBound))
                }
                (position, count) = (end, count + 1)
            }
            let found = template.matchAll(bytes, bytes.indices, strict: 0)
            #expect((found.count, found.pieces, found.end) == (count, 2 * count + 1, position))
            #expect(Array(template.pieces.prefix(2 * found.pieces)) == bounds + [position])
            all += count
        }
        #expect(all > 500)
    }

    @Test(arguments: [(0, 4), (1, 4), (2, 1), (Int.max, 1)])
    func theFirstOnesHaveTheSameStringsEmpty(_ strict: Int, _ expected: Int) {
        let template = Self.namedTemplate()
        let bytes = Array((Self.named("x") + Self.named("") + Self.named("y") + Self.named("", "")).utf8)
        #expect(template.matchAll(bytes, bytes.indices, strict: strict).count == expected)
        // No less where it is known what changes from one to the next.
        #expect(template.matchAll(bytes, bytes.indices, strict: 0).count == 4)
        #expect(template.matchAll(bytes, bytes.indices, strict: strict).count == expected)
    }

    @Test func forgets() {
        let template = Self.template("{}")
        #expect(!template.isEmpty)
        template.forget()
        #expect(template.isEmpty)
    }

    /// Whatever is alike is valid, and has the same members of the same kinds.
    @Test(arguments: 0..<20)
    func findsAlikeWhatTheScannerFindsAlike(_ seed: UInt64) throws {
        var random = FastRandom(seed: seed)
        let first = #"{"id":"x-1","model":"m","n":[1,-2.5],"choices":[{"delta":{"content":" wörld \\n"},"end":null}]}"#
        let alphabet = Array(#"abc",:{}[]\0159-.eu é"#.utf8)
        var scanner = JSONScanner()
        let original = Array(first.utf8)
        try scanner.scanAll(original, 0..<original.count)
        let kinds = scanner.members.map(\.kind)
        let template = Self.template(first)
        var alike = 0
        for _ in 0..<2000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[position] = byte
                case 1: bytes.insert(byte, at: position)
                default: bytes.remove(at: position)
                }
            }
            guard template.match(bytes, from: 0, to: bytes.count) == bytes.count else { continue }
            alike += 1
            try scanner.scanAll(bytes, 0..<bytes.count)
            #expect(scanner.members.map(\.kind) == kinds)
        }
        #expect(alike > 20)
    }

    /// The bytes may end, with their array, where a value that varies begins or within it.
    @Test(arguments: [#"{"a":"b","c":1}"#, #"{"a":1,"b":[2,3.5]}"#])
    func nothingBehindTheEndIsLookedAt(_ text: String) {
        let first = Array(text.utf8)
        let template = Self.template(text)
        // Every value varies from now on.
        for byte in first.indices where ASCII.isDigit(first[byte]) || first[byte] == UInt8(ascii: "b") {
            var other = first
            other[byte] = ASCII.isDigit(first[byte]) ? UInt8(ascii: "7") : UInt8(ascii: "x")
            _ = template.match(other, from: 0, to: other.count)
        }
        for count in 0..<first.count {
            let cut = Array(first[..<count])
            #expect(template.match(cut, from: 0, to: count) == nil, "cut at \(count)")
        }
        #expect(template.match(first, from: 0, to: first.count) == first.count)
    }
}
