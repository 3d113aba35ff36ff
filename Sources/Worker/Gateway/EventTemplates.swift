internal import Shared

/// The latest kinds of events of a deployment that were read, for those to come: most differ in their id and in the text
/// that they bring alone. One for each deployment, so that its streams hold none: a thousand of them compare with the
/// same few texts, which stay in the processor's cache.
///
/// Pure. Whoever asks has seen content already, and learnt nothing else of the events that he has remembered here: of
/// one that is like them there is nothing to note either.
final class EventTemplates {
    /// Beyond this size an event is not remembered.
    private static let longest = 4096
    /// Kinds of events that streams send in turn: text, reasoning, the arguments of a tool's call.
    private static let most = 4

    private final class Known {
        var operation: Endpoint.Operation
        let template = JSONTemplate(fixed: ["model", "type", "finish_reason"])
        /// Where the model's name goes; from the start of the event.
        var names: [Range<Int>] = []

        init(_ operation: Endpoint.Operation) {
            self.operation = operation
        }
    }

    /// What matched last is the first.
    private var known: [Known] = []
    /// How many events in a row were remembered without one that was like them.
    private var misses = 0

    /// Passes on the events at the start of `range` that are like ones that are known, with `name` as their model; how many
    /// there were, and where they end.
    func pass(
        _ bytes: [UInt8], _ range: Range<Int>, _ operation: Endpoint.Operation, _ name: ByteBuffer, _ out: ByteBuffer
    ) -> (count: Int, end: Int) {
        let model = name.storage
        var count = 0
        var start = range.lowerBound
        while start < range.upperBound {
            guard let (known, end) = find(bytes, from: start, to: range.upperBound, operation) else { break }
            var position = start
            for place in known.names {
                let at = start + known.template.matched(place.lowerBound)
                out.append(bytes, position..<at)
                out.append(model, name.readable)
                position = at + place.count
            }
            out.append(bytes, position..<end)
            count += 1
            start = end
        }
        if count > 0 { misses = 0 }
        return (count, start)
    }

    /// What the event at `start` is like, and where it ends; nil where it is like none, or is not there as a whole.
    @inline(__always)
    private func find(
        _ bytes: [UInt8], from start: Int, to end: Int, _ operation: Endpoint.Operation
    ) -> (Known, end: Int)? {
        for index in 0..<known.count {
            let candidate = known[index]
            guard candidate.operation == operation, let last = candidate.template.match(bytes, from: start, to: end)
            else { continue }
            if index > 0 { known.swapAt(0, index) }
            return (candidate, last)
        }
        return nil
    }

    /// Takes an event that was read: `object` is valid JSON without white space, `names` where its model's is.
    func learn(
        _ bytes: [UInt8], _ event: Range<Int>, object: Range<Int>, names: [Range<Int>], _ operation: Endpoint.Operation
    ) {
        guard event.count <= Self.longest else { return }
        misses += 1
        // Where they have nothing in common it is not worth the trouble; but that may change.
        guard misses <= 8 || misses % 64 == 0 else { return }
        let latest = known.count < Self.most ? Known(operation) : known.removeLast()
        latest.operation = operation
        latest.template.learn(bytes, event, object: object)
        latest.names.removeAll(keepingCapacity: true)
        for name in names {
            latest.names.append(name.lowerBound - event.lowerBound..<name.upperBound - event.lowerBound)
        }
        known.insert(latest, at: 0)
    }
}
