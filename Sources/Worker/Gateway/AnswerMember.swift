internal import Shared

/// The members of an answer, or of an event of a stream, that mean something here. Pure.
enum AnswerMember {
    case id, model, error, usage, type, choices, response

    /// A name with escapes in it (`"mo\u0064el"`) is the name that it spells.
    @inline(__always)
    init?(_ member: JSONScanner.Member, _ bytes: [UInt8]) {
        if member.keyIsEscaped {
            var plain: [UInt8] = []
            JSONWalker.unescape(bytes, member.key, into: &plain)
            self.init(plain, 0..<plain.count)
        } else {
            self.init(bytes, member.key)
        }
    }

    @inline(__always)
    private init?(_ bytes: [UInt8], _ key: Range<Int>) {
        switch key.count {
        case 2 where bytes.holds("id", at: key.lowerBound): self = .id
        case 4 where bytes.holds("type", at: key.lowerBound): self = .type
        case 5 where bytes.holds("model", at: key.lowerBound): self = .model
        case 5 where bytes.holds("error", at: key.lowerBound): self = .error
        case 5 where bytes.holds("usage", at: key.lowerBound): self = .usage
        case 7 where bytes.holds("choices", at: key.lowerBound): self = .choices
        case 8 where bytes.holds("response", at: key.lowerBound): self = .response
        default: return nil
        }
    }
}
