import Testing

@testable import Shared
@testable import Worker

@Suite struct EventStreamTests {
    private static var name: ByteBuffer { buffer("\"gpt-4\"") }

    struct Run: Equatable {
        var text = ""
        var failure: EventStream.Failure?
        var isDone = false
        var events = 0
        var tokens: Int?
        /// The piece that brought the first content.
        var contentIn: Int?
    }

    /// Feeds `text` in pieces of `size` bytes, then its end.
    private static func run(
        _ text: String, _ size: Int, _ operation: Endpoint.Operation = .chat, like templates: EventTemplates? = nil
    ) -> Run {
        let bytes = Array(text.utf8)
        let out = ByteBuffer(capacity: 16)
        var stream = EventStream()
        stream.begin(operation, like: templates)
        var run = Run()
        do throws(EventStream.Failure) {
            for start in stride(from: 0, to: bytes.count, by: size) {
                try stream.take(bytes, start..<min(start + size, bytes.count), name: name, into: out)
                if stream.hasContent, run.contentIn == nil { run.contentIn = start / size }
            }
            try stream.end(name: name, into: out)
        } catch {
            run.failure = error
        }
        run.text = string(out)
        run.isDone = stream.isDone
        run.events = stream.events
        run.tokens = stream.tokens
        return run
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var sent: String
        var expected: String
        var failure: EventStream.Failure?
        var operation = Endpoint.Operation.chat
    }

    private static let finished = #"{"model":"m","choices":[{"index":0,"finish_reason":"stop"}]}"#
    private static let finishedOut = #"{"model":"gpt-4","choices":[{"index":0,"finish_reason":"stop"}]}"#

    static let cases: [Case] = [
        Case(
            testDescription: "each event gets the public name",
            sent:
                "data: {\"id\":\"1\",\"model\":\"m\",\"x\":{\"model\":\"m\"}}\n\ndata: \(finished)\n\ndata: [DONE]\n\n",
            expected:
                "data: {\"id\":\"1\",\"model\":\"gpt-4\",\"x\":{\"model\":\"m\"}}\n\ndata: \(finishedOut)\n\ndata: [DONE]\n\n"
        ),
        Case(
            testDescription: "a forgotten [DONE] is added",
            sent: "data: \(finished)\n\n", expected: "data: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "the last event may lack its blank line",
            sent: "data: \(finished)\n\ndata: [DONE]", expected: "data: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "what follows [DONE] is dropped",
            sent: "data: \(finished)\n\ndata: [DONE]\n\ndata: {\"a\":1}\n\n",
            expected: "data: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "an end without a finish reason is a cut",
            sent: "data: {\"a\":1}\n\n", expected: "data: {\"a\":1}\n\n", failure: .cut),
        Case(testDescription: "an empty stream is a failure", sent: "", expected: "", failure: .empty),
        Case(
            testDescription: "[DONE] alone is an empty stream", sent: "data: [DONE]\n\n", expected: "", failure: .empty),
        Case(
            testDescription: "carriage returns and no space behind the colon",
            sent: "data:{\"model\":\"m\"}\r\n\r\ndata: \(finished)\r\n\r\ndata: [DONE]\r\n\r\n",
            expected: "data:{\"model\":\"gpt-4\"}\r\n\r\ndata: \(finishedOut)\r\n\r\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a carriage return alone ends a line",
            sent: "data: {\"model\":\"m\"}\r\rid: 1\revent: x\rdata: \(finished)\r\rdata: [DONE]\r\r",
            expected:
                "data: {\"model\":\"gpt-4\"}\n\nid: 1\nevent: x\ndata: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "line ends of all kinds beside each other",
            sent: "data: {\"a\":1}\r\n\r\ndata: {\"a\":2}\n\rid: 1\rdata: {\"a\":3}\r\r\ndata: \(finished)\r\n\r\n\r",
            expected:
                "data: {\"a\":1}\r\n\r\ndata: {\"a\":2}\n\nid: 1\ndata: {\"a\":3}\n\ndata: \(finishedOut)\n\n\ndata: [DONE]\n\n"
        ),
        Case(
            testDescription: "a carriage return is no white space behind an event",
            sent: "data: {\"a\":1}\r\r\n\n: x\n\ndata: {\"a\":2}\r \n\ndata: \(finished) \n\n",
            expected: "data: {\"a\":1}\n\n\n: x\n\ndata: {\"a\":2}\n \n\ndata: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "of line ends behind a carriage return alone, each counts once",
            sent: "data: {\"a\":1}\r\r\n\n\ndata: \(finished)\r\r\n\n",
            expected: "data: {\"a\":1}\n\n\n\ndata: \(finishedOut)\n\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a carriage return as the last byte ends the last event",
            sent: "data: \(finished)\n\n: a\n\r", expected: "data: \(finishedOut)\n\n: a\n\r\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a carriage return as the last byte ends the last line",
            sent: "data: \(finished)\r", expected: "data: \(finishedOut)\r\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "nothing is added to a stream that ends with a line",
            sent: "data: \(finished)\n", expected: "data: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a byte order mark before the first event is none of its bytes",
            sent: "\u{FEFF}data: \(finished)\n\ndata: [DONE]\n\n",
            expected: "data: \(finishedOut)\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a byte order mark is nothing later on", sent: "data: \(finished)\n\n\u{FEFF}data: {}\n\n",
            expected: "data: \(finishedOut)\n\n\u{FEFF}data: {}\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a byte order mark alone is an empty stream", sent: "\u{FEFF}", expected: "",
            failure: .empty),
        Case(
            testDescription: "names with escapes are the names that they spell",
            sent: "data: {\"mo\\u0064el\":\"m\",\"choices\":[{\"finish\\u005freason\":\"stop\"}]}\n\n",
            expected:
                "data: {\"mo\\u0064el\":\"gpt-4\",\"choices\":[{\"finish\\u005freason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        ),
        Case(
            testDescription: "other lines of an event are kept, comments before the first event are not",
            sent: ": hello\n\nevent: x\nid: 7\ndata: \(finished)\n\n: ping\n\ndata: [DONE]\n\n",
            expected: "event: x\nid: 7\ndata: \(finishedOut)\n\n: ping\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "data on several lines is joined",
            sent: "data: {\"model\":\ndata: \"m\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
            expected:
                "data: {\"model\":\"gpt-4\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "white space between tokens is left out, within strings it stays",
            sent: "id: 1\ndata: {\"a\" : \"x \\\" y\", \"choices\": [ {\"finish_reason\": \"stop\" } ] }\n\n",
            expected:
                "id: 1\ndata: {\"a\":\"x \\\" y\",\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "an event that is no JSON ends the stream",
            sent: "data: \(finished)\n\ndata: {\"a\":\n\n", expected: "data: \(finishedOut)\n\n",
            failure: .unparsable(reason: "the text ends too early at byte 5")),
        Case(
            testDescription: "an error event ends the stream",
            sent: "data: {\"a\":1}\n\ndata: {\"model\":\"m\",\"error\":{\"message\":\"too much\"}}\n\n",
            expected: "data: {\"a\":1}\n\n", failure: .reported(message: "too much")),
        Case(
            testDescription: "a null error is none",
            sent: "data: {\"error\":null,\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n",
            expected: "data: {\"error\":null,\"choices\":[{\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"),
        Case(
            testDescription: "a response is complete with its last event and has no [DONE]",
            sent:
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"m\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"m\",\"error\":null}}\n\n",
            expected:
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"gpt-4\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-4\",\"error\":null}}\n\n",
            operation: .response),
        Case(
            testDescription: "a response that just ends is cut",
            sent: "data: {\"type\":\"response.created\",\"response\":{}}\n\n",
            expected: "data: {\"type\":\"response.created\",\"response\":{}}\n\n", failure: .cut, operation: .response),
    ]

    @Test(arguments: cases)
    func rewritesHoweverItIsCut(_ c: Case) {
        for size in [1, 2, 3, 7, 64, 100_000] {
            let run = Self.run(c.sent, size, c.operation)
            #expect(run.text == c.expected, "in pieces of \(size)")
            #expect(run.failure == c.failure, "in pieces of \(size)")
        }
    }

    /// Cut by the upstream at every byte, a stream ends well only where its end was announced, and no half event
    /// leaves.
    @Test func everyCutStreamIsJudged() {
        let text =
            "data: {\"a\":1,\"model\":\"m\"}\n\n: x\n\ndata: \(Self.finished)\n\ndata: [DONE]\n\n"
        let announced = text.utf8.count - "data: [DONE]\n\n".utf8.count
        for count in 0...text.utf8.count {
            let run = Self.run(String(text.prefix(count)), 7)
            let endsWell = count >= announced - 2 && !(announced + 7..<announced + 12).contains(count)
            #expect((run.failure == nil) == endsWell, "\(count): \(String(describing: run.failure)) \(run.text)")
            for line in run.text.split(separator: "\n") where line.hasPrefix("data:") {
                #expect(line.hasSuffix("}") || line == "data: [DONE]", "\(count)")
            }
        }
    }

    @Test(arguments: [
        ("data: {\"model\":\"a\",\"model\":\"b\"}\n\n", "data: {\"model\":\"gpt-4\",\"model\":\"gpt-4\"}\n\n"),
        ("data: {\"model\":null}\n\n", "data: {\"model\":null}\n\n"),
        ("event: a\ndata: {\"x\":1}\nid: 2\n\n", "event: a\ndata: {\"x\":1}\nid: 2\n\n"),
        ("data:\n\ndata: {\"x\":1}\n\n", "data: {\"x\":1}\n\n"),
        ("database: 1\n\ndata: {\"x\":1}\n\n", "data: {\"x\":1}\n\n"),
        ("data: {\"x\":\"data: y\\n\"}\n\n", "data: {\"x\":\"data: y\\n\"}\n\n"),
        ("\n\n\ndata: {\"x\":1}\n\n\n\n", "data: {\"x\":1}\n\n\n\n"),
        ("data: {\"x\":1}\n\nretry: 5\n\n", "data: {\"x\":1}\n\nretry: 5\n\n"),
    ])
    func eventsAreWhatTheStandardSays(_ sent: String, _ expected: String) {
        for size in [1, 2, 5, 1000] { #expect(Self.run(sent, size).text == expected, "in pieces of \(size)") }
    }

    @Test(arguments: ["[1]", "\"x\"", "1", "null", "nope", "{\"a\":NaN}", "{\"a\":1}}", "[DONE", " [DONE]x"])
    func whatIsNoObjectEndsTheStream(_ data: String) {
        let run = Self.run("data: {\"a\":1}\n\ndata: \(data)\n\ndata: {\"b\":2}\n\n", 4)
        guard case .unparsable? = run.failure else {
            Issue.record("\(String(describing: run.failure))")
            return
        }
        #expect(run.text == "data: {\"a\":1}\n\n")
        #expect(!run.isDone)
    }

    @Test(arguments: ["response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"])
    func theLastEventOfAResponseEndsIt(_ type: String) {
        let run = Self.run("data: {\"type\":\"\(type)\"}\n\ndata: {\"more\":1}\n\n", 3, .response)
        #expect(run.isDone)
        #expect(run.failure == nil)
        #expect(run.text == "data: {\"type\":\"\(type)\"}\n\n")
    }

    /// The second half of a CR LF that may follow is not worth a wait.
    @Test func anEventThatEndsWithACarriageReturnNeedNotWait() throws {
        var stream = EventStream()
        stream.begin(.chat)
        let out = ByteBuffer(capacity: 16)
        for piece in ["data: {\"a\":1}\r\r", "\ndata: {\"a\":2}\r", "\r"] {
            let bytes = Array(piece.utf8)
            try stream.take(bytes, 0..<bytes.count, name: Self.name, into: out)
            #expect(stream.events == (piece.hasPrefix("data") ? 1 : piece == "\r" ? 2 : 1), "\(piece)")
        }
        #expect(string(out) == "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n")
    }

    @Test func aStreamIsUsedAgain() throws {
        var stream = EventStream()
        let out = ByteBuffer(capacity: 16)
        for _ in 0..<3 {
            stream.begin(.chat)
            let half = Array("data: {\"a\":".utf8)
            try stream.take(half, 0..<half.count, name: Self.name, into: out)
        }
        stream.begin(.chat)
        let whole = Array("data: {\"b\":1}\n\n".utf8)
        try stream.take(whole, 0..<whole.count, name: Self.name, into: out)
        #expect(string(out) == "data: {\"b\":1}\n\n")
        #expect(stream.events == 1)
    }

    /// Events that are known by earlier ones, of the same stream or of others, pass as they do when each is read.
    @Test(arguments: 0..<40)
    func whatIsAlikeIsPassedAsIfItWereRead(_ seed: UInt64) throws {
        var random = FastRandom(seed: seed)
        let shared = EventTemplates()
        for operation in [Endpoint.Operation.chat, .response, .chat] {
            let text = Self.someEvents(using: &random)
            for size in [1, 40, 333, 10_000] {
                let read = Self.run(text, size, operation)
                var whole = Self.run(text, 10_000, operation)
                whole.contentIn = read.contentIn
                #expect(read == whole, "seed \(seed), cut at \(size)")
                #expect(Self.run(text, size, operation, like: EventTemplates()) == read, "seed \(seed), cut at \(size)")
                #expect(Self.run(text, size, operation, like: shared) == read, "seed \(seed), shared, cut at \(size)")
            }
        }
    }

    /// Half of the texts are of one shape, so that they are known for long: what they say differs alone.
    private static func someEvents(using random: inout FastRandom) -> String {
        func any(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }
        let isOfOneShape = Bool.random(using: &random)
        func shape(_ choices: [String]) -> String { isOfOneShape ? choices[0] : any(choices) }
        var text = ""
        let id = any(["i", "chatcmpl-1", "chatcmpl-22"])
        let silent = Int.random(in: 0...8, using: &random)
        // More than are looked for at a time, where they are alike.
        for number in 0..<(isOfOneShape && Bool.random(using: &random) ? 150 : 30) {
            let content =
                number < silent
                ? "" : any(["", "a", "Hello", " wörld", "\\n", "\\\"", "\\\\", "\\ud83d\\ude00", "\u{1F600}"])
            let type = shape([
                "response.output_text.delta", number < silent ? "response.created" : "response.output_text.delta",
                "response.completed",
            ])
            let number = any(["0", "7", "12", "-1.5e3"])
            let end = shape([
                "", "", "", ",\"usage\":null", ",\"usage\":{\"total_tokens\":\(number)}", ",\"model\":\"n\"",
                ",\"error\":null", ",\"error\":\"\(content)\"", ",\"a\":", " ,\"b\":1", ",\"b\":01",
                ",\"b\":\"\u{1}\"",
            ])
            let reason = any(["null", "null", "null", "\"stop\"", "\"\(content)\""])
            let role = shape(["", "", "\"role\":\"assistant\","])
            let delta = shape(["", "", "", ",\"refusal\":\"\"", ",\"refusal\":\"\(content)\""])
            let choice =
                "{\"index\":\(number),\"delta\":{\(role)\"content\":\"\(content)\"\(delta)},\"finish_reason\":\(reason)}"
            text += shape(["", "", "", "event: x\n", ": y\n", "id: \(number)\n"])
            text += "data: {\"id\":\"\(id)\",\"type\":\"\(type)\",\"model\":\"m\",\"choices\":[\(choice)]\(end)}"
            text += shape(["\n\n", "\n\n", "\r\n\r\n", "\n\n: ping\n\n", "\n\ndata: [DONE]\n\n"])
        }
        return text
    }

    private static func chunk(_ id: String, _ delta: String, _ reason: String = "null") -> String {
        "data: {\"id\":\"\(id)\",\"model\":\"m\",\"choices\":[{\"delta\":\(delta),\"finish_reason\":\(reason)}]}\n\n"
    }

    /// A stream is judged by its own events, whatever the deployment has sent to others.
    @Test func whatAnotherStreamSaidIsNotSaidByThisOne() {
        let templates = EventTemplates()
        let said = Self.chunk("a", "{\"content\":\"x\"}")
        let whole = said + said + Self.chunk("a", "{\"content\":\"\"}") + Self.chunk("a", "{}", "\"stop\"")
        for _ in 0..<3 {
            #expect(Self.run(whole, 10_000, like: templates).failure == nil)
            // No reason to end was given.
            #expect(Self.run(said + Self.chunk("b", "{\"content\":\"\"}"), 10_000, like: templates).failure == .cut)
            // An event like one that brought content, without content.
            var stream = EventStream()
            stream.begin(.chat, like: templates)
            let bytes = Array(Self.chunk("c", "{\"content\":\"\"}").utf8)
            #expect(throws: Never.self) {
                try stream.take(bytes, 0..<bytes.count, name: Self.name, into: ByteBuffer(capacity: 16))
            }
            #expect(!stream.hasContent)
        }
    }

    /// Kinds of events that come in turn are all known.
    @Test func severalKindsAreKnown() {
        let templates = EventTemplates()
        let kinds = ["{\"content\":\"x\"}", "{\"reasoning\":\"x\"}", "{\"tool_calls\":[{\"index\":0}]}", "{}"]
        for kind in kinds {
            _ = Self.run(Self.chunk("a", "{\"content\":\"x\"}") + Self.chunk("a", kind), 999, like: templates)
        }
        let out = ByteBuffer(capacity: 16)
        var latest: Int?
        for _ in 0..<2 {
            for kind in kinds {
                let bytes = Array(Self.chunk("other", kind.replacing("\"x\"", with: "\"yy\"")).utf8)
                let name = Self.name
                let passed = templates.pass(
                    bytes, bytes.indices, .chat, hasContent: false, after: &latest, name, out)
                #expect(passed.count == 1 && passed.end == bytes.count, "\(kind)")
                #expect(passed.notes.hasContent == (kind != "{}"))
                // Those of another operation are not.
                let other = templates.pass(
                    bytes, bytes.indices, .response, hasContent: false, after: &latest, name, out)
                #expect(other.count == 0)
            }
        }
    }

    /// Whatever order they come in, in one piece or in several, and whichever streams come in between: more of them than there
    /// is room for are known as far as that goes.
    @Test(arguments: 1...11)
    func kindsAreKnownInAnyOrder(_ number: Int) {
        let templates = EventTemplates()
        func event(_ kind: Int) -> String { Self.chunk("a", "{\"content\":\"x\",\"kind_\(kind)\":\"y\"}") }
        // The second one shows that to know the first is worth the trouble.
        for kind in 0..<number { _ = Self.run(event(kind) + event(kind), 9999, like: templates) }
        var random = FastRandom(seed: UInt64(number))
        var streams = [Int?](repeating: nil, count: 3)
        for _ in 0..<200 {
            let out = ByteBuffer(capacity: 16)
            let stream = Int.random(in: 0..<3, using: &random)
            // The latest eight.
            let kinds = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Int.random(in: max(0, number - 8)..<number, using: &random)
            }
            let text = kinds.map(event).joined()
            let bytes = Array("\(text)data: [DONE]\n\n".utf8)
            let passed = templates.pass(
                bytes, bytes.indices, .chat, hasContent: true, after: &streams[stream], Self.name, out)
            #expect(passed.count == kinds.count && passed.end == text.utf8.count)
            #expect(string(out) == text.replacing("\"m\"", with: "\"gpt-4\""))
        }
    }

    @Test func boundsOneEvent() {
        let line = [UInt8](repeating: 0x61, count: 1 << 10)
        var stream = EventStream(longestEvent: 16 << 10)
        stream.begin(.chat)
        let out = ByteBuffer(capacity: 16)
        #expect(throws: EventStream.Failure.tooLong) {
            for _ in 0..<20 { try stream.take(line, line.startIndex..<line.endIndex, name: Self.name, into: out) }
        }
    }
}

func buffer(_ text: String) -> ByteBuffer {
    let buffer = ByteBuffer(capacity: 16)
    buffer.append(text)
    return buffer
}

func string(_ buffer: ByteBuffer) -> String {
    String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
}
