@testable import Shared
@testable import Worker

/// Heads of requests and responses: whole and in pieces alike, and nothing ambiguous accepted.
enum HeadTarget {
    private struct Outcome: Equatable {
        var violation: HTTPViolation?
        var length: Int?
        var status = 0
        var target = 0..<0
        var minorVersion: UInt8 = 0
        var fields: [[Range<Int>]] = []
        var framing: BodyFraming?
        var refusal: HTTPViolation?
        var keepsAlive = false
    }

    static func run(_ bytes: [UInt8], isRequest: Bool) throws(FuzzFailure) {
        let whole = read(bytes, [bytes.count], isRequest)
        var cuts = Cuts(bytes)
        let pieces = read(bytes, cuts.ends(of: 0..<bytes.count), isRequest)
        // A limit is felt when it is reached, which may be within one piece.
        if whole.violation?.kind != .headTooLarge {
            try claim("pieces are read as the whole", pieces == whole, "\(whole) \(pieces)")
        }
        let behind = MessageHead()
        let before = nearly(bytes, &cuts)
        _ = read(before, [before.count], isRequest, into: behind)
        let second = read(bytes, [bytes.count], isRequest, into: behind)
        try claim("what was read before changes nothing", second == whole, "\(text(before)) \(second)")
        guard let length = whole.length else { return }
        let head = bytes[..<length]
        for (index, byte) in head.enumerated() {
            if byte == 0x0A { try claim("no bare line feed", index > 0 && head[index - 1] == 0x0D, "\(index)") }
            if byte == 0x0D { try claim("no bare carriage return", index + 1 < length && head[index + 1] == 0x0A) }
            try claim("no NUL", byte != 0)
        }
        for field in whole.fields {
            try claim("names are followed by a colon", bytes[field[0].upperBound] == 0x3A && !field[0].isEmpty)
            for edge in [bytes[field[1]].first, bytes[field[1]].last] {
                try claim("values are trimmed", edge != 0x20 && edge != 0x09)
            }
        }
        if isRequest, whole.framing != nil { try checkRequest(bytes, whole) }
        if isRequest { try ask(bytes) } else { try passOn(bytes) }
    }

    /// Mostly another byte, one more or one less; now and then the same.
    private static func nearly(_ bytes: [UInt8], _ numbers: inout Cuts) -> [UInt8] {
        var bytes = bytes
        let position = numbers.next(below: bytes.count)
        let other: [UInt8] = [0x31, 0x61, 0x20, 0x09, 0x3A, 0x0D, 0x0A, 0x01, 0xC3]
        if !bytes.isEmpty, numbers.next(below: 3) > 0 { bytes.remove(at: position) }
        if bytes.isEmpty || numbers.next(below: 3) > 0 {
            bytes.insert(other[numbers.next(below: other.count)], at: position)
        }
        return bytes
    }

    /// What a gateway asks of a request's head.
    private static func ask(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let head = head(bytes, .request(limit: 4096)) else { return }
        switch Endpoint(head.method, bytes, target: head.target) {
        case .inference(_, let model?), .model(let model):
            let isWithin =
                !model.isEmpty && head.target.contains(model.lowerBound) && model.upperBound <= head.target.upperBound
            try claim("names lie within the target", isWithin, "\(model)")
        case .inference, .models, .modelInfo, .live, .ready, .health, .metrics, .preflight, .notFound,
            .methodNotAllowed:
            break
        }
        let key = Array("sk-1".utf8)
        if (try? Credentials(masterKey: key).check(head, bytes)) != nil {
            try claim("nobody calls without the key", text(bytes).contains("sk-1"))
        }
        let id = ByteBuffer(capacity: 16)
        var random = FastRandom(seed: 1)
        CallID.append(to: id, sent: head.first(.litellmCallID), bytes, using: &random)
        let isPlain = id.storage[id.readable].allSatisfy { $0 > 0x20 && $0 < 0x7F }
        try claim("ids fit a field", isPlain && id.count > 0 && id.count <= CallID.limit)
    }

    /// An upstream's fields as a client gets them: each a valid line, none that speaks of this hop.
    private static func passOn(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let head = head(bytes, .response(limit: 4096)) else { return }
        let lines = ByteBuffer(capacity: 64)
        lines.append(HTTPStatus.line(200))
        ProviderFields.append(head, bytes, to: lines)
        lines.appendLineEnd()
        let answer = Array(lines.storage[lines.readable])
        guard let again = Self.head(answer, .response(limit: 1 << 20)) else {
            throw FuzzFailure(claim: "fields that are passed on are valid", seen: text(answer))
        }
        try claim("they make one head", again.length == answer.count, text(answer))
        for field in again.fields {
            let name = text(answer[again.name(field)])
            try claim(
                "under names of their own", name.hasPrefix("llm_provider-") || name.hasPrefix("x-ratelimit-"), name)
        }
    }

    private static func head(_ bytes: [UInt8], _ parser: HeadParser) -> MessageHead? {
        var parser = parser
        let head = MessageHead()
        return (try? parser.read(bytes, 0..<bytes.count, into: head)) == true ? head : nil
    }

    /// What was accepted has at most one statement of its length.
    private static func checkRequest(_ bytes: [UInt8], _ outcome: Outcome) throws(FuzzFailure) {
        func values(_ name: String) -> [String] {
            outcome.fields.filter { text(bytes[$0[0]]).lowercased() == name }.map { text(bytes[$0[1]]) }
        }
        let lengths = values("content-length")
        let codings = values("transfer-encoding")
        try claim("one Host", values("host").count <= 1 && (outcome.minorVersion == 0 || !values("host").isEmpty))
        switch outcome.framing {
        case .length(let length):
            try claim("one length", codings.isEmpty && lengths.count == 1 && Int(lengths[0]) == length, "\(lengths)")
            try claim("digits only", lengths[0].utf8.allSatisfy { (0x30...0x39).contains($0) }, "\(lengths)")
        case .chunked:
            try claim("one coding", lengths.isEmpty && codings.map { $0.lowercased() } == ["chunked"], "\(codings)")
        case .none?: try claim("no length at all", lengths.isEmpty && codings.isEmpty)
        case .untilClose, nil: throw FuzzFailure(claim: "requests do not end with the connection", seen: "")
        }
    }

    private static func read(
        _ bytes: [UInt8], _ ends: [Int], _ isRequest: Bool, into head: MessageHead = MessageHead()
    ) -> Outcome {
        var parser = isRequest ? HeadParser.request(limit: 4096) : .response(limit: 4096)
        var outcome = Outcome()
        do throws(HTTPViolation) {
            for end in ends where try parser.read(bytes, 0..<end, into: head) {
                outcome.length = head.length
                break
            }
        } catch {
            outcome.violation = error
        }
        guard outcome.length != nil else { return outcome }
        outcome.status = head.status
        outcome.target = isRequest ? head.target : 0..<0
        outcome.minorVersion = head.minorVersion
        outcome.fields = head.fields.map { [head.name($0), head.value($0)] }
        outcome.keepsAlive = head.keepsAlive(bytes)
        do throws(HTTPViolation) {
            outcome.framing =
                isRequest ? try BodyFraming.request(head, bytes) : try BodyFraming.response(head, bytes, to: .post)
        } catch {
            outcome.refusal = error
        }
        return outcome
    }
}

/// The chunked coding: whole and in pieces alike, and no data that was not there.
enum ChunkedTarget {
    private struct Outcome: Equatable {
        var violation: HTTPViolation?
        var data: [UInt8] = []
        var used = 0
        var isComplete = false
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let whole = decode(bytes, [bytes.count])
        var cuts = Cuts(bytes)
        let pieces = decode(bytes, cuts.ends(of: 0..<bytes.count))
        try claim("pieces are decoded as the whole", pieces == whole, "\(whole) \(pieces)")
        try claim("data is a part of the input", whole.data.count <= bytes.count && whole.used <= bytes.count)
        guard whole.isComplete else { return }
        try claim("the end is an empty line", whole.used >= 5 && text(bytes[..<whole.used]).hasSuffix("\r\n"))
        // What was decoded, encoded again in one chunk, is decoded to the same.
        var again: [UInt8] = []
        if !whole.data.isEmpty {
            again = Array("\(String(whole.data.count, radix: 16))\r\n".utf8) + whole.data + [13, 10]
        }
        again += Array("0\r\n\r\n".utf8)
        let back = decode(again, [again.count])
        try claim("one chunk says the same", back.data == whole.data && back.used == again.count, "\(back)")
    }

    private static func decode(_ bytes: [UInt8], _ ends: [Int]) -> Outcome {
        var decoder = ChunkedDecoder()
        var outcome = Outcome()
        do throws(HTTPViolation) {
            for end in ends + [bytes.count] {
                feeding: while true {
                    switch try decoder.next(bytes, &outcome.used, end) {
                    case .data(let range): outcome.data += bytes[range]
                    case .needsMore: break feeding
                    case .end:
                        outcome.isComplete = true
                        return outcome
                    }
                }
            }
        } catch {
            outcome.violation = error
        }
        return outcome
    }
}
