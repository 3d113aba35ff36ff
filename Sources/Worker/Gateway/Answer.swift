internal import Shared

/// Judges a whole answer of an upstream and puts the public model name into it. Pure; one scan, reused.
struct Answer {
    enum Failure: Error, Equatable {
        case empty
        case invalid(reason: String)
        /// An error inside a 200.
        case reported(message: String)
    }

    private var scanner = JSONScanner()
    /// What to send: pieces of the answer (source 0) and of the model name (source 1).
    private(set) var pieces: [Piece] = []
    /// Sum of the pieces.
    private(set) var length = 0
    private var usage: Range<Int>?

    /// Reads the answer at `range`; `name` is the model's as a JSON string.
    mutating func read(
        _ bytes: [UInt8], _ range: Range<Int>, name: ByteBuffer, _ operation: Endpoint.Operation
    ) throws(Failure) {
        pieces.removeAll(keepingCapacity: true)
        length = 0
        if range.isEmpty { throw .empty }
        do throws(JSONError) {
            try scanner.scanAll(bytes, range)
        } catch {
            if error.kind == .empty { throw .empty }
            throw .invalid(reason: JSONError(kind: error.kind, offset: error.offset - range.lowerBound).message)
        }
        guard scanner.kind == .object else { throw .invalid(reason: "the answer is no JSON object") }
        var position = range.lowerBound
        var hasID = false
        usage = nil
        var error: JSONScanner.Member?
        for member in scanner.members {
            switch AnswerMember(member, bytes) {
            case .id: hasID = true
            case .usage where member.kind == .object: usage = member.value
            case .error where member.kind != .null: error = member
            case .model where member.kind == .string:
                add(Piece(source: 0, range: position..<member.value.lowerBound))
                add(Piece(source: 1, range: name.readable))
                position = member.value.upperBound
            default: break
            }
        }
        // A response (of /v1/responses) that failed carries its error as a part of itself.
        if let error, operation != .response || !hasID {
            throw .reported(message: UpstreamError.message(bytes, error.value, error.kind))
        }
        add(Piece(source: 0, range: position..<range.upperBound))
    }

    /// How many tokens the answer says that it took.
    func tokens(_ bytes: [UInt8]) -> Int? {
        usage.flatMap { Usage.total(bytes, $0) }
    }

    /// Passes an answer on that cannot be read, because it is compressed.
    mutating func pass(_ range: Range<Int>) {
        pieces.removeAll(keepingCapacity: true)
        length = 0
        usage = nil
        add(Piece(source: 0, range: range))
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
