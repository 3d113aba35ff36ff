import Testing

@testable import Shared
@testable import Worker

@Suite struct AnswerTests {
    private func rewrite(_ text: String, _ operation: Endpoint.Operation = .chat) throws -> String {
        let bytes = Array("HEAD\(text)".utf8)
        let name = buffer(#""gpt-4""#)
        var answer = Answer()
        try answer.read(bytes, 4..<bytes.count, name: name, operation)
        var sent: [UInt8] = []
        for piece in answer.pieces { sent += piece.source == 0 ? bytes[piece.range] : name.storage[piece.range] }
        #expect(sent.count == answer.length)
        return String(decoding: sent, as: UTF8.self)
    }

    @Test func carriesThePublicName() throws {
        #expect(
            try rewrite(#" {"id":"1","model" : "gpt-4o-2024","choices":[{"model":"x"}]} "#)
                == #" {"id":"1","model" : "gpt-4","choices":[{"model":"x"}]} "#)
        #expect(try rewrite(#"{"object":"list"}"#) == #"{"object":"list"}"#)
        #expect(try rewrite(#"{"model":null}"#) == #"{"model":null}"#)
    }

    @Test(arguments: [
        (#"{"model":"a","model":"b"}"#, #"{"model":"gpt-4","model":"gpt-4"}"#), (#"{"model":1}"#, #"{"model":1}"#),
        (#"{"model":{"model":"x"}}"#, #"{"model":{"model":"x"}}"#),
        (#"{"error":null,"model":"m"}"#, #"{"error":null,"model":"gpt-4"}"#),
        (#"{"models":"m","mode":"m"}"#, #"{"models":"m","mode":"m"}"#), (#"{"model":""}"#, #"{"model":"gpt-4"}"#),
        (#"{"mo\u0064el":"m"}"#, #"{"mo\u0064el":"gpt-4"}"#),
        (#"{"\u006dodel":"m","model":"n"}"#, #"{"\u006dodel":"gpt-4","model":"gpt-4"}"#),
        (#"{"mode\n":"m"}"#, #"{"mode\n":"m"}"#),
        ("{}", "{}"), (#"{"x":"é\u00e9","model":"m","y":[ ]}"#, #"{"x":"é\u00e9","model":"gpt-4","y":[ ]}"#),
    ])
    func onlyTheModelsNameIsChanged(_ text: String, _ expected: String) throws {
        #expect(try rewrite(text) == expected)
    }

    /// What is known by the answer before it is what reading finds, the failures included.
    @Test(arguments: 0..<20)
    func whatIsAlikeIsAnsweredAsIfItWereRead(_ seed: UInt64) {
        var random = FastRandom(seed: seed)
        func any(_ choices: String...) -> String { choices.randomElement(using: &random) ?? "" }
        let name = buffer(#""gpt-4""#)
        let template = AnswerTemplate()
        var known = Answer()
        for _ in 0..<300 {
            let blank = any("", "", "", " ", "\n")
            let text =
                any("{\"id\":", "{\"id\":", "[") + any("\"1\"", "\"22\"", "null") + ",\(blank)\"model\":"
                + any("\"m\"", "\"m\"", "\"n\"", "1") + ",\"choices\":[{\"text\":"
                + any("\"a\"", "\"bcd\\n\"", "\"é\"", "\"\u{1}\"", "\"") + "}],\"created\":" + any("1", "23", "01")
                + any("", "", ",\"error\":null", ",\"error\":\"x\"", ",\"error\":{\"message\":\"y\"}")
                + ",\"usage\":{\"total_tokens\":" + any("1", "200", "x") + any("}}", "}}", "}}\n", "}}}")
            let bytes = Array("HEAD\(text)".utf8)
            for operation in [Endpoint.Operation.chat, .response] {
                var read = Answer()
                func judge(_ answer: inout Answer, _ template: AnswerTemplate?) -> Answer.Failure? {
                    do throws(Answer.Failure) {
                        try answer.read(bytes, 4..<bytes.count, name: name, operation, like: template)
                        return nil
                    } catch {
                        return error
                    }
                }
                let expected = judge(&read, nil)
                #expect(judge(&known, template) == expected, "\(text)")
                guard expected == nil else { continue }
                #expect(known.pieces == read.pieces && known.length == read.length, "\(text)")
                #expect(known.tokens(bytes) == read.tokens(bytes), "\(text)")
            }
        }
    }

    /// Usual answers are known again, those that are too long or never alike are not kept.
    @Test func whatIsAlikeIsFound() throws {
        let template = AnswerTemplate()
        var parts = AnswerTemplate.Parts()
        let first = Array(#"{"id":"1","model":"m","usage":{"total_tokens":7}}"#.utf8)
        let second = Array(#"{"id":"234","model":"m","usage":{"total_tokens":89}}"#.utf8)
        #expect(!template.find(&parts, first, 0..<first.count))
        template.learn(.init(names: [18..<21], usage: 30..<48), first, 0..<first.count)
        #expect(template.find(&parts, second, 0..<second.count))
        #expect(parts == .init(names: [20..<23], usage: 32..<51))
        let long = [UInt8](repeating: 0x20, count: 5000)
        template.learn(.init(), long, 0..<long.count)
        #expect(!template.find(&parts, long, 0..<long.count))
        for _ in 0..<5 { template.learn(.init(), first, 0..<first.count) }
        #expect(!template.find(&parts, first, 0..<first.count))
    }

    @Test func everyCutAnswerIsAFailure() {
        let text = #"{"id":"1","model":"m","choices":[{"a":[1,2]}]}"#
        for count in 0..<text.utf8.count {
            #expect(throws: Answer.Failure.self) { try rewrite(String(text.prefix(count))) }
        }
    }

    @Test func anAnswerIsUsedAgain() throws {
        let name = buffer(#""gpt-4""#)
        var answer = Answer()
        let bad = Array("{".utf8)
        #expect(throws: Answer.Failure.self) { try answer.read(bad, 0..<1, name: name, .chat) }
        let good = Array(#"{"model":"m"}"#.utf8)
        try answer.read(good, 0..<good.count, name: name, .chat)
        #expect(answer.length == #"{"model":"gpt-4"}"#.utf8.count)
        answer.pass(3..<10)
        #expect(answer.pieces == [Piece(source: 0, range: 3..<10)])
        #expect(answer.length == 7)
    }

    @Test(arguments: [
        (#"{"error":{"message":"a\u0062"}}"#, "ab"), (#"{"error":{"code":1}}"#, #"{"code":1}"#),
        (#"{"error":["x"]}"#, #"["x"]"#),
        (#"{"error":true}"#, "true"), (#"{"id":"1","error":{"message":"no"}}"#, "no"), (#"{"\u0065rror":"no"}"#, "no"),
    ])
    func errorsWithinSayWhatTheySay(_ text: String, _ message: String) {
        #expect(throws: Answer.Failure.reported(message: message)) { try rewrite(text) }
    }

    @Test func anErrorWithinIsAFailure() {
        #expect(throws: Answer.Failure.reported(message: "no")) { try rewrite(#"{"error":{"message":"no"}}"#) }
        #expect(throws: Answer.Failure.reported(message: "no")) { try rewrite(#"{"error":"no"}"#) }
    }

    @Test func aFailedResponseIsAnAnswer() throws {
        let text = #"{"id":"resp_1","status":"failed","error":{"message":"no"}}"#
        #expect(try rewrite(text, .response) == text)
    }

    @Test(arguments: ["", "   ", "not json", "{\"a\":", "[1]", "{\"a\":1} x"])
    func whatIsNoObjectIsAFailure(_ text: String) {
        #expect(throws: Answer.Failure.self) { try rewrite(text) }
    }

    @Test(arguments: Endpoint.Operation.allCases)
    func mocksAreValid(_ operation: Endpoint.Operation) throws {
        let mock = MockAnswer(
            operation: operation, text: "a \"quote\"\n", name: buffer("\"m\""), id: "1", created: 7, inputs: 2)
        let body = ByteBuffer(capacity: 16)
        mock.body(into: body)
        let text = string(body)
        #expect(try rewrite(text, operation) == text.replacing("\"m\"", with: "\"gpt-4\"", maxReplacements: 1))
        guard operation != .embedding else { return }
        let events = ByteBuffer(capacity: 16)
        mock.events(into: events)
        var stream = EventStream()
        stream.begin(operation)
        let out = ByteBuffer(capacity: 16)
        try stream.take(events.storage, events.readable, name: buffer("\"m\""), into: out)
        #expect(stream.isDone)
        #expect(string(out) == string(events))
    }
}

@Suite struct UpstreamErrorTests {
    @Test(arguments: [
        (#"{"error":{"message":"m","code":"c"}}"#, "m", "c"), (#"{"error":"m"}"#, "m", ""),
        (#" {"message":"m"}"#, "m", ""), (#"{"detail":"m"}"#, "m", ""), ("plain", "plain", ""), ("", "Bad Gateway", ""),
        (#"{"error":{"code":3}}"#, #"{"code":3}"#, ""), (#"{"error":null,"message":"a\nb"}"#, "a\nb", ""),
    ])
    func readsWhatUpstreamsSay(_ body: String, _ message: String, _ code: String) {
        let bytes = Array(body.utf8)
        let read = UpstreamError.read(bytes, 0..<bytes.count, 502)
        #expect(read.message == message)
        #expect(read.code == code)
    }

    @Test func wordsOfAMessageNeverChangeTheStatus() {
        for message in ["No deployments available", "Not allowed to access model due to tags configuration", "429"] {
            let answer = GatewayError.upstreamStatus(500, message: message, code: "", group: "g").answer
            #expect(answer.status == 500)
        }
    }
}
