internal import Shared

/// The words behind a command, one after the other: `--name value` and `--name=value` alike.
struct Flags {
    private var words: ArraySlice<String>
    private var name = ""
    private var attached: String?

    init(_ words: [String]) {
        self.words = words[...]
    }

    mutating func next() -> String? {
        guard let word = words.popFirst() else { return nil }
        attached = nil
        name = word
        if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
            name = String(word[..<equals])
            attached = String(word[word.index(after: equals)...])
        }
        return name
    }

    mutating func value(_ topic: Help.Topic) throws(UsageError) -> String {
        let value = attached ?? words.popFirst()
        attached = nil
        guard let value, !value.isEmpty else { throw UsageError(message: "\(name) needs a value", topic: topic) }
        return value
    }

    mutating func integer(_ topic: Help.Topic, in range: ClosedRange<Int>) throws(UsageError) -> Int {
        let text = try value(topic)
        guard let number = Int(text), range.contains(number) else {
            throw UsageError(
                message: "\(name) needs a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)",
                topic: topic)
        }
        return number
    }

    mutating func port(_ topic: Help.Topic) throws(UsageError) -> UInt16 {
        UInt16(try integer(topic, in: 0...65535))
    }

    mutating func workers(_ topic: Help.Topic) throws(UsageError) -> WorkerCount {
        if attached == "auto" || attached == nil && words.first == "auto" {
            _ = try value(topic)
            return .automatic
        }
        return .exactly(try integer(topic, in: 1...WorkerCount.most))
    }

    /// A value attached to an option that takes none.
    mutating func expectUsed(_ topic: Help.Topic) throws(UsageError) {
        guard attached == nil else { throw UsageError(message: "\(name) takes no value", topic: topic) }
    }
}
