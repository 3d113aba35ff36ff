internal import Shared

/// The latest whole answer of a deployment that was read, for those to come: most have the same members, and differ in
/// their id, their time, their text and how many tokens they took. One for each deployment.
final class AnswerTemplate {
    /// Beyond this size an answer is not remembered, only compared.
    private static let longest = 4096

    private let template = JSONTemplate(fixed: ["model", "error"])
    /// Where the model's name goes, and the usage; from the start of the answer.
    private var names: [Range<Int>] = []
    private var usage: Range<Int>?
    /// How many answers in a row were not like the one before.
    private var misses = 0

    /// What an answer is made of, as far as a gateway cares.
    struct Parts: Equatable {
        /// Values to be replaced by the model's name, in order.
        var names: [Range<Int>] = []
        /// The object that tells how many tokens it took.
        var usage: Range<Int>?
    }

    /// Finds the parts of the answer at `range`, which then is valid JSON; false if it is not like the one before.
    func find(_ parts: inout Parts, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        guard !template.isEmpty, template.match(bytes, from: range.lowerBound, to: range.upperBound) == range.upperBound
        else { return false }
        misses = 0
        for index in 0..<names.count { parts.names.append(place(of: names[index], range.lowerBound)) }
        if let usage { parts.usage = place(of: usage, range.lowerBound) }
        return true
    }

    private func place(of range: Range<Int>, _ start: Int) -> Range<Int> {
        start + template.matched(range.lowerBound)..<start + template.matched(range.upperBound)
    }

    /// Takes an answer that was read and is valid JSON.
    func learn(_ parts: Parts, _ bytes: [UInt8], _ range: Range<Int>) {
        misses += 1
        // Where they have nothing in common it is not worth the trouble; but that may change.
        guard range.count <= Self.longest, misses <= 4 || misses % 64 == 0 else { return template.forget() }
        template.learn(bytes, range, object: range)
        names.removeAll(keepingCapacity: true)
        for name in parts.names {
            names.append(name.lowerBound - range.lowerBound..<name.upperBound - range.lowerBound)
        }
        usage = parts.usage.map { $0.lowerBound - range.lowerBound..<$0.upperBound - range.lowerBound }
    }
}
