internal import Shared

/// Whether an event of a stream brings something of an answer. Pure; asked only until one has.
///
/// Many providers open with an event that only says who speaks, and then fail: until there is content, another
/// deployment may still answer.
enum EventContent {
    /// Of `choices`: any text, call or reason to end; a role alone, an empty text or an empty list is nothing.
    static func isThere(_ bytes: [UInt8], _ choices: Range<Int>) -> Bool {
        guard choices.count > 2, bytes[choices.lowerBound] == 0x5B else { return false }
        var isFound = false
        JSONWalker.elements(of: choices, bytes) { choice in
            guard choice.kind == .object else { return true }
            JSONWalker.members(of: choice.range, bytes) { key, value in
                if JSONWalker.isText(bytes, key.text, "delta"), value.kind == .object {
                    isFound = isSaid(bytes, value.range)
                } else if JSONWalker.isText(bytes, key.text, "text") {
                    isFound = !isEmpty(value, bytes)
                } else if JSONWalker.isText(bytes, key.text, "finish_reason") {
                    isFound = isFound || !isEmpty(value, bytes)
                }
                return !isFound
            }
            return !isFound
        }
        return isFound
    }

    private static func isSaid(_ bytes: [UInt8], _ delta: Range<Int>) -> Bool {
        var isFound = false
        JSONWalker.members(of: delta, bytes) { key, value in
            isFound = !JSONWalker.isText(bytes, key.text, "role") && !isEmpty(value, bytes)
            return !isFound
        }
        return isFound
    }

    /// Null, `""`, `[]`, `{}`, with or without blanks within the brackets.
    private static func isEmpty(_ value: JSONWalker.Value, _ bytes: [UInt8]) -> Bool {
        switch value.kind {
        case .null: true
        case .string: value.text.isEmpty
        case .array, .object: bytes[value.text].allSatisfy { $0 <= ASCII.space }
        case .number, .true, .false: false
        }
    }

    /// Of the `type` of a Responses event: it only says that the response exists.
    static func isBeginning(_ bytes: [UInt8], _ type: Range<Int>) -> Bool {
        let text = type.lowerBound + 1..<max(type.lowerBound + 1, type.upperBound - 1)
        return ["response.created", "response.in_progress", "response.queued"]
            .contains { JSONWalker.isText(bytes, text, $0) }
    }
}
