import Testing

@testable import Shared

@Suite struct YAMLDocumentTests {
    private func read(_ text: String) throws(YAMLDocument.Failure) -> YAMLNode? {
        try YAMLDocument.read(Array(text.utf8), file: "c.yaml")
    }

    /// Every node in the order of the text: `line:column value`.
    private func places(_ node: YAMLNode) -> [String] {
        let place = "\(node.position.line):\(node.position.column)"
        switch node.value {
        case .scalar(let text, let isPlain): return ["\(place) \(isPlain ? text : "'\(text)'")"]
        case .sequence(let items): return ["\(place) ["] + items.flatMap(places)
        case .mapping(let members): return ["\(place) {"] + members.flatMap { places($0.key) + places($0.value) }
        }
    }

    @Test func everyNodeKnowsItsPlace() throws {
        let text = """
            # comment
            model_list:
              - model_name: "a b"
                tags: [free, 'paid']
              - é: {x: 1, y: }
            last:
            """
        let root = try #require(try read(text))
        #expect(
            places(root) == [
                "2:1 {", "2:1 model_list", "3:3 [", "3:5 {", "3:5 model_name", "3:17 'a b'", "4:5 tags", "4:11 [",
                "4:12 free", "4:18 'paid'", "5:5 {", "5:5 é", "5:8 {", "5:9 x", "5:12 1", "5:15 y", "5:18 ", "6:1 last",
                "6:6 ",
            ])
    }

    @Test func quotedAndBlockScalarsAreNotPlain() throws {
        let root = try #require(try read("[a, 'b', \"c\", true]\n"))
        #expect(places(root) == ["1:1 [", "1:2 a", "1:5 'b'", "1:10 'c'", "1:15 true"])
        let block = try #require(try read("a: |\n  x\n  y\nb: >\n  z\n"))
        #expect(places(block) == ["1:1 {", "1:1 a", "1:4 'x\ny\n'", "4:1 b", "4:4 'z\n'"])
    }

    /// Columns count characters, as editors do.
    @Test func columnsCountCharacters() throws {
        let root = try #require(try read("é日: x\n"))
        #expect(places(root) == ["1:1 {", "1:1 é日", "1:5 x"])
    }

    @Test func aliasesShareTheirNode() throws {
        let root = try #require(try read("a: &x [1]\nb: *x\n"))
        guard case .mapping(let members) = root.value else {
            Issue.record("no mapping")
            return
        }
        #expect(members[0].value === members[1].value)
    }

    @Test(arguments: ["", "\n\n", "# only a comment\n"])
    func anEmptyTextHasNoRoot(_ text: String) throws {
        #expect(try read(text) === nil)
    }

    struct Bad: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var text: String
        var place: String
        var words: String
    }

    static let bad = [
        Bad(testDescription: "unclosed list", text: "a: [1, 2\nb: 3\n", place: "2:2", words: "expected ',' or ']'"),
        Bad(testDescription: "tab", text: "a:\n\tb: 1\n", place: "2:1", words: "cannot start any token"),
        Bad(testDescription: "bad indent", text: "a: 1\n  b: 2\n", place: "2:4", words: "not allowed in this context"),
        Bad(testDescription: "unclosed quote", text: "a: \"x\n", place: "2:1", words: "unexpected end of stream"),
        Bad(testDescription: "unknown alias", text: "a: *x\n", place: "1:4", words: "alias *x names no anchor"),
        Bad(testDescription: "an alias within itself", text: "a: &x [*x]\n", place: "1:8", words: "names no anchor"),
        Bad(
            testDescription: "two documents", text: "a: 1\n---\nb: 2\n", place: "3:1",
            words: "more than one YAML document"),
        Bad(
            testDescription: "deep", text: String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
            place: "1:65", words: "nested too deeply"),
    ]

    @Test(arguments: bad)
    func whatIsWrongHasItsPlace(_ bad: Bad) throws {
        let failure = try #require(throws: YAMLDocument.Failure.self) { try read(bad.text) }
        #expect("\(failure.position.line):\(failure.position.column)" == bad.place, "\(failure.message)")
        #expect(failure.message.contains(bad.words), "\(failure.message)")
        #expect(failure.position.file == "c.yaml")
    }

    @Test func sixtyFourLevelsAreTaken() throws {
        #expect(try read(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) != nil)
    }

    /// Anchors within anchors are nested as deeply as what they stand for: no text is a way around the limit, and
    /// none makes whoever walks the nodes run out of stack.
    @Test func aliasesCountTheirDepth() {
        var text = "- &a0 x\n"
        for level in 1...200 { text += "- &a\(level) [*a\(level - 1)]\n" }
        #expect(throws: YAMLDocument.Failure.self) { try read(text) }
    }

    @Test func invalidUTF8HasItsPlace() throws {
        let failure = try #require(throws: YAMLDocument.Failure.self) {
            try YAMLDocument.read(Array("a: 1\nb: ".utf8) + [0xFF, 0x0A], file: "c.yaml")
        }
        #expect(failure.message.contains("UTF-8"))
    }

    @Test func everyCutOfATextIsTakenWell() {
        let bytes = Array("a: &x {b: [1, \"c\\u00e9\"], ? d : |\n e\n}\nf: *x # g\n- h\n".utf8)
        for count in 0...bytes.count { _ = try? YAMLDocument.read(Array(bytes[..<count]), file: "c.yaml") }
    }
}

@Suite struct YAMLScalarTests {
    @Test(arguments: [
        ("", YAMLScalar.null), ("~", .null), ("null", .null), ("Null", .null), ("NULL", .null), ("nUll", .string),
        ("true", .bool(true)), ("True", .bool(true)), ("TRUE", .bool(true)), ("yes", .bool(true)), ("on", .bool(true)),
        ("false", .bool(false)), ("no", .bool(false)), ("off", .bool(false)), ("Off", .bool(false)), ("tRue", .string),
        ("y", .string), ("n", .string),
        ("0", .int(0)), ("12", .int(12)), ("-3", .int(-3)), ("+4", .int(4)), ("1_000", .int(1000)), ("0x1F", .int(31)),
        ("0b101", .int(5)), ("017", .int(15)), ("9223372036854775807", .int(.max)),
        ("1.5", .float(1.5)), ("-0.5", .float(-0.5)), (".5", .float(0.5)), ("1e3", .float(1000)),
        ("1.0E-2", .float(0.01)), ("99999999999999999999", .float(1e20)),
        ("a", .string), ("1.2.3", .string), ("1:30", .string), ("0x", .string), ("0xG", .string), ("-", .string),
        ("+", .string), (".", .string), ("e5", .string), ("_1", .string), ("_", .string), ("1-2", .string),
        ("gpt-4", .string),
        ("0x-5", .string), ("nan", .string), ("inf", .string), ("12 ", .string),
    ])
    func readsPlainScalarsLikeYAML11(_ text: String, _ value: YAMLScalar) {
        #expect(YAMLScalar(text) == value)
    }

    @Test(arguments: [
        ("true", "true"), ("off", "false"), ("~", "null"), ("0x10", "16"), ("1.50", "1.5"), ("2.0", "2"),
        ("a\"b", "\"a\\\"b\""), ("1e400", "null"), ("017", "15"),
    ])
    func becomesJSON(_ text: String, _ json: String) {
        #expect(YAMLScalar(text).json(text) == json)
    }
}
