import Testing

@testable import Shared
@testable import Worker

/// A request that is like an earlier one is not read; what is found in it is the same.
@Suite struct RequestTemplatesTests {
    private static let table = RoutingTable(Configuration())

    /// All that a request was found to say.
    private static func found(
        _ text: String, _ operation: Endpoint.Operation, _ templates: RequestTemplates?
    ) throws -> (isRecalled: Bool, said: [String]) {
        let bytes = Array("HEAD\(text)NEXT".utf8)
        let request = CompletionRequest(templates)
        do throws(GatewayError) {
            try request.read(bytes, 4..<bytes.count - 4, operation)
        } catch {
            return (request.isRecalled, ["\(error)"])
        }
        func shown(_ member: JSONScanner.Member?) -> String {
            member.map {
                "\($0.kind) \(String(decoding: bytes[$0.key], as: UTF8.self)) "
                    + String(decoding: bytes[$0.value], as: UTF8.self)
            } ?? "-"
        }
        var said = request.kept.map { String(decoding: bytes[$0], as: UTF8.self) }
        said += [
            shown(request.model), "\(request.model?.valueIsEscaped ?? false)", "\(request.isStream)",
            "\(request.numRetries ?? -1) \(request.timeout ?? -1) \(request.streamTimeout ?? -1)",
            shown(request.generalFallbacks), "\(request.disablesFallbacks)", "\(request.inputs(bytes))",
        ]
        for name in ["user", "temperature", "n", "absent"] { said.append("\(request.gives(Array(name.utf8), bytes))") }
        let tags = RequestTags()
        do throws(GatewayError) {
            try request.addTags(bytes, header: nil, to: tags, table)
        } catch {
            said.append("\(error)")
        }
        request.replace(members: nil, bytes)
        return (request.isRecalled, said + [tags.description])
    }

    private static let chat =
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]}"#

    @Test(arguments: [
        chat,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"a much longer text than before, of some blocks, \"quoted\""}],"temperature":0.5,"tags":["free","eu"]}"#,
        #"{"model":"","messages":[{"role":"","content":""}],"temperature":1,"tags":["",""]}"#,
        #"{"model":"g\u0070t","messages":[{"role":"user","content":"漢字"}],"temperature":-1.25e3,"tags":["paid","us"]}"#,
        #"{"model":"x","messages":[{"role":"user","content":"hi"}],"temperature":100000,"tags":["\n","!x"]}"#,
    ])
    func likeOnesAreRecalled(_ text: String) throws {
        let templates = RequestTemplates()
        #expect(try !Self.found(Self.chat, .chat, templates).isRecalled)
        for _ in 0..<2 {
            let (isRecalled, said) = try Self.found(text, .chat, templates)
            #expect(isRecalled)
            #expect(said == (try Self.found(text, .chat, nil).said))
        }
    }

    @Test(arguments: [
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free"]}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"],"n":1}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"},{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]}"#,
        #"{"model":null,"messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]}"#,
        #"{"modes":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":0.5,"tags":["free","eu"]}}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"\ud800"}],"temperature":0.5,"tags":["free","eu"]}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"temperature":05,"tags":["free","eu"]}"#,
        "{}", "",
    ])
    func othersAreRead(_ text: String) throws {
        let templates = RequestTemplates()
        _ = try Self.found(Self.chat, .chat, templates)
        let (isRecalled, said) = try Self.found(text, .chat, templates)
        #expect(!isRecalled)
        #expect(said == (try Self.found(text, .chat, nil).said))
    }

    /// Whatever members there are, and whichever operation asks.
    @Test func nothingDependsOnWhetherABodyIsRecalled() throws {
        let members = [
            #""model":"a/\#(1)""#, #""messages":[]"#, #""messages":[{"content":"x"}]"#, #""prompt":"p""#,
            #""input":["a","b"]"#, #""stream":true"#, #""stream":false"#, #""num_retries":3"#, #""timeout":"2.5""#,
            #""stream_timeout":7"#, #""fallbacks":["b",{"model":"c","messages":[]}]"#, #""disable_fallbacks":true"#,
            #""metadata":{"tags":["m"],"user_id":"u1"}"#, #""litellm_metadata":{"tags":["l"]}"#, #""tags":["free"]"#,
            #""user":"someone""#, #""n":12"#, #""us\u0065r":"twice""#, #""api_base":"http://x""#, #""model":"again""#,
            #""tags":"wrong""#, #""tags":[1]"#,
        ]
        var random = FastRandom(seed: 7)
        let templates = RequestTemplates()
        var recalled = 0
        for _ in 0..<3000 {
            let count = Int.random(in: 0...5, using: &random)
            let chosen = (0..<count).map { _ in members[Int.random(in: 0..<members.count, using: &random)] }
            let first = "{\(chosen.joined(separator: ","))}"
            // The same again with other letters and digits.
            let second = first.replacing("x", with: "yy").replacing("u1", with: "").replacing("12", with: "7")
            let operation = Endpoint.Operation.allCases[Int.random(in: 0..<4, using: &random)]
            for text in [first, second, first] {
                let (isRecalled, said) = try Self.found(text, operation, templates)
                if isRecalled { recalled += 1 }
                try #require(said == (try Self.found(text, operation, nil).said), "\(text)")
            }
        }
        #expect(recalled > 300, "\(recalled)")
    }

    @Test func bodiesTooLargeToCompareSayNothingOfTheOthers() throws {
        let templates = RequestTemplates()
        let large = Self.chat.replacing("hi", with: String(repeating: "a", count: 5000))
        #expect(try !Self.found(Self.chat, .chat, templates).isRecalled)
        for _ in 0..<20 { #expect(try !Self.found(large, .chat, templates).isRecalled) }
        #expect(try Self.found(Self.chat, .chat, templates).isRecalled)
    }

    /// After some requests that were like none, only one in sixteen is compared.
    @Test func whatHasNothingInCommonIsLeftAlone() throws {
        let templates = RequestTemplates()
        for number in 0..<100 { _ = try Self.found(#"{"messages":[],"m\#(number)":1}"#, .chat, templates) }
        var recalled = 0
        for _ in 0..<40 where try Self.found(#"{"messages":[],"last":1}"#, .chat, templates).isRecalled {
            recalled += 1
        }
        #expect(recalled >= 20 && recalled < 40, "\(recalled)")
    }
}
