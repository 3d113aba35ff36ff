import Testing

@testable import Shared

@Suite struct JSONWalkerTests {
    private func member(_ name: StaticString, of text: String) -> String? {
        let bytes = Array(text.utf8)
        return JSONWalker.member(name, of: 0..<bytes.count, bytes).map {
            String(decoding: bytes[$0.range], as: UTF8.self)
        }
    }

    @Test(arguments: [
        (#"{"tags":["a"]}"#, #"["a"]"#), (#"{ "x" : 1 , "tags" : { "y" : [ ] } }"#, #"{ "y" : [ ] }"#),
        (#"{"tags":1,"tags":2}"#, "2"), (#"{"t\u0061gs":true}"#, "true"), (#"{"x":{"tags":1}}"#, nil),
        (#"{"tag":1,"tagss":2}"#, nil), ("{}", nil), (#"{"x":"\"tags\":1","tags":null}"#, "null"),
        (#"{"x":"]}","tags":"}"}"#, #""}""#), (#"{"x":[[{"tags":0}]],"tags":-1.5}"#, "-1.5"), ("[]", nil),
        ("\"\"", nil),
    ])
    func findsTheLastMemberOfAName(_ text: String, _ value: String?) {
        #expect(member("tags", of: text) == value)
    }

    @Test(arguments: [
        ("[]", []), ("[1]", ["1"]),
        (#"[ "a" , ["b"] , {"c":"]"} , null ]"#, ["\"a\"", "[\"b\"]", "{\"c\":\"]\"}", "null"]),
        (#"["\"","\\"]"#, [#""\"""#, #""\\""#]),
    ])
    func visitsEveryElement(_ text: String, _ expected: [String]) {
        let bytes = Array(text.utf8)
        var found: [String] = []
        JSONWalker.elements(of: 0..<bytes.count, bytes) {
            found.append(String(decoding: bytes[$0.range], as: UTF8.self))
            return true
        }
        #expect(found == expected)
    }

    @Test func stopsWhenToldTo() {
        let bytes = Array("[1,2,3]".utf8)
        var count = 0
        JSONWalker.elements(of: 0..<bytes.count, bytes) { _ in
            count += 1
            return count < 2
        }
        #expect(count == 2)
    }

    @Test func tellsKindsApart() {
        let bytes = Array(#"["",1,-1,{},[],true,false,null]"#.utf8)
        var kinds: [JSONScanner.Kind] = []
        JSONWalker.elements(of: 0..<bytes.count, bytes) {
            kinds.append($0.kind)
            return true
        }
        #expect(kinds == [.string, .number, .number, .object, .array, .true, .false, .null])
    }

    @Test(arguments: [
        (#"plain"#, "plain"), (#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{C}\n\r\t"), (#"\u0041\u00e9\u20AC"#, "Aé€"),
        (#"\ud83d\ude00!"#, "😀!"), (#"é\u0000"#, "é\0"), ("", ""),
    ])
    func resolvesEscapes(_ text: String, _ expected: String) {
        var plain: [UInt8] = []
        let bytes = Array(text.utf8)
        JSONWalker.unescape(bytes, 0..<bytes.count, into: &plain)
        #expect(String(decoding: plain, as: UTF8.self) == expected)
    }

    @Test(arguments: [
        ("model", true), (#"m\u006fdel"#, true), ("Model", false), ("models", false), (#"mod\\el"#, false),
    ])
    func comparesTextsWithTheirEscapesResolved(_ text: String, _ isSame: Bool) {
        let bytes = Array(text.utf8)
        #expect(JSONWalker.isText(bytes, 0..<bytes.count, "model") == isSame)
    }

    /// Text that nobody validated: nothing of use comes out, but nothing traps either.
    @Test func neverTrapsOnWhatIsNoJSON() {
        var random = FastRandom(seed: 7)
        let alphabet = Array(#"{}[]",:\u0dtrue "#.utf8) + [0, 0xFF, 0xC3]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 1...24, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            _ = JSONWalker.member("tags", of: 0..<bytes.count, bytes)
            JSONWalker.elements(of: 0..<bytes.count, bytes) { element in
                _ = JSONWalker.isText(bytes, element.text, "x")
                return true
            }
            var plain: [UInt8] = []
            JSONWalker.unescape(bytes, 0..<bytes.count, into: &plain)
        }
    }
}

@Suite struct JSONFieldsTests {
    @Test func answersByNameAndType() throws {
        let fields = try JSONFields(
            Array(#"{"a":"x\ny","b":-7,"c":true,"d":["p","q\u0041",1],"e":1.5,"a2":false}"#.utf8))
        #expect(fields.text("a") == "x\ny")
        #expect(fields.text("b") == nil)
        #expect(fields.integer("b") == -7)
        #expect(fields.integer("a") == nil)
        #expect(fields.integer("e") == nil)
        #expect(fields.bool("c") == true)
        #expect(fields.bool("a2") == false)
        #expect(fields.bool("b") == nil)
        #expect(fields.texts("d") == ["p", "qA"])
        #expect(fields.texts("a") == nil)
        #expect(fields.text("nobody") == nil)
    }

    @Test func theLastOfEqualNamesCounts() throws {
        #expect(try JSONFields(Array(#"{"a":1,"a":2}"#.utf8)).integer("a") == 2)
    }

    @Test(arguments: ["", "{", "{} x", "nope"])
    func whatIsNoJSONIsAnError(_ text: String) {
        #expect(throws: JSONError.self) { try JSONFields(Array(text.utf8)) }
    }

    @Test func whatIsNoObjectHasNoFields() throws {
        #expect(try JSONFields(Array("[1]".utf8)).integer("a") == nil)
    }

    @Test func nestingIsBounded() {
        let deep = String(repeating: "[", count: 17) + String(repeating: "]", count: 17)
        #expect(throws: JSONError(kind: .depth, offset: 16)) { try JSONFields(Array(deep.utf8)) }
    }
}
