internal import Shared

/// What the body of an inference request says: the model, the tags, whether to stream, and which of its members go
/// on to the upstream. Pure; one scan of the body, reused from request to request.
///
/// Of duplicate keys the last one counts (RFC 8259 §4 leaves it open; the reference's parser does so), and none of a
/// key that is replaced or kept back reaches the upstream.
final class CompletionRequest {
    /// Members that mean something here.
    enum Parameter: Sendable {
        case model, messages, prompt, input, stream
        case tags, metadata, litellmMetadata
        case numRetries, timeout, streamTimeout
        case fallbacks, contextWindowFallbacks, contentPolicyFallbacks, disableFallbacks
        /// Meant for a gateway, not for an upstream.
        case keptBack
        case forbidden
        case unsupported

        /// Whether an upstream gets it, too.
        var goesOn: Bool {
            switch self {
            case .messages, .prompt, .input, .stream: true
            case .model, .tags, .metadata, .litellmMetadata, .numRetries, .timeout, .streamTimeout, .fallbacks,
                .contextWindowFallbacks, .contentPolicyFallbacks, .disableFallbacks, .keptBack, .forbidden,
                .unsupported:
                false
            }
        }
    }

    private static let named =
        ([
            ("model", .model), ("messages", .messages), ("prompt", .prompt), ("input", .input), ("stream", .stream),
            ("tags", .tags), ("metadata", .metadata), ("litellm_metadata", .litellmMetadata),
            ("num_retries", .numRetries), ("timeout", .timeout), ("stream_timeout", .streamTimeout),
            ("max_retries", .keptBack), ("enable_tag_filtering", .keptBack), ("fallbacks", .fallbacks),
            ("context_window_fallbacks", .contextWindowFallbacks),
            ("content_policy_fallbacks", .contentPolicyFallbacks), ("disable_fallbacks", .disableFallbacks),
            ("api_base", .forbidden), ("base_url", .forbidden),
            ("mock_testing_fallbacks", .unsupported), ("mock_testing_context_fallbacks", .unsupported),
            ("mock_testing_content_policy_fallbacks", .unsupported), ("mock_testing_rate_limit_error", .unsupported),
        ] as [(name: StaticString, parameter: Parameter)]).map { (key: $0.name.bytes, value: $0.parameter) }
    private static let parameters = ByteMap<Parameter>(named)
    /// Those of at most eight bytes, as a word. Most members have such names, and a few comparisons tell faster than a map
    /// which they are.
    private static let short = named.filter { $0.key.count <= 8 }.map { entry in
        (word: ByteSearch.word(entry.key.span, at: 0, count: entry.key.count), parameter: entry.value)
    }

    private let templates: RequestTemplates?
    private var scanner = JSONScanner()
    /// The members of a body that is like an earlier one.
    private var recalled: [JSONScanner.Member] = []
    /// Whether the latest body was, so that it was not scanned.
    private(set) var isRecalled = false
    private var members: [JSONScanner.Member] { isRecalled ? recalled : scanner.members }
    private var isReplaced = false
    private var plain: [UInt8] = []
    /// Runs of members that go on to the upstream, commas between them included; ranges of the request's bytes.
    private(set) var kept: [Range<Int>] = []
    private(set) var model: JSONScanner.Member?
    private var content: JSONScanner.Member?
    private var tags: JSONScanner.Member?
    private var metadata: JSONScanner.Member?
    private var litellmMetadata: JSONScanner.Member?
    private(set) var isStream = false
    private(set) var numRetries: Int?
    /// Seconds.
    private(set) var timeout: Double?
    private(set) var streamTimeout: Double?
    private(set) var generalFallbacks: JSONScanner.Member?
    private(set) var contextWindowFallbacks: JSONScanner.Member?
    private(set) var contentPolicyFallbacks: JSONScanner.Member?
    private(set) var disablesFallbacks = false

    /// `templates` are the shapes of earlier requests, if those are remembered.
    init(_ templates: RequestTemplates? = nil) {
        self.templates = templates
    }

    /// Reads the body at `range`. `content` is what the operation cannot do without: its messages, prompt or input.
    func read(
        _ bytes: [UInt8], _ range: Range<Int>, _ operation: Endpoint.Operation
    ) throws(GatewayError) {
        reset()
        if range.isEmpty { throw .missingParameter(operation.content) }
        let known = templates?.find(bytes, range, &recalled)
        isRecalled = known != nil
        if known == nil { try scan(bytes, range) }
        var isRunOpen = false
        let members = members
        for index in 0..<members.count {
            let member = members[index]
            let parameter = known.map { $0.parameters[index] } ?? parameter(member, bytes)
            if try take(member, parameter, bytes, operation) {
                if isRunOpen, let last = kept.last {
                    kept[kept.count - 1] = last.lowerBound..<member.value.upperBound
                } else {
                    kept.append(member.key.lowerBound - 1..<member.value.upperBound)
                }
                isRunOpen = true
            } else {
                isRunOpen = false
            }
        }
        try check(operation)
        if known == nil { templates?.learn(bytes, range, members) { parameter($0, bytes) } }
    }

    private func scan(_ bytes: [UInt8], _ range: Range<Int>) throws(GatewayError) {
        do throws(JSONError) {
            try scanner.scanAll(bytes, range)
        } catch {
            throw .invalidJSON(
                reason: JSONError(kind: error.kind, offset: error.offset - range.lowerBound).message)
        }
        guard scanner.kind == .object else { throw .notAnObject }
    }

    /// Notes what a member means; whether it goes on to the upstream.
    private func take(
        _ member: JSONScanner.Member, _ parameter: Parameter?, _ bytes: [UInt8], _ operation: Endpoint.Operation
    ) throws(GatewayError) -> Bool {
        guard let parameter else { return true }
        switch parameter {
        case .model:
            model = member
            if isRecalled, ByteSearch.first(ASCII.backslash, bytes, in: member.value) != nil {
                model?.valueIsEscaped = true
            }
            return false
        case .messages, .prompt, .input:
            if parameter == operation.contentParameter { content = member }
            return true
        case .stream:
            isStream = member.kind == .true
            return true
        case .tags: tags = member
        case .metadata: metadata = member
        case .litellmMetadata: litellmMetadata = member
        case .numRetries: numRetries = Self.number(member, bytes, Self.seconds).map { Int($0.rounded(.down)) }
        case .timeout: timeout = Self.number(member, bytes, Self.limit)
        case .streamTimeout: streamTimeout = Self.number(member, bytes, Self.limit)
        case .fallbacks: generalFallbacks = member
        case .contextWindowFallbacks: contextWindowFallbacks = member
        case .contentPolicyFallbacks: contentPolicyFallbacks = member
        case .disableFallbacks: disablesFallbacks = member.kind == .true
        case .keptBack: break
        case .forbidden: throw .forbiddenParameter(Self.text(bytes, member.key))
        case .unsupported: throw .unsupportedParameter(Self.text(bytes, member.key))
        }
        return false
    }

    private func parameter(_ member: JSONScanner.Member, _ bytes: [UInt8]) -> Parameter? {
        guard member.keyIsEscaped else {
            guard member.key.count <= 8 else { return Self.parameters[bytes, member.key] }
            let word = ByteSearch.word(bytes.span, at: member.key.lowerBound, count: member.key.count)
            for entry in Self.short where entry.word == word { return entry.parameter }
            return nil
        }
        plain.removeAll(keepingCapacity: true)
        JSONWalker.unescape(bytes, member.key, into: &plain)
        return Self.parameters[plain]
    }

    private func check(_ operation: Endpoint.Operation) throws(GatewayError) {
        if let model, model.kind != .string, model.kind != .null { throw .modelNotAString }
        guard let content, content.kind != .null else { throw .missingParameter(operation.content) }
        if operation == .chat, content.kind != .array { throw .wrongParameter("messages", expected: "a list") }
    }

    /// A number of a sensible size, as `read` says; anything else is as if it were not there.
    private static func number(
        _ member: JSONScanner.Member, _ bytes: [UInt8], _ read: ([UInt8], Range<Int>) -> Double?
    ) -> Double? {
        guard member.kind == .number || member.kind == .string else { return nil }
        let range = member.kind == .string ? member.value.lowerBound + 1..<member.value.upperBound - 1 : member.value
        return read(bytes, range)
    }

    /// How long an attempt may take, in seconds. None at all is no limit that anybody means.
    static func limit(_ bytes: [UInt8], _ range: Range<Int>) -> Double? {
        seconds(bytes, range).flatMap { $0 > 0 ? $0 : nil }
    }

    /// A number as a body or a field gives it; nil unless it lies between 0 and 1,000,000.
    static func seconds(_ bytes: [UInt8], _ range: Range<Int>) -> Double? {
        guard let value = Double(text(bytes, range)), value >= 0, value <= 1_000_000 else { return nil }
        return value
    }

    private static func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    /// Adds the tags of the body to `wanted`, and those of the header where the body has no list of its own.
    func addTags(
        _ bytes: [UInt8], header: Range<Int>?, to wanted: RequestTags, _ table: RoutingTable
    ) throws(GatewayError) {
        try addTags(from: .body, bytes, header: header, to: wanted, table)
        try addTags(from: .header, bytes, header: header, to: wanted, table)
        try addTags(from: .metadata, bytes, header: header, to: wanted, table)
        try addTags(from: .litellmMetadata, bytes, header: header, to: wanted, table)
    }

    /// Where a request may carry tags, in the order in which they are read.
    enum TagSource: String, CaseIterable {
        case body = "tags"
        case header = "x-litellm-tags"
        case metadata = "metadata.tags"
        case litellmMetadata = "litellm_metadata.tags"
    }

    /// Adds what one place has; a list of the body takes the place of the header.
    func addTags(
        from source: TagSource, _ bytes: [UInt8], header: Range<Int>?, to wanted: RequestTags,
        _ table: RoutingTable
    ) throws(GatewayError) {
        let outer: JSONScanner.Member?
        switch source {
        case .body:
            guard let tags, tags.kind != .null else { return }
            return try add(JSONWalker.Value(range: tags.value, kind: tags.kind), bytes, to: wanted, table)
        case .header:
            guard tags == nil || tags?.kind == .null, let header else { return }
            return wanted.add(list: bytes, header, table)
        case .metadata: outer = metadata
        case .litellmMetadata: outer = litellmMetadata
        }
        guard let outer, outer.kind == .object, let inner = JSONWalker.member("tags", of: outer.value, bytes),
            inner.kind != .null
        else { return }
        try add(inner, bytes, to: wanted, table)
    }

    private func add(
        _ list: JSONWalker.Value, _ bytes: [UInt8], to wanted: RequestTags, _ table: RoutingTable
    ) throws(GatewayError) {
        guard list.kind == .array else { throw .malformedTags(reason: "expected a list, not \(list.kind.words)") }
        var wrong: String?
        JSONWalker.elements(of: list.range, bytes) { element in
            guard element.kind == .string else {
                wrong = "one of them is \(element.kind.words)"
                return false
            }
            guard !element.text.isEmpty else {
                wrong = "one of them is empty"
                return false
            }
            if bytes[element.text].contains(ASCII.backslash) {
                plain.removeAll(keepingCapacity: true)
                JSONWalker.unescape(bytes, element.text, into: &plain)
                wanted.add(plain, plain.startIndex..<plain.endIndex, table)
            } else {
                wanted.add(bytes, element.text, table)
            }
            return true
        }
        if let wrong { throw .malformedTags(reason: wrong) }
    }

    /// How many inputs an embedding request has: a list of texts or of token lists has several.
    func inputs(_ bytes: [UInt8]) -> Int {
        guard let content, content.kind == .array else { return 1 }
        var count = 0
        var isTokens = false
        JSONWalker.elements(of: content.value, bytes) { element in
            isTokens = element.kind == .number
            count += 1
            return !isTokens
        }
        return isTokens ? 1 : count
    }

    /// Whether the body gives a member of that name itself.
    func gives(_ name: [UInt8], _ bytes: [UInt8]) -> Bool {
        for member in members {
            if member.keyIsEscaped {
                var plain: [UInt8] = []
                JSONWalker.unescape(bytes, member.key, into: &plain)
                if plain == name { return true }
            } else if member.key.count == name.count, bytes[member.key].elementsEqual(name) {
                return true
            }
        }
        return false
    }

    private func reset() {
        isReplaced = false
        isRecalled = false
        kept.empty()
        model = nil
        content = nil
        tags = nil
        metadata = nil
        litellmMetadata = nil
        isStream = false
        numRetries = nil
        timeout = nil
        streamTimeout = nil
        generalFallbacks = nil
        contextWindowFallbacks = nil
        contentPolicyFallbacks = nil
        disablesFallbacks = false
    }

    /// What goes on to an upstream from now on: the members of the request, those of `own` (an object in `bytes`) in
    /// their place; nil: the request's alone. For a fallback that a client gave its own messages.
    func replace(members own: Range<Int>?, _ bytes: [UInt8]) {
        guard own != nil || isReplaced else { return }
        isReplaced = own != nil
        var replaced: [[UInt8]] = []
        var added: [Range<Int>] = []
        if let own {
            JSONWalker.members(of: own, bytes) { key, value in
                let name = Self.name(key.text, bytes)
                if Self.parameters[name].map(\.goesOn) ?? true {
                    replaced.append(name)
                    added.append(key.range.lowerBound..<value.range.upperBound)
                }
                return true
            }
        }
        kept.empty()
        for member in members
        where (parameter(member, bytes)?.goesOn ?? true) && !replaced.contains(Self.name(member.key, bytes)) {
            kept.append(member.key.lowerBound - 1..<member.value.upperBound)
        }
        kept += added
    }

    /// The name that a key spells, escapes resolved: else a second `"mo\u0064el"` would go on beside ours.
    private static func name(_ key: Range<Int>, _ bytes: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        JSONWalker.unescape(bytes, key, into: &plain)
        return plain
    }
}

extension Endpoint.Operation {
    /// The member that an operation cannot do without.
    var content: StaticString {
        switch self {
        case .chat: "messages"
        case .completion: "prompt"
        case .embedding, .response: "input"
        }
    }

    fileprivate var contentParameter: CompletionRequest.Parameter {
        switch self {
        case .chat: .messages
        case .completion: .prompt
        case .embedding, .response: .input
        }
    }
}

extension JSONScanner.Kind {
    /// With its article, for an error.
    var words: StaticString {
        switch self {
        case .object: "an object"
        case .array: "a list"
        case .string: "a string"
        case .number: "a number"
        case .true, .false: "a boolean"
        case .null: "null"
        }
    }
}
