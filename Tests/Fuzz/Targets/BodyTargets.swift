@testable import Shared
@testable import Worker

/// A request's body on its way to an upstream. The first byte chooses operation and deployment.
enum RequestTarget {
    private static let keptBack: Set<String> = [
        "model", "tags", "metadata", "litellm_metadata", "num_retries", "timeout", "stream_timeout", "max_retries",
        "enable_tag_filtering", "fallbacks", "context_window_fallbacks", "content_policy_fallbacks",
        "disable_fallbacks",
    ]

    static let deployments: [Deployment] = [[], [("temperature", "0.5"), ("stop", "[\"a\"]")]].map { defaults in
        var deployment = Deployment()
        deployment.modelName = "gpt-4"
        deployment.id = defaults.isEmpty ? "one" : "two"
        deployment.upstreamModel = defaults.isEmpty ? "gpt-4o" : "other/*"
        deployment.origin = Origin(isSecure: true, host: "up", port: 443)
        deployment.tags = ["free"]
        deployment.defaults = defaults.map { DefaultParameter(name: $0.0, json: $0.1) }
        return deployment
    }

    static func run(_ input: [UInt8]) throws(FuzzFailure) {
        guard let choice = input.first else { return }
        let operation = Endpoint.Operation.allCases[Int(choice) % Endpoint.Operation.allCases.count]
        let deployment = deployments[Int(choice) / 4 % 2]
        try run(input, operation, deployment, CompletionRequest())
        // Once more, when it is like earlier ones: itself, or one of these.
        let templates = RequestTemplates()
        for sample in samples {
            let bytes = Array(sample.utf8)
            try? CompletionRequest(templates).read(bytes, 0..<bytes.count, operation)
        }
        try run(input, operation, deployment, CompletionRequest(templates))
        try run(input, operation, deployment, CompletionRequest(templates))
    }

    private static let samples = [
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"tags":["free"],"stream":false,"n":1}"#,
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}]}"#,
        #"{"input":"hi","model":"gpt-4","metadata":{"tags":["free","paid"]},"timeout":3}"#,
    ]

    private static func run(
        _ input: [UInt8], _ operation: Endpoint.Operation, _ deployment: Deployment, _ request: CompletionRequest
    ) throws(FuzzFailure) {
        let body = 1..<input.count
        let reference = ReferenceJSON.read(input, body)
        do throws(GatewayError) {
            try request.read(input, body, operation)
        } catch {
            try claim("refusals are the caller's fault", (400..<500).contains(error.answer.status), "\(error)")
            return
        }
        guard let reference, case .object(let members) = reference.value else {
            throw FuzzFailure(claim: "what is no JSON object is refused", seen: text(input[body]))
        }
        try gatherTags(request, input)
        let model = deployment.upstreamModel.replacingOccurrences("*", "x\"y")
        let sent = try write(request, input, operation, deployment)
        guard let outgoing = ReferenceJSON.read(sent, 0..<sent.count), case .object(let result) = outgoing.value else {
            throw FuzzFailure(claim: "the body for the upstream is a JSON object", seen: text(sent))
        }
        var expected: [[[UInt8]]] = [[Array("model".utf8), Array("\"\(model)\"".utf8)]]
        for member in members
        where !keptBack.contains(text(ReferenceJSON.unescaped(input, member.key))) {
            expected.append([Array(input[member.key]), Array(input[member.range])])
        }
        for parameter in deployment.defaults
        where !members.contains(where: { text(ReferenceJSON.unescaped(input, $0.key)) == parameter.name }) {
            expected.append([Array(parameter.name.utf8), Array(parameter.json.utf8)])
        }
        let found = result.map { [Array(sent[$0.key]), Array(sent[$0.range])] }
        try claim(
            "the model is replaced, what is for the gateway is gone, the rest is there byte for byte",
            found == expected, text(sent))
    }

    private static func gatherTags(_ request: CompletionRequest, _ input: [UInt8]) throws(FuzzFailure) {
        let tags = RequestTags()
        var configuration = Configuration()
        configuration.deployments = deployments
        do throws(GatewayError) {
            try request.addTags(input, header: nil, to: tags, RoutingTable(configuration))
        } catch {
            try claim("malformed tags are the caller's fault", error.answer.status == 400, "\(error)")
        }
    }

    private static func write(
        _ request: CompletionRequest, _ input: [UInt8], _ operation: Endpoint.Operation, _ deployment: Deployment
    ) throws(FuzzFailure) -> [UInt8] {
        var outbound = OutboundRequest()
        outbound.write(
            DeploymentBlocks(deployment, nil), operation, request, input, capture: Array("x\"y".utf8)[...])
        return try body(of: outbound, input)
    }

    /// The body that is sent, its announced length checked.
    static func body(of outbound: OutboundRequest, _ input: [UInt8]) throws(FuzzFailure) -> [UInt8] {
        var sent: [UInt8] = []
        for piece in outbound.pieces {
            sent += piece.source == 0 ? outbound.text.storage[piece.range] : input[piece.range]
        }
        var parser = HeadParser.request(limit: 4096)
        let head = MessageHead()
        guard (try? parser.read(sent, 0..<sent.count, into: head)) == true else {
            throw FuzzFailure(claim: "the head for the upstream is valid", seen: text(sent))
        }
        let framing = try? BodyFraming.request(head, sent)
        try claim("the length is right", framing == .length(sent.count - head.length), text(sent))
        return Array(sent[head.length...])
    }
}

/// An upstream's answer on its way to the client. The first byte chooses the operation.
enum AnswerTarget {
    static let name = Array("\"gpt-4\"".utf8)

    static func run(_ input: [UInt8]) throws(FuzzFailure) {
        guard let choice = input.first else { return }
        let operation = Endpoint.Operation.allCases[Int(choice) % Endpoint.Operation.allCases.count]
        let range = 1..<input.count
        let buffer = ByteBuffer(capacity: 16)
        buffer.append(name)
        var answer = Answer()
        let reference = ReferenceJSON.read(input, range)
        let error = UpstreamError.read(input, range, 502)
        try claim(
            "what an upstream says is bounded",
            error.message.utf8.count <= 3 * 4096 && error.code.utf8.count <= 3 * 4096)
        do throws(Answer.Failure) {
            try answer.read(input, range, name: buffer, operation)
        } catch {
            if case .reported = error { try claim("only valid answers report", reference != nil, text(input)) }
            return
        }
        guard let reference, case .object(let members) = reference.value else {
            throw FuzzFailure(claim: "what is no JSON object is no answer", seen: text(input[range]))
        }
        var sent: [UInt8] = []
        for piece in answer.pieces { sent += piece.source == 0 ? input[piece.range] : name[piece.range] }
        try claim("the length is the pieces'", answer.length == sent.count)
        try compareModels(input, members, sent)
    }

    /// Every member is as it was, but for the model's name.
    static func compareModels(
        _ input: [UInt8], _ members: [ReferenceJSON.Member], _ sent: [UInt8]
    ) throws(FuzzFailure) {
        guard let outgoing = ReferenceJSON.read(sent, 0..<sent.count), case .object(let result) = outgoing.value else {
            throw FuzzFailure(claim: "what goes to the client is a JSON object", seen: text(sent))
        }
        let expected = members.map { member in
            var name: [UInt8] = []
            JSONWalker.unescape(input, member.key, into: &name)
            let isModel = name == Array("model".utf8) && member.value == .string
            return [Array(input[member.key]), isModel ? Self.name : Array(input[member.range])]
        }
        let found = result.map { [Array(sent[$0.key]), Array(sent[$0.range])] }
        try claim("only the model is replaced", found == expected, text(sent))
    }
}

/// A streamed answer: in pieces as in whole, and only valid events come out.
enum EventsTarget {
    private struct Outcome: Equatable {
        var failure: EventStream.Failure?
        var out: [UInt8] = []
        var isDone = false
        var events = 0
        /// The end of the piece that brought the first content.
        var contentEnd: Int?
    }

    static func run(_ input: [UInt8]) throws(FuzzFailure) {
        guard let choice = input.first else { return }
        let operation = Endpoint.Operation.allCases[Int(choice) % Endpoint.Operation.allCases.count]
        let range = 1..<input.count
        var cuts = Cuts(input)
        let whole = stream(input, [input.count], operation)
        // The second time most events are known by those of the first.
        let templates = EventTemplates()
        for _ in 0..<2 {
            let ends = cuts.ends(of: range)
            var pieces = stream(input, ends, operation, like: templates)
            let read = stream(input, ends, operation)
            try claim("what is known brings content as what is read", pieces.contentEnd == read.contentEnd, text(input))
            pieces.contentEnd = whole.contentEnd
            try claim("pieces are rewritten as the whole", pieces == whole, "\(text(whole.out)) \(text(pieces.out))")
        }
        var isLast = false
        for line in whole.out.split(separator: 0x0A) where line.starts(with: Array("data:".utf8)) {
            try claim("nothing follows the end", !isLast, text(whole.out))
            var data = line.dropFirst(5)
            if data.first == 0x20 { data = data.dropFirst() }
            while data.last == 0x0D { data = data.dropLast() }
            isLast = data.elementsEqual(Array("[DONE]".utf8))
            if isLast { continue }
            guard let value = ReferenceJSON.read(input: data) else {
                throw FuzzFailure(claim: "events are valid JSON", seen: text(line))
            }
            guard case .object = value.value else {
                throw FuzzFailure(claim: "events are objects", seen: text(line))
            }
        }
        if whole.failure != nil { try claim("a failed stream has no good end", !isLast, text(whole.out)) }
    }

    private static func stream(
        _ input: [UInt8], _ ends: [Int], _ operation: Endpoint.Operation, like templates: EventTemplates? = nil
    ) -> Outcome {
        let name = ByteBuffer(capacity: 16)
        name.append(AnswerTarget.name)
        let out = ByteBuffer(capacity: 16)
        var stream = EventStream()
        stream.begin(operation, like: templates)
        var outcome = Outcome()
        do throws(EventStream.Failure) {
            var start = 1
            for end in ends where end > start {
                try stream.take(input, start..<end, name: name, into: out)
                start = end
                if stream.hasContent, outcome.contentEnd == nil { outcome.contentEnd = end }
            }
            try stream.end(name: name, into: out)
        } catch {
            outcome.failure = error
        }
        outcome.out = Array(out.storage[out.readable])
        outcome.isDone = stream.isDone
        outcome.events = stream.events
        return outcome
    }
}

extension ReferenceJSON {
    static func read(input: ArraySlice<UInt8>) -> Element? {
        let bytes = Array(input)
        return read(bytes, 0..<bytes.count)
    }
}

extension String {
    /// The first `old` replaced by `new` as JSON writes it.
    fileprivate func replacingOccurrences(_ old: String, _ new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return self[..<range.lowerBound] + new.replacing("\"", with: "\\\"") + self[range.upperBound...]
    }
}
