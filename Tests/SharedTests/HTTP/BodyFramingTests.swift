import Testing

@testable import Shared

@Suite struct BodyFramingTests {
    private func head(_ fields: String, version: String = "1.1") throws -> (MessageHead, [UInt8]) {
        let bytes = Array("POST / HTTP/\(version)\r\n\(fields)\r\n".utf8)
        var parser = HeadParser.request(limit: 4096)
        let head = MessageHead()
        _ = try parser.read(bytes, 0..<bytes.count, into: head)
        return (head, bytes)
    }

    @Test(arguments: [
        ("Host: a\r\n", BodyFraming.none), ("Host: a\r\nContent-Length: 0\r\n", .length(0)),
        ("Host: a\r\nContent-Length: 12\r\n", .length(12)), ("Host: a\r\nTransfer-Encoding: Chunked\r\n", .chunked),
    ]) func framesRequests(_ fields: String, _ framing: BodyFraming) throws {
        let (head, bytes) = try head(fields)
        #expect(try BodyFraming.request(head, bytes) == framing)
    }

    @Test(arguments: [
        "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "Host: a\r\nContent-Length: 1, 1\r\n", "Host: a\r\nContent-Length: +1\r\n", "Host: a\r\nContent-Length: -1\r\n",
        "Host: a\r\nContent-Length: 0x1\r\n", "Host: a\r\nContent-Length: \r\n", "Content-Length: 1\r\n",
        "Host: a\r\nContent-Length: 99999999999999999999\r\n", "Host: a\r\nHost: b\r\n",
        "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n",
        "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Host: a\r\nTransfer-Encoding: identity\r\n", "Host: a\r\nTransfer-Encoding: xchunked\r\n",
    ]) func refusesAmbiguousRequests(_ fields: String) throws {
        let (head, bytes) = try head(fields)
        #expect(throws: HTTPViolation.self) { try BodyFraming.request(head, bytes) }
    }

    @Test(arguments: [
        "", "a", "localhost:4000", "example.org:", "a_b-c.example", "127.0.0.1:80", "[::1]", "[::1]:4000", "[v1.a:b]:1",
        "ex%41mple", "xn--bcher-kva.example:443", "a!$&'()*+,;=~.b",
    ]) func takesHosts(_ host: String) throws {
        let (head, bytes) = try head("Host: \(host)\r\n")
        #expect(try BodyFraming.request(head, bytes) == .none)
    }

    /// RFC 9112 §3.2.
    @Test(arguments: [
        "a b", "a, b", "a/b", "http://a", "user@a", "a:80x", "a:b:1", "a:-1", "::1", "[::1", "[]", "[::1]x", "[::1]:x",
        "[::1]]", "a]", "a?b", "a#b", "a\\b", "\"a\"", "<a>", "a%4", "a%zz", "%", "bücher.example", "a\tb", "{a}",
        "a|b",
    ]) func refusesWrongHosts(_ host: String) throws {
        let (head, bytes) = try head("Host: \(host)\r\n")
        #expect(throws: HTTPViolation(.malformed, "an invalid Host header")) { try BodyFraming.request(head, bytes) }
        let (old, oldBytes) = try self.head("Host: \(host)\r\n", version: "1.0")
        #expect(throws: HTTPViolation.self) { try BodyFraming.request(old, oldBytes) }
    }

    private func response(_ text: String, to method: Shared.Method) throws -> BodyFraming {
        let bytes = Array(text.utf8)
        var parser = HeadParser.response(limit: 4096)
        let head = MessageHead()
        #expect(try parser.read(bytes, 0..<bytes.count, into: head))
        return try BodyFraming.response(head, bytes, to: method)
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Shared.Method.post, BodyFraming.length(5)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .post, .chunked),
        ("HTTP/1.1 200 OK\r\n\r\n", .post, .untilClose), ("HTTP/1.0 200 OK\r\n\r\n", .get, .untilClose),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .head, .none),
        ("HTTP/1.1 204 No Content\r\n\r\n", .post, .none),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", .get, .none),
        ("HTTP/1.1 100 Continue\r\n\r\n", .post, .none),
        ("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", .post, .length(0)),
    ]) func framesResponses(_ text: String, _ method: Shared.Method, _ framing: BodyFraming) throws {
        #expect(try response(text, to: method) == framing)
    }

    /// An upstream that says two things is not believed either, whatever the answer is to.
    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: x\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: \r\n",
    ]) func refusesAmbiguousResponses(_ fields: String) throws {
        for method in [Shared.Method.post, .head] {
            #expect(throws: HTTPViolation.self) { try response("HTTP/1.1 200 OK\r\n\(fields)\r\n", to: method) }
        }
    }

    @Test(arguments: [
        ("Transfer-Encoding: gzip\r\n", HTTPViolation.Kind.transferCoding), ("Content-Length: 1,1\r\n", .malformed),
        ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", .malformed),
    ]) func saysWhichKindOfRefusal(_ fields: String, _ kind: HTTPViolation.Kind) throws {
        let (head, bytes) = try head("Host: a\r\n\(fields)")
        #expect { try BodyFraming.request(head, bytes) } throws: { ($0 as? HTTPViolation)?.kind == kind }
    }

    @Test func allowsNoHostOnlyInOldRequests() throws {
        let (old, bytes) = try head("", version: "1.0")
        #expect(try BodyFraming.request(old, bytes) == .none)
        let (chunked, more) = try head("Transfer-Encoding: chunked\r\n", version: "1.0")
        #expect(throws: HTTPViolation.self) { try BodyFraming.request(chunked, more) }
    }
}

@Suite struct ChunkedDecoderTests {
    /// What is taken at once is what `next` finds.
    @Test(arguments: [
        ("5\r\nhello\r\n", 3..<8), ("5\r\nhello\r\n2\r\nhi\r\n", 3..<8), ("05\r\nhello\r\n0\r\n\r\n", 4..<9),
        ("1\r\n\r\r\n0\r", 3..<4), ("1\r\n\r\r\n", nil), ("1\r\n\r\r\n0", nil),
        ("A\r\n0123456789\r\n", 3..<13), ("", nil), ("1", nil), ("1\r\n", nil),
        ("5\r\nhello", nil), ("5\r\nhello\r", nil), ("5\r\nhell\r\n", nil), ("5\r\nhellos\r\n", nil),
        ("0\r\n\r\n", nil), ("\r\nx\r\n", nil), ("5;a\r\nhello\r\n", nil), ("5 \r\nhello\r\n", nil),
        ("g\r\nhello\r\n", nil), ("000000005\r\nhello\r\n", nil), ("ffffffff\r\nhello\r\n", nil), ("5\nhello\r\n", nil),
    ]) func takesAWholeChunkAtOnce(_ text: String, _ data: Range<Int>?) throws {
        let bytes = Array(text.utf8)
        var decoder = ChunkedDecoder()
        #expect(decoder.chunk(bytes, 0..<bytes.count) == data)
        for shift in 1...3 {
            let moved = [UInt8](repeating: 0x35, count: shift) + bytes
            let expected = data.map { $0.lowerBound + shift..<$0.upperBound + shift }
            #expect(decoder.chunk(moved, shift..<moved.count) == expected)
        }
        guard let data else { return }
        var position = 0
        #expect(try decoder.next(bytes, &position, data.upperBound + 2) == .data(data))
        #expect(decoder.chunk(bytes, 0..<bytes.count) == nil, "within a chunk")
    }

    /// The data of `text`, given in pieces that end at `cuts`, and how much of the text was used.
    private func decode(_ text: String, cuts: [Int] = []) throws -> (data: String, used: Int, complete: Bool) {
        let bytes = Array(text.utf8)
        var decoder = ChunkedDecoder()
        var data: [UInt8] = []
        var position = 0
        for cut in cuts + [bytes.count] {
            feeding: while true {
                switch try decoder.next(bytes, &position, cut) {
                case .data(let range): data += bytes[range]
                case .needsMore: break feeding
                case .end: return (String(decoding: data, as: UTF8.self), position, true)
                }
            }
        }
        return (String(decoding: data, as: UTF8.self), position, false)
    }

    private let text = "5\r\nhello\r\n1;a=\"b\"\r\n,\r\n00006\r\n world\r\n0\r\nTrailer: x\r\n\r\nnext"

    @Test func joinsChunksAndStopsAtTheEnd() throws {
        let whole = try decode(text)
        #expect(whole.data == "hello, world" && whole.complete && whole.used == text.utf8.count - 4)
        for cut in 0..<whole.used {
            let pieces = try decode(text, cuts: [cut])
            #expect(pieces.data == whole.data && pieces.used == whole.used, "cut at \(cut)")
            #expect(try !decode(String(decoding: text.utf8.prefix(cut), as: UTF8.self)).complete)
        }
        #expect(try decode(text, cuts: Array(0..<whole.used)).data == whole.data)
    }

    @Test(arguments: [
        ("0\r\n\r\n", ""), ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
        ("000000000000001\r\nx\r\n000\r\n\r\n", "x"), ("1 ;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
        ("1\t\r\nx\r\n0\r\n\r\n", "x"),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"), ("5\r\n0\r\n\r\n\r\n0\r\nA: b\r\nC: d\r\n\r\n", "0\r\n\r\n"),
        ("1;\"a;b\"\r\nx\r\n0\r\n\r\n", "x"),
    ]) func decodesHoweverItIsCut(_ text: String, _ data: String) throws {
        for cut in 0..<text.utf8.count {
            let result = try decode(text, cuts: [cut])
            #expect(result.data == data && result.complete && result.used == text.utf8.count, "cut at \(cut)")
        }
        #expect(try decode(text, cuts: Array(0..<text.utf8.count)).data == data)
    }

    /// RFC 9112 §7.1.1: behind blanks comes an extension or the end of the line, not a second size.
    @Test(arguments: ["5 6\r\nhello\r\n", "5 x\r\n", "5\tx;y\r\n", "5  0\r\n"])
    func refusesWhatTwoReadersCouldTakeForTwoSizes(_ text: String) {
        #expect(throws: HTTPViolation.self) { try decode(text) }
    }

    @Test func trailersAndExtensionsAreBounded() throws {
        let line = "T: " + String(repeating: "x", count: 1000) + "\r\n"
        let few = "0\r\n" + String(repeating: line, count: 8) + "\r\n"
        #expect(try decode(few).complete)
        let many = "0\r\n" + String(repeating: line, count: 9) + "\r\n"
        #expect(throws: HTTPViolation.self) { try decode(many) }
        let extensions = String(repeating: "1;" + String(repeating: "e", count: 100) + "\r\nx\r\n", count: 100)
        #expect(throws: HTTPViolation.self) { try decode(extensions) }
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\rX", "5\r\nhello\n", "-1\r\n", "0x5\r\n",
        "ffffffffffffffff\r\n", "1\r\na\r\n0\r\nbad\0\r\n\r\n", "5 \rhello", "1;\u{1}\r\n",
        "1;" + String(repeating: "x", count: 9000),
    ]) func refusesOddCoding(_ text: String) {
        #expect(throws: HTTPViolation.self) { try decode(text) }
        #expect(throws: HTTPViolation.self) { try decode(text, cuts: Array(0..<text.utf8.count)) }
    }
}
