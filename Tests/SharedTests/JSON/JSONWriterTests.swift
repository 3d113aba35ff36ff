import Testing

@testable import Shared

@Suite struct JSONWriterTests {
    private func written(_ body: (ByteBuffer) -> Void) -> String {
        let buffer = ByteBuffer(capacity: 4)
        body(buffer)
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    @Test(arguments: [
        ("", #""""#), ("a", #""a""#), ("\"\\/", #""\"\\/""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{0}\u{1F}\u{7F}", #""\u0000\u001f\u007f""#), ("é😀", #""é😀""#),
    ])
    func escapesWhatHasToBe(_ text: String, _ json: String) {
        #expect(written { $0.append(json: text) } == json)
    }

    /// Whatever is written can be read, and says the same.
    @Test func everyByteStringBecomesValidJSON() throws {
        var random = FastRandom(seed: 3)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let json = Array(written { $0.append(json: bytes, 0..<bytes.count) }.utf8)
            var scanner = JSONScanner()
            try scanner.scanAll(json, 0..<json.count)
            #expect(scanner.kind == .string)
            var plain: [UInt8] = []
            JSONWalker.unescape(json, 1..<json.count - 1, into: &plain)
            #expect(plain == Array(String(decoding: bytes, as: UTF8.self).utf8))
        }
    }

    @Test func writesObjects() {
        let text = written { buffer in
            var object = JSONObject(in: buffer)
            object.member("a", "x\"")
            object.member("b", -5)
            object.member("least", Int.min)
            object.member("c", true)
            object.member("d", ["p", "q"])
            object.member("e", nil as String?)
            object.member("f", raw: Array("[1]".utf8))
            object.member("g\n", [] as [String])
            object.end()
        }
        // The least number has no positive twin; it is written one short of it.
        #expect(
            text
                == #"{"a":"x\"","b":-5,"least":-9223372036854775807,"c":true,"d":["p","q"],"e":null,"f":[1],"g\n":[]}"#)
    }

    @Test func writesEmptyObjects() {
        #expect(written { JSONObject(in: $0).end() } == "{}")
    }

    @Test(arguments: [
        (#"{ "a" : [ 1 , "b c" ] }"#, #"{"a":[1,"b c"]}"#), ("[\n\t1\r\n]", "[1]"), (#""\" x \\" "#, #""\" x \\""#),
        ("{}", "{}"), (#"{"\\" : " "}"#, #"{"\\":" "}"#),
    ])
    func compactsWhatIsValid(_ text: String, _ expected: String) {
        let bytes = Array(text.utf8)
        #expect(written { $0.append(compacting: bytes, 0..<bytes.count) } == expected)
    }
}
