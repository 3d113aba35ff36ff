import Testing

@testable import Shared
@testable import Worker

@Suite struct ProviderFieldsTests {
    private func lines(_ fields: String) throws -> String {
        let bytes = Array("HTTP/1.1 200 OK\r\n\(fields)\r\n".utf8)
        var parser = HeadParser.response(limit: 4096)
        let head = MessageHead()
        #expect(try parser.read(bytes, 0..<bytes.count, into: head))
        let out = ByteBuffer(capacity: 16)
        ProviderFields.append(head, bytes, to: out)
        return string(out)
    }

    @Test(arguments: [
        ("", ""), ("Server: x\r\n", "llm_provider-server: x\r\n"), ("X-A:  b \r\n", "llm_provider-x-a: b\r\n"),
        ("X-RateLimit-Limit: 5\r\n", "llm_provider-x-ratelimit-limit: 5\r\nx-ratelimit-limit: 5\r\n"),
        ("Set-Cookie: a\r\nSet-Cookie: b\r\n", "llm_provider-set-cookie: a\r\nllm_provider-set-cookie: b\r\n"),
        ("X-Empty:\r\n", "llm_provider-x-empty: \r\n"),
    ])
    func fieldsComeAgainUnderAnotherName(_ fields: String, _ expected: String) throws {
        #expect(try lines(fields) == expected)
    }

    /// Lines as most are sent are copied whole, others part by part, by words of eight bytes; names and values of all
    /// lengths, with and without something behind them.
    @Test(arguments: [": ", ":", ":\t", ":  "], ["\r\n", " \r\n"])
    func everyLengthIsCopied(_ colon: String, _ end: String) throws {
        for name in 1...18 {
            let text = String("X-LETTERS_ofNames9".prefix(name))
            for value in 0...34 {
                let value = String("Value OF `any` Length, A to Z ~[@]".prefix(value))
                let line = "\(text)\(colon)\(value)\(end)"
                let trimmed = value.hasSuffix(" ") ? String(value.dropLast()) : value
                let expected = "llm_provider-\(text.lowercased()): \(trimmed)\r\n"
                #expect(try lines(line) == expected)
                #expect(try lines("\(line)Behind: 1234567890\r\n") == expected + "llm_provider-behind: 1234567890\r\n")
            }
        }
    }

    @Test(arguments: [
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer",
        "Transfer-Encoding", "Upgrade",
    ])
    func whatSpeaksOfOneHopIsLeftOut(_ name: String) throws {
        #expect(try lines("\(name): x\r\nA: b\r\n") == "llm_provider-a: b\r\n")
    }
}

@Suite struct CallIDTests {
    private func id(_ sent: String?) -> String {
        let bytes = Array("<\(sent ?? "")>".utf8)
        let buffer = ByteBuffer(capacity: 16)
        var random = FastRandom(seed: 3)
        CallID.append(to: buffer, sent: sent.map { _ in 1..<bytes.count - 1 }, bytes, using: &random)
        return string(buffer)
    }

    @Test(arguments: ["abc", "a-b_c/1", "!~", String(repeating: "x", count: 128)])
    func theClientsOwnIsKept(_ sent: String) {
        #expect(id(sent) == sent)
    }

    /// RFC 9562 §5.4: version 4, variant 10.
    @Test(arguments: [nil, "", "a b", "é", "a\u{7F}", "a\u{1}", String(repeating: "x", count: 129)])
    func elseItIsAUUID(_ sent: String?) {
        #expect(id(sent).wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
    }

    @Test func noTwoAreAlike() {
        let bytes: [UInt8] = []
        var random = FastRandom(seed: 3)
        var seen: Set<String> = []
        for _ in 0..<1000 {
            let buffer = ByteBuffer(capacity: 40)
            CallID.append(to: buffer, sent: nil, bytes, using: &random)
            seen.insert(string(buffer))
        }
        #expect(seen.count == 1000)
    }
}
