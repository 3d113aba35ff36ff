internal import Shared

/// The latest kinds of events of a deployment that were read, for those to come: most differ in their id and in the text
/// that they bring alone. One for each deployment, so that its streams hold none: a thousand of them compare with the
/// same few texts, which stay in the processor's cache.
///
/// Pure. What was noted of an event when it was read holds for those that are like it: all that it depends on is the same,
/// but for strings that may be empty in one and not in the other, which is looked at while that matters.
final class EventTemplates {
    /// Beyond this size an event is not remembered.
    private static let longest = 4096
    /// Kinds of events that streams send in turn: a role, text, reasoning, the arguments of a tool's call, an end.
    private static let most = 8

    /// What there is to note of events.
    struct Notes {
        /// Whether one brings something of an answer (`EventContent`).
        var hasContent = false
        var hasFinishReason = false
    }

    /// Events that were passed on.
    struct Passed {
        var count = 0
        /// Where they end.
        var end: Int
        var notes = Notes()
    }

    private final class Known {
        var operation: Endpoint.Operation
        private let template = JSONTemplate(fixed: ["model", "type", "finish_reason"])
        /// How long the model's names are.
        private var lengths: [Int] = []
        private(set) var notes = Notes()

        init(_ operation: Endpoint.Operation) {
            self.operation = operation
        }

        /// Passes on the events at the start of `range` that are like this one; how many there were, and where they end.
        /// Until there was content, `hasContent`, none that may differ in that.
        func pass(
            _ bytes: [UInt8], _ range: Range<Int>, hasContent: Bool, _ name: ByteBuffer, _ out: ByteBuffer
        ) -> (count: Int, end: Int) {
            let (count, end) = template.matchAll(
                bytes, range, strict: hasContent ? 0 : notes.hasContent ? 1 : Int.max)
            if count == 0 { return (0, end) }
            let places = template.found
            out.write(room: range.count) { out in
                // What is between two names goes in one piece, from event to event.
                var position = range.lowerBound
                var index = 0
                for found in 0..<count * lengths.count {
                    let place = places[found]
                    out.put(bytes, position..<place)
                    out.put(short: name)
                    position = place &+ lengths[index]
                    index = index &+ 1 == lengths.count ? 0 : index &+ 1
                }
                out.put(bytes, position..<end)
            }
            return (count, end)
        }

        func learn(
            _ bytes: [UInt8], _ event: Range<Int>, object: Range<Int>, names: [Range<Int>],
            _ operation: Endpoint.Operation, _ notes: Notes
        ) {
            self.operation = operation
            self.notes = notes
            template.learn(bytes, event, object: object, places: names)
            lengths.removeAll(keepingCapacity: true)
            for name in names { lengths.append(name.count) }
        }
    }

    /// What matched last is the first.
    private var known: [Known] = []
    /// How many events in a row were remembered without one that was like them.
    private var misses = 0

    /// Passes on the events at the start of `range` that are like ones that are known, with `name` as their model.
    /// `hasContent`: whether there was content already, so that it does not matter which of them brings it.
    func pass(
        _ bytes: [UInt8], _ range: Range<Int>, _ operation: Endpoint.Operation, hasContent: Bool, _ name: ByteBuffer,
        _ out: ByteBuffer
    ) -> Passed {
        var passed = Passed(end: range.lowerBound)
        passed.notes.hasContent = hasContent
        var index = 0
        while passed.end < range.upperBound, index < known.count {
            guard known[index].operation == operation else {
                index += 1
                continue
            }
            let (count, end) = known[index].pass(
                bytes, passed.end..<range.upperBound, hasContent: passed.notes.hasContent, name, out)
            if count == 0 {
                index += 1
                continue
            }
            passed.count += count
            passed.end = end
            if known[index].notes.hasContent { passed.notes.hasContent = true }
            if known[index].notes.hasFinishReason { passed.notes.hasFinishReason = true }
            if index > 0 { known.swapAt(0, index) }
            // Another kind may follow, and then this one again.
            index = 0
        }
        if passed.count > 0 { misses = 0 }
        return passed
    }

    /// Takes an event that was read: `object` is valid JSON without white space, `names` where its model's is.
    func learn(
        _ bytes: [UInt8], _ event: Range<Int>, object: Range<Int>, names: [Range<Int>],
        _ operation: Endpoint.Operation, _ notes: Notes
    ) {
        guard event.count <= Self.longest else { return }
        misses += 1
        // Where they have nothing in common it is not worth the trouble; but that may change.
        guard misses <= 8 || misses % 64 == 0 else { return }
        let latest = known.count < Self.most ? Known(operation) : known.removeLast()
        latest.learn(bytes, event, object: object, names: names, operation, notes)
        known.insert(latest, at: 0)
    }
}
