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
        /// The number of the kind that has last followed this one in a stream.
        var next: Int
        private let template = JSONTemplate(fixed: ["model", "type", "finish_reason"])
        private(set) var notes = Notes()

        init(_ operation: Endpoint.Operation, next: Int) {
            self.operation = operation
            self.next = next
        }

        /// Passes on the events at the start of `range` that are like this one; how many there were, and where they end.
        /// Until there was content, `hasContent`, none that may differ in that.
        func pass(
            _ bytes: [UInt8], _ range: Range<Int>, hasContent: Bool, _ name: ByteBuffer, _ out: ByteBuffer
        ) -> (count: Int, end: Int) {
            let (count, pieces, end) = template.matchAll(
                bytes, range, strict: hasContent ? 0 : notes.hasContent ? 1 : Int.max)
            if count == 0 { return (0, end) }
            out.write(room: end - range.lowerBound) { out in
                out.put(bytes, pieces: template.pieces, pieces, between: name)
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
        }
    }

    /// Each keeps its number, until another kind takes its place.
    private var known: [Known] = []
    /// The number of the kind that a stream began with last, and of the one that makes room for the next.
    private var first = 0
    private var oldest = 0
    /// How many events in a row were remembered without one that was like them.
    private var misses = 0

    /// Passes on the events at the start of `range` that are like ones that are known, with `name` as their model.
    /// `hasContent`: whether there was content already, so that it does not matter which of them brings it. `latest` is the
    /// number of the kind that the stream has sent last: what follows is looked for among the likeliest kinds first.
    func pass(
        _ bytes: [UInt8], _ range: Range<Int>, _ operation: Endpoint.Operation, hasContent: Bool,
        after latest: inout Int?, _ name: ByteBuffer, _ out: ByteBuffer
    ) -> Passed {
        var passed = Passed(end: range.lowerBound)
        passed.notes.hasContent = hasContent
        // A bit for each number.
        var tried: UInt = 0
        var index = latest ?? first
        while passed.end < range.upperBound, index < known.count {
            let kind = known[index]
            let (count, end) =
                kind.operation == operation
                ? kind.pass(bytes, passed.end..<range.upperBound, hasContent: passed.notes.hasContent, name, out)
                : (0, passed.end)
            tried |= 1 << UInt(index)
            if count > 0 {
                passed.count += count
                passed.end = end
                if kind.notes.hasContent { passed.notes.hasContent = true }
                if kind.notes.hasFinishReason { passed.notes.hasFinishReason = true }
                note(index, after: &latest)
                // There may be more of them than are found at a time.
                tried = count < JSONTemplate.fewest ? 1 << UInt(index) : 0
                if bytes.holds("data: [DONE]", at: end) { break }
            }
            index = likeliest(after: latest, tried)
        }
        if passed.count > 0 { misses = 0 }
        return passed
    }

    /// The number of the kind to try next; one that no kind has if all were.
    private func likeliest(after latest: Int?, _ tried: UInt) -> Int {
        if let latest, latest < known.count, tried & 1 << UInt(known[latest].next) == 0 { return known[latest].next }
        return (~tried).trailingZeroBitCount
    }

    private func note(_ index: Int, after latest: inout Int?) {
        if let before = latest, before < known.count {
            if before != index { known[before].next = index }
        } else {
            first = index
        }
        latest = index
    }

    /// Takes an event that was read: `object` is valid JSON without white space, `names` where its model's is.
    func learn(
        _ bytes: [UInt8], _ event: Range<Int>, object: Range<Int>, names: [Range<Int>],
        _ operation: Endpoint.Operation, _ notes: Notes, after latest: inout Int?
    ) {
        guard event.count <= Self.longest else { return }
        misses += 1
        // Where they have nothing in common it is not worth the trouble; but that may change.
        guard misses <= 8 || misses % 64 == 0 else { return }
        var index = known.count
        if index < Self.most {
            known.append(Known(operation, next: index))
        } else {
            index = oldest
            oldest = (oldest + 1) % Self.most
        }
        known[index].learn(bytes, event, object: object, names: names, operation, notes)
        note(index, after: &latest)
    }
}
