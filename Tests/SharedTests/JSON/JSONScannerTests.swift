import Testing

@testable import Shared

@Suite struct JSONScannerTests {
    private struct Outcome: Equatable {
        var error: JSONError?
        var kind = JSONScanner.Kind.null
        var members: [JSONScanner.Member] = []
    }

    /// Scans `bytes` in pieces that end at `cuts`.
    private func scan(_ bytes: [UInt8], cuts: [Int] = [], depth: Int = 256) -> Outcome {
        var scanner = JSONScanner(maximumDepth: depth)
        var outcome = Outcome()
        do throws(JSONError) {
            var start = 0
            for end in cuts + [bytes.count] {
                try scanner.scan(bytes, start..<end)
                start = end
            }
            try scanner.finish(at: bytes.count)
            outcome.kind = scanner.kind
            outcome.members = scanner.members
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// The outcome, after it was seen to be the same for every cut and one byte at a time.
    private func scanEverywhere(_ bytes: [UInt8], depth: Int = 256) -> Outcome {
        let whole = scan(bytes, depth: depth)
        for cut in bytes.indices { #expect(scan(bytes, cuts: [cut], depth: depth) == whole, "cut at \(cut)") }
        #expect(scan(bytes, cuts: Array(bytes.indices), depth: depth) == whole, "byte by byte")
        return whole
    }

    /// A scanner is used for one request after the other: a text that was cut or wrong says nothing of the next one.
    @Test(
        arguments: [
            [0x22, 0xE0, 0x41], [0x22, 0xE0], [0x22, 0xED], [0x22, 0xED, 0xA0], [0x22, 0xF0, 0x80], [0x22, 0xF4],
            [0x22],
            [0x22, 0x5C, 0x75, 0x64], [0x5B, 0x5B, 0x2D], [0x7B, 0x22, 0x61, 0x22, 0x3A, 0x74], [0x74, 0x72],
            Array(#"[{"a":{"finish_reason":"#.utf8), Array(#"{"a":"\ud83d"#.utf8),
        ] as [[UInt8]])
    func isNoDifferentAfterABadText(_ bad: [UInt8]) throws {
        for text in [
            "\"\u{80}\"", "\"\u{BF}\u{800}\u{D7FF}\"", "\"\u{10000}\u{10FFFF}\"", #"{"a":{"b":["\ud83d\ude00"]}}"#,
            "-1",
        ] {
            let good = Array(text.utf8)
            var scanner = JSONScanner()
            #expect(throws: JSONError.self) { try scanner.scanAll(bad, 0..<bad.count) }
            try scanner.scanAll(good, 0..<good.count)
            #expect(!scanner.hasFinishReason && !scanner.hasWhiteSpace)
            let fresh = scan(good)
            #expect(fresh.kind == scanner.kind && fresh.members == scanner.members)
        }
    }

    // MARK: What RFC 8259 accepts and refuses

    @Test(arguments: [
        "{}", "[]", "null", "true", "false", "0", "-0", "12", "-12.5", "0.0", "1e5", "1E+5", "1e-5", "0e0", "10.01e10",
        "123456789012345678901234567890", "\"\"", "\"a\"", " \t\r\n{ \"a\" : [ 1 , 2 ] } \n", "[[[]]]", "[{}]",
        "{\"\":0}", "{\"a\":{\"b\":null}}", #""\"\\\/\b\f\n\r\t\u0041\u00e9""#, #""\ud83d\ude00""#, #""\uD83D\uDE00x""#,
        #""\u0000""#, #""\uffff\ue000""#, "\"é 日本 😀\"", "\"\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\"",
        "{\"a\":1,\"a\":2}", "[true,false,null]", "\"/\"", "[-0.0,1.0E-2]",
    ])
    func acceptsJSON(_ text: String) {
        #expect(scanEverywhere(Array(text.utf8)).error == nil)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var bytes: [UInt8]
        var kind: JSONError.Kind
        var offset: Int

        init(_ text: String, _ kind: JSONError.Kind, _ offset: Int) {
            self.init(Array(text.utf8), kind, offset)
        }

        init(_ bytes: [UInt8], _ kind: JSONError.Kind, _ offset: Int) {
            self.bytes = bytes
            self.kind = kind
            self.offset = offset
        }

        var testDescription: String { String(decoding: bytes, as: UTF8.self) }
    }

    static let bad: [Bad] = [
        Bad("", .empty, 0), Bad("  \n", .empty, 3),
        Bad("{", .truncated, 1), Bad("[1,", .truncated, 3), Bad("\"a", .truncated, 2), Bad("{\"a\":", .truncated, 5),
        Bad("tru", .truncated, 3), Bad("-", .truncated, 1), Bad("1.", .truncated, 2), Bad("1e", .truncated, 2),
        Bad("1e+", .truncated, 3), Bad("\"\\u00", .truncated, 5),
        Bad("{}x", .trailing, 2), Bad("{} {}", .trailing, 3), Bad("1 2", .trailing, 2), Bad("[]]", .trailing, 2),
        Bad("nullx", .trailing, 4), Bad("\"a\"\"b\"", .trailing, 3),
        Bad("{,}", .unexpected, 1), Bad("[,]", .unexpected, 1), Bad("[1,]", .unexpected, 3),
        Bad("{\"a\":1,}", .unexpected, 7), Bad("{\"a\"}", .unexpected, 4), Bad("{a:1}", .unexpected, 1),
        Bad("{1:1}", .unexpected, 1), Bad("{\"a\" 1}", .unexpected, 5), Bad("[1 2]", .unexpected, 3),
        Bad("[1}", .unexpected, 2), Bad("{\"a\":1]", .unexpected, 6), Bad("'a'", .unexpected, 0),
        Bad("+1", .unexpected, 0), Bad(".5", .unexpected, 0), Bad("]", .unexpected, 0), Bad("{\"a\":}", .unexpected, 5),
        Bad("[1,,2]", .unexpected, 3), Bad("//x\n1", .unexpected, 0), Bad("[/**/]", .unexpected, 1),
        Bad("\u{FEFF}{}", .unexpected, 0), Bad("\u{A0}1", .unexpected, 0), Bad("\u{B}1", .unexpected, 0),
        Bad("NaN", .unexpected, 0), Bad("{\"a\":NaN}", .unexpected, 5), Bad("Infinity", .unexpected, 0),
        Bad("-Infinity", .number, 1), Bad("[-NaN]", .number, 2),
        Bad("01", .number, 1), Bad("-01", .number, 2), Bad("1.e5", .number, 2), Bad("1.-5", .number, 2),
        Bad("1e.5", .number, 2), Bad("1e++5", .number, 3), Bad("--1", .number, 1), Bad("0x10", .trailing, 1),
        Bad("1.2.3", .trailing, 3), Bad("1e5.5", .trailing, 3),
        Bad("nil", .literal, 1), Bad("nULL", .literal, 1), Bad("trux", .literal, 3), Bad("[falsy]", .literal, 5),
        Bad("\"a\nb\"", .control, 2), Bad("\"\u{1F}\"", .control, 1), Bad("\"\0\"", .control, 1),
        Bad("\"\t\"", .control, 1),
        Bad(#""\x41""#, .escape, 2), Bad(#""\'""#, .escape, 2), Bad(#""\U0041""#, .escape, 2),
        Bad(#""\u00g0""#, .escape, 5), Bad("\"\\\n\"", .escape, 2), Bad(#""\u+041""#, .escape, 3),
        Bad(#""\ud800""#, .surrogate, 7), Bad(#""\ud800x""#, .surrogate, 7), Bad(#""\ud800\n""#, .surrogate, 8),
        Bad(#""\ud800\u0041""#, .surrogate, 12), Bad(#""\ud800\ud800""#, .surrogate, 12),
        Bad(#""\udc00""#, .surrogate, 6),
        // Overlong, surrogates, beyond Unicode, cut, and a continuation out of place: Unicode 15, table 3-7.
        Bad([0x22, 0xC0, 0xAF, 0x22], .encoding, 1), Bad([0x22, 0xC1, 0xBF, 0x22], .encoding, 1),
        Bad([0x22, 0xE0, 0x9F, 0xBF, 0x22], .encoding, 2), Bad([0x22, 0xED, 0xA0, 0x80, 0x22], .encoding, 2),
        Bad([0x22, 0xF0, 0x8F, 0xBF, 0xBF, 0x22], .encoding, 2),
        Bad([0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], .encoding, 2),
        Bad([0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], .encoding, 1), Bad([0x22, 0xFF, 0x22], .encoding, 1),
        Bad([0x22, 0x80, 0x22], .encoding, 1), Bad([0x22, 0xC3, 0x22], .encoding, 2),
        Bad([0x22, 0xE2, 0x82, 0x22], .encoding, 3), Bad([0x22, 0xF0, 0x9F, 0x98, 0x22], .encoding, 4),
        // Bytes beyond ASCII outside of strings.
        Bad([0x7B, 0xC3, 0xA9, 0x7D], .unexpected, 1),
    ]

    @Test(arguments: bad)
    func refusesEverythingElseAndSaysWhere(_ bad: Bad) {
        let outcome = scanEverywhere(bad.bytes)
        #expect(outcome.error == JSONError(kind: bad.kind, offset: bad.offset))
    }

    /// Every prefix of a valid object is incomplete, and nothing else.
    @Test func aCutTextIsTruncated() {
        let bytes = Array(#"{"a":[1,"\ud83d\ude00é",true],"b":{"c":-1.5e3},"d":null}"#.utf8)
        #expect(scan(bytes).error == nil)
        for count in 1..<bytes.count {
            #expect(scan(Array(bytes[..<count])).error == JSONError(kind: .truncated, offset: count))
        }
    }

    @Test func everyByteInAStringIsPlainOrHasItsError() {
        for byte in UInt8.min...UInt8.max {
            // Long enough for the search by words, at each place of a word.
            for place in 0..<40 {
                var bytes = [UInt8](repeating: 0x61, count: 42)
                bytes[0] = 0x22
                bytes[41] = 0x22
                bytes[1 + place] = byte
                let error = scan(bytes).error
                let kind: JSONError.Kind? =
                    switch byte {
                    case 0..<0x20: .control
                    case 0x22: place == 39 ? .trailing : .trailing
                    case 0x5C: place == 39 ? .truncated : .escape
                    case 0x80...: .encoding
                    default: nil
                    }
                #expect(error?.kind == kind, "byte \(byte) at \(place)")
            }
        }
    }

    // MARK: Depth

    @Test func nestingIsBounded() {
        for depth in [1, 63, 64, 65, 256] {
            let open = [UInt8](repeating: 0x5B, count: depth)
            let close = [UInt8](repeating: 0x5D, count: depth)
            #expect(scan(open + close, depth: depth).error == nil)
            #expect(scan([0x5B] + open + close + [0x5D], depth: depth).error == JSONError(kind: .depth, offset: depth))
        }
        let objects = String(repeating: "{\"a\":", count: 257)
        #expect(scan(Array(objects.utf8)).error == JSONError(kind: .depth, offset: 256 * 5))
    }

    /// Which bracket closes what is remembered at every level.
    @Test func bracketsHaveToMatchAtEveryLevel() {
        for depth in [1, 2, 63, 64, 65, 128, 200] {
            var text: [UInt8] = []
            var closing: [UInt8] = []
            for level in 0..<depth {
                text += Array((level % 3 == 0 ? "{\"a\":" : "[").utf8)
                closing.append(level % 3 == 0 ? 0x7D : 0x5D)
            }
            text += Array("1".utf8)
            #expect(scan(text + closing.reversed()).error == nil)
            for wrong in 0..<min(depth, 70) {
                var other = Array(closing.reversed())
                other[wrong] = other[wrong] == 0x7D ? 0x5D : 0x7D
                #expect(scan(text + other).error == JSONError(kind: .unexpected, offset: text.count + wrong))
            }
        }
    }

    // MARK: Members

    @Test func findsTheMembersOfTheOutermostObjectOnly() {
        let text = #" {"model" : "gpt","m\u0065ta":{"x":{"y":1},"z":[{"q":2}]},"n":-1.5e3,"":[ ] ,"s":"a\"b","t":true}"#
        let bytes = Array(text.utf8)
        let outcome = scanEverywhere(bytes)
        let found = outcome.members.map { member in
            [member.key, member.value].map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(
            found == [
                ["model", "\"gpt\""], [#"m\u0065ta"#, #"{"x":{"y":1},"z":[{"q":2}]}"#], ["n", "-1.5e3"], ["", "[ ]"],
                ["s", #""a\"b""#], ["t", "true"],
            ])
        #expect(outcome.members.map(\.kind) == [.string, .object, .number, .array, .string, .true])
        #expect(outcome.members.map(\.keyIsEscaped) == [false, true, false, false, false, false])
        #expect(outcome.members.map(\.valueIsEscaped) == [false, false, false, false, true, false])
    }

    @Test func duplicateKeysAreAllThere() {
        let outcome = scanEverywhere(Array(#"{"a":1,"a":"2","a":null}"#.utf8))
        #expect(outcome.members.map(\.kind) == [.number, .string, .null])
    }

    @Test(arguments: ["[{\"a\":1}]", "\"a\"", "1", "[[1,2],{}]"])
    func whatIsNoObjectHasNoMembers(_ text: String) {
        #expect(scanEverywhere(Array(text.utf8)).members == [])
    }

    @Test func tellsTheKindOfTheWhole() {
        let cases: [(String, JSONScanner.Kind)] = [
            ("{}", .object), ("[]", .array), ("\"\"", .string), ("1", .number), ("true", .true), ("false", .false),
            ("null", .null),
        ]
        for (text, kind) in cases { #expect(scan(Array(text.utf8)).kind == kind) }
    }

    @Test func positionsAreTheCallers() throws {
        var scanner = JSONScanner()
        let bytes = Array(#"....{"a":12}...."#.utf8)
        try scanner.scan(bytes, 4..<12, offset: 1000)
        #expect(scanner.isComplete)
        #expect(scanner.members.map(\.value) == [1009..<1011])
        scanner.reset()
        #expect(throws: JSONError(kind: .unexpected, offset: 1000)) { try scanner.scan(bytes, 0..<4, offset: 1000) }
    }

    @Test func knowsWhichMemberIsOpen() throws {
        let bytes = Array(#"{"ab":"cd","e":1}"#.utf8)
        var scanner = JSONScanner()
        try scanner.scan(bytes, 0..<3)
        #expect(scanner.openKey == 2)
        try scanner.scan(bytes, 3..<5)
        #expect(scanner.openKey == nil)
        #expect(scanner.openMember?.key == 2..<4)
        try scanner.scan(bytes, 5..<8)
        #expect(scanner.openMember?.value == 6..<6)
        try scanner.scan(bytes, 8..<10)
        #expect(scanner.openMember == nil)
        #expect(!scanner.isComplete)
        try scanner.scan(bytes, 10..<17)
        #expect(scanner.isComplete)
    }

    @Test func aScannerIsUsedAgain() throws {
        var scanner = JSONScanner()
        for text in ["{\"a\":1}", "[", "\"x", "{\"b\":", "1e", "{\"a\":[{"] {
            let bytes = Array(text.utf8)
            try? scanner.scanAll(bytes, 0..<bytes.count)
            let good = Array(#"{"c":"d"}"#.utf8)
            try scanner.scanAll(good, 0..<good.count)
            #expect(scanner.members.map(\.key) == [2..<3], "after \(text)")
        }
    }

    // MARK: What streams ask

    @Test(arguments: [
        (#"{"choices":[{"f\u0069nish_reason":"stop"}]}"#, true), (#"{"choices":[{"f\u0069nish_reason":null}]}"#, false),
        (#"{"choices":[{"finish_reas\n":"stop"}]}"#, false),
        (#"{"choices":[{"finish_reason":"stop"}]}"#, true), (#"{"choices":[{"finish_reason":null}]}"#, false),
        (#"{"choices":[{"index":0,"finish_reason" : "length"}]}"#, true), (#"{"finish_reason":"stop"}"#, false),
        (#"{"choices":[{"delta":{"finish_reason":"stop"}}]}"#, false), (#"{"choices":[{"x":"finish_reason"}]}"#, false),
        (#"{"choices":[{"finish_reason":null},{"finish_reason":"stop"}]}"#, true),
        (#"{"choices":[{"finish_reasons":"stop"}]}"#, false),
    ])
    func seesWhetherAChoiceHasFinished(_ text: String, _ hasFinished: Bool) throws {
        var scanner = JSONScanner()
        let bytes = Array(text.utf8)
        try scanner.scanAll(bytes, 0..<bytes.count)
        #expect(scanner.hasFinishReason == hasFinished)
    }

    @Test(arguments: [
        ("{\"a\":\" \"}", false), ("{ \"a\":1}", true), ("{\"a\" :1}", true), ("{\"a\": 1}", true), ("[1, 2]", true),
        ("[1 ,2]", true), ("[ ]", true), ("{ }", true), ("{\"a\":1\n}", true), ("[1,2]", false),
    ])
    func seesWhiteSpaceBetweenTokens(_ text: String, _ has: Bool) throws {
        var scanner = JSONScanner()
        let bytes = Array(text.utf8)
        try scanner.scanAll(bytes, 0..<bytes.count)
        #expect(scanner.hasWhiteSpace == has)
    }

    @Test func errorsSayWhatAndWhere() {
        #expect(JSONError(kind: .surrogate, offset: 7).message == "a lone surrogate in a string at byte 7")
    }
}
