internal import Shared

/// Judges a whole answer of an upstream and puts the public model name into it. Pure; its scan is lent, not kept.
struct Answer {
    enum Failure: Error, Equatable {
        case empty
        case invalid(reason: String)
        /// An error inside a 200.
        case reported(message: String)
    }

    private let scratch: Scratch
    /// What to send: pieces of the answer (source 0) and of the model name (source 1).
    private(set) var pieces: [Piece] = []
    /// Sum of the pieces.
    private(set) var length = 0
    private var parts = AnswerTemplate.Parts()

    init(scratch: Scratch = Scratch()) {
        self.scratch = scratch
    }

    /// Reads the answer at `range`; `name` is the model's as a JSON string. `template` knows earlier ones like it.
    mutating func read(
        _ bytes: [UInt8], _ range: Range<Int>, name: ByteBuffer, _ operation: Endpoint.Operation,
        like template: AnswerTemplate? = nil
    ) throws(Failure) {
        reset()
        if range.isEmpty { throw .empty }
        if let template {
            if !template.find(&parts, bytes, range) {
                let isPlain = try find(bytes, range, operation)
                if isPlain { template.learn(parts, bytes, range) }
            }
        } else {
            _ = try find(bytes, range, operation)
        }
        var position = range.lowerBound
        for model in parts.names {
            add(Piece(source: 0, range: position..<model.lowerBound))
            add(Piece(source: 1, range: name.readable))
            position = model.upperBound
        }
        add(Piece(source: 0, range: position..<range.upperBound))
    }

    /// Reads all of it. False when it tells of an error as well, which not every operation takes for an answer.
    private mutating func find(
        _ bytes: [UInt8], _ range: Range<Int>, _ operation: Endpoint.Operation
    ) throws(Failure) -> Bool {
        do throws(JSONError) {
            try scratch.scanner.scanAll(bytes, range)
        } catch {
            if error.kind == .empty { throw .empty }
            throw .invalid(reason: JSONError(kind: error.kind, offset: error.offset - range.lowerBound).message)
        }
        guard scratch.scanner.kind == .object else { throw .invalid(reason: "the answer is no JSON object") }
        var hasID = false
        var error: JSONScanner.Member?
        for member in scratch.scanner.members {
            switch AnswerMember(member, bytes) {
            case .id: hasID = true
            case .usage where member.kind == .object: parts.usage = member.value
            case .error where member.kind != .null: error = member
            case .model where member.kind == .string: parts.names.append(member.value)
            default: break
            }
        }
        // A response (of /v1/responses) that failed carries its error as a part of itself.
        if let error, operation != .response || !hasID {
            throw .reported(message: UpstreamError.message(bytes, error.value, error.kind))
        }
        return error == nil
    }

    /// How many tokens the answer says that it took.
    func tokens(_ bytes: [UInt8]) -> Int? {
        parts.usage.flatMap { Usage.total(bytes, $0) }
    }

    /// Passes an answer on that cannot be read, because it is compressed.
    mutating func pass(_ range: Range<Int>) {
        reset()
        add(Piece(source: 0, range: range))
    }

    private mutating func reset() {
        pieces.empty()
        length = 0
        parts.names.empty()
        parts.usage = nil
    }

    private mutating func add(_ piece: Piece) {
        pieces.append(piece)
        length += piece.range.count
    }
}

/// `{"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}`. Pure.
enum Usage {
    /// The total of the object at `usage`; nil where it gives none.
    static func total(_ bytes: [UInt8], _ usage: Range<Int>) -> Int? {
        guard let total = JSONWalker.member("total_tokens", of: usage, bytes), total.kind == .number else { return nil }
        return ASCII.decimal(bytes, total.range)
    }
}
