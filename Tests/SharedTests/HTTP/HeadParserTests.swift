import Testing

@testable import Shared

@Suite struct HeadParserTests {
    /// Reads `text`, in pieces that end at `cuts`; nil when it stays incomplete.
    private func read(_ text: String, request: Bool = true, limit: Int = 4096, cuts: [Int] = []) throws -> MessageHead?
    {
        let bytes = Array(text.utf8)
        var parser = request ? HeadParser.request(limit: limit) : .response(limit: limit)
        let head = MessageHead()
        for cut in cuts + [bytes.count] where try parser.read(bytes, 0..<cut, into: head) { return head }
        return nil
    }

    private let ordinary =
        "POST /v1/chat?x=1 HTTP/1.1\r\nHost: a\r\nX-LiteLLM-Tags:  free, paid \t\r\nContent-Length: 3\r\n\r\nabc"

    @Test func findsStartLineAndFields() throws {
        let head = try #require(try read(ordinary))
        let bytes = Array(ordinary.utf8)
        #expect(head.method == .post && head.minorVersion == 1)
        #expect(String(decoding: bytes[head.target], as: UTF8.self) == "/v1/chat?x=1")
        #expect(head.fields.map(\.id) == [.host, .litellmTags, .contentLength])
        #expect(String(decoding: bytes[try #require(head.first(.litellmTags))], as: UTF8.self) == "free, paid")
        #expect(head.end == bytes.count - 3)
    }

    @Test func readsTheSameHoweverItIsCut() throws {
        let whole = try #require(try read(ordinary))
        let length = ordinary.utf8.count - 3
        for cut in 0..<length {
            let head = try #require(try read(ordinary, cuts: [cut]))
            #expect(head.length == whole.length && head.fields.count == 3 && head.target == whole.target)
            #expect(try read(String(decoding: ordinary.utf8.prefix(cut), as: UTF8.self)) == nil)
        }
        let head = try #require(try read(ordinary, cuts: Array(0..<length)))
        #expect(head.length == whole.length && head.fields.count == 3)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n", "GET / HTTP/11\r\n\r\n",
        "GET / http/1.1\r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n", "GET /\u{7f} HTTP/1.1\r\n\r\n",
        "GET /ż HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n: a\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "\n\nGET / HTTP/1.1\r\n\r\n",
    ]) func refusesWhatIsAmbiguous(_ text: String) throws {
        #expect { try read(text) } throws: { ($0 as? HTTPViolation)?.kind == .malformed }
        #expect { try read(text, cuts: Array(0..<text.utf8.count)) } throws: {
            ($0 as? HTTPViolation)?.kind == .malformed
        }
    }

    @Test func refusesOtherVersions() {
        #expect { try read("PRI * HTTP/2.0\r\n\r\n") } throws: { ($0 as? HTTPViolation)?.kind == .version }
    }

    @Test func boundsTheHead() throws {
        let long = "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 5000)
        #expect { try read(long) } throws: { ($0 as? HTTPViolation)?.kind == .headTooLarge }
        let many = "GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 300) + "\r\n"
        #expect { try read(many) } throws: { ($0 as? HTTPViolation)?.kind == .headTooLarge }
        #expect(try read("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") != nil, "one empty line before a request is ignored")
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\n\r\n", 200), ("HTTP/1.1 404\r\n\r\n", 404), ("HTTP/1.0 503 \r\n\r\n", 503),
        ("HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\n\r\n", 429),
    ]) func readsStatusLines(_ text: String, _ status: Int) throws {
        #expect(try #require(try read(text, request: false)).status == status)
    }

    @Test(arguments: ["HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "garbage\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n"])
    func refusesOddStatusLines(_ text: String) {
        #expect(throws: HTTPViolation.self) { try read(text, request: false) }
    }

    @Test(arguments: [
        "GET /\0 HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA: b\u{1}\r\n\r\n", "GET / HTTP/1.1\r\nA: \u{7F}\r\n\r\n",
        "GET / HTTP/1.1\r\nA\0: b\r\n\r\n", "GET / HTTP/1.1\r\nA\t: b\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n",
        "GET / HTTP/1.1\r\nÄ: b\r\n\r\n", "GET / HTTP/1.1\r\n\tA: b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\rGET\r\n", "GET\t/ HTTP/1.1\r\n\r\n", "GET / \tHTTP/1.1\r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.\r\n\r\n", "GET / HTTP/1.x\r\n\r\n", "GET / HTTP/01.1\r\n\r\n", "GET / XTTP/1.1\r\n\r\n",
        "/ HTTP/1.1\r\n\r\n", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ]) func refusesMoreOddHeads(_ text: String) throws {
        let bytes = text.utf8.count
        for cut in 0..<bytes {
            #expect { try read(text, cuts: [cut]) } throws: { ($0 as? HTTPViolation)?.kind == .malformed }
        }
    }

    @Test(arguments: [
        ("A:", ""), ("A: ", ""), ("A:b", "b"), ("A:\t b \t ", "b"), ("A: b  c", "b  c"), ("A: é\u{A0}", "é\u{A0}"),
        ("A: :", ":"), ("A: \"x, y\"", "\"x, y\""),
    ]) func trimsValues(_ line: String, _ value: String) throws {
        let text = "GET / HTTP/1.1\r\n\(line)\r\n\r\n"
        let head = try #require(try read(text))
        #expect(String(decoding: Array(text.utf8)[head.value(head.fields[0])], as: UTF8.self) == value)
        #expect(String(decoding: Array(text.utf8)[head.name(head.fields[0])], as: UTF8.self) == "A")
    }

    @Test(arguments: [
        ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("PATCH", .patch),
        ("OPTIONS", .options), ("get", .other), ("TRACE", .other), ("X", .other), ("POSTS", .other),
    ]) func knowsMethods(_ name: String, _ method: Method) throws {
        #expect(try #require(try read("\(name) / HTTP/1.1\r\n\r\n")).method == method)
    }

    /// A head whose last byte is the last that the limit allows, and one byte more.
    @Test func theLimitIsExact() throws {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(try read(text, limit: text.utf8.count) != nil)
        #expect { try read(text, limit: text.utf8.count - 1) } throws: {
            ($0 as? HTTPViolation)?.kind == .headTooLarge
        }
        #expect(try read(text + String(repeating: "x", count: 100), limit: text.utf8.count) != nil)
    }

    @Test func positionsFollowBytesThatMoved() throws {
        let bytes = Array("....\(ordinary)".utf8)
        var parser = HeadParser.request(limit: 4096)
        let head = MessageHead()
        #expect(try !parser.read(bytes, 4..<40, into: head))
        let moved = Array(bytes.dropFirst(4))
        #expect(try parser.read(moved, 0..<moved.count, into: head))
        #expect(String(decoding: moved[head.target], as: UTF8.self) == "/v1/chat?x=1")
        head.base = 4
        #expect(String(decoding: bytes[head.value(head.fields[1])], as: UTF8.self) == "free, paid")
    }

    @Test func aHeadIsUsedAgain() throws {
        let head = MessageHead()
        for (text, count) in [("GET / HTTP/1.0\r\nA: b\r\nC: d\r\n\r\n", 2), ("PUT /x HTTP/1.1\r\n\r\n", 0)] {
            let bytes = Array(text.utf8)
            var parser = HeadParser.request(limit: 4096)
            #expect(try parser.read(bytes, 0..<bytes.count, into: head))
            #expect(head.fields.count == count)
        }
        #expect(head.method == .put && head.minorVersion == 1)
    }

    /// Heads one after the other, each much like the one before, are read as each alone is; whole, and cut.
    @Test(arguments: 0..<20)
    func whatWasReadBeforeChangesNothing(_ seed: UInt64) throws {
        var random = FastRandom(seed: seed)
        for isRequest in [true, false] {
            let reused = MessageHead()
            for round in 0..<200 {
                func any(_ choices: String...) -> String { choices.randomElement(using: &random) ?? "" }
                var text =
                    isRequest
                    ? any("", "", "\r\n") + any("POST", "POST", "GET")
                        + " /a\(any("", "", "b")) HTTP/1.\(any("1", "1", "0"))\r\n"
                    : "HTTP/1.1 \(any("200", "200", "404")) OK\r\n"
                for name in ["Host", "Content-Length", "X-Request-Id", "Date", "Authorization", "A"]
                where any("", "", "", "no").isEmpty {
                    // Rarely something that is no part of a value, or must not be there.
                    let odd = any("", "", "", "", "", "", "", "", "", "", " ", "\t", "é", "\u{1}", "\r", "\u{7F}")
                    let value = any("1", "1", "12", "", "abc", "a\tb c", " 1", "\tabc", "a rather long value")
                    text += "\(name): \(value)\(odd)\(any("", "", "2"))\r\n"
                }
                text += any("", "", "", "", "B : c\r\n", " d\r\n", "e\n", "f: \u{1}\r\n") + "\r\n"
                let bytes = Array("...\(text)body".utf8)
                let cuts =
                    round % 2 == 0 ? [] : (0..<2).map { _ in Int.random(in: 3..<bytes.count, using: &random) }.sorted()
                let fresh = MessageHead()
                #expect(
                    outcome(bytes, cuts, isRequest, reused) == outcome(bytes, cuts, isRequest, fresh),
                    "seed \(seed), round \(round): \(text)")
            }
        }
    }

    /// What is the same as before ends where the value did.
    @Test func aLineEndIsNoPartOfAValueThatHasGrown() throws {
        let head = MessageHead()
        for (text, isValid) in [("a: 1\r\nb: 2", true), ("a: 1\r3\r\nb: 2", false)] {
            let bytes = Array("...GET / HTTP/1.1\r\n\(text)\r\n\r\n".utf8)
            #expect(outcome(bytes, [], true, head).contains("malformed") != isValid)
        }
    }

    /// All that a head says, in words.
    private func outcome(_ bytes: [UInt8], _ cuts: [Int], _ isRequest: Bool, _ head: MessageHead) -> String {
        var parser = isRequest ? HeadParser.request(limit: 300) : .response(limit: 300)
        do {
            for end in cuts + [bytes.count] where try parser.read(bytes, 3..<end, into: head) {
                let fields = head.fields.map { "\($0.id) \(head.name($0)) \(head.value($0))" }
                let start = isRequest ? "\(head.method) \(head.target)" : "\(head.status)"
                return "\(start) \(head.minorVersion) \(head.base) \(head.length) \(fields)"
            }
            return "incomplete"
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: [
        ("close", true), ("Close", true), ("a, close", true), ("close,a", true), (" ,, close ,", true),
        ("closed", false),
        ("a close", false), ("", false), (",", false),
    ]) func listsAreSearchedTokenByToken(_ value: String, _ isListed: Bool) throws {
        let text = "GET / HTTP/1.1\r\nConnection: \(value)\r\n\r\n"
        #expect(try #require(try read(text)).lists(Token.close, in: .connection, Array(text.utf8)) == isListed)
    }

    @Test func listsMaySpanLines() throws {
        let text = "GET / HTTP/1.1\r\nConnection: a\r\nConnection: b, close\r\n\r\n"
        #expect(try #require(try read(text)).lists(Token.close, in: .connection, Array(text.utf8)))
    }

    @Test(arguments: [
        "HTTP/1.1 200 a\u{1}b\r\n\r\n", "HTTP/1.1 099 x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\n\r\n", "HTTP/1.1\r\n\r\n", "\r\n",
        "http/1.1 200 OK\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    ]) func refusesMoreOddResponses(_ text: String) {
        #expect { try read(text, request: false) } throws: { ($0 as? HTTPViolation)?.kind == .malformed }
        for cut in 0..<text.utf8.count {
            #expect { try read(text, request: false, cuts: [cut]) } throws: {
                ($0 as? HTTPViolation)?.kind == .malformed
            }
        }
    }

    /// What follows from a head alone is judged once for heads that repeat.
    @Test func onlyTheSameHeadIsRepeated() throws {
        let head = MessageHead()
        func read(_ text: String, inPieces pieces: Int = 1) throws -> Bool {
            let bytes = Array(text.utf8)
            var parser = HeadParser.request(limit: 4096)
            for piece in 1...pieces {
                let isComplete = try parser.read(bytes, 0..<bytes.count * piece / pieces, into: head)
                #expect(isComplete == (piece == pieces))
            }
            return head.isRepeated
        }
        let first = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n"
        let other = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n"
        for (text, pieces, isRepeated) in [
            (first, 1, false), (first, 1, true), (other, 1, false), (first, 1, false),
            // One that comes in pieces is read; the next is compared with it all the same.
            (first, 2, false), (first, 1, true),
        ] {
            #expect(try read(text, inPieces: pieces) == isRepeated)
        }
    }

    @Test func knowsTokenBytes() {
        let token = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for byte in UInt8.min...UInt8.max { #expect(isTokenByte(byte) == token.contains(byte), "byte \(byte)") }
    }

    @Test func knowsEveryFieldNameInAnyCase() {
        for id in FieldName.allCases where id != .other && id != .rateLimit {
            let name = FieldName.names[Int(id.rawValue)]
            #expect(FieldName.of(name, 0..<name.count) == id)
            let upper = String(decoding: name, as: UTF8.self).uppercased()
            #expect(FieldName.of(Array(upper.utf8), 0..<name.count) == id)
        }
        #expect(FieldName.of(Array("x-other".utf8), 0..<7) == .other)
    }

    @Test func saysWhetherTheConnectionLives() throws {
        let cases: [(String, Bool)] = [
            ("GET / HTTP/1.1\r\n\r\n", true), ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true),
        ]
        for (text, alive) in cases {
            #expect(try #require(try read(text)).keepsAlive(Array(text.utf8)) == alive, "\(text)")
        }
    }
}
