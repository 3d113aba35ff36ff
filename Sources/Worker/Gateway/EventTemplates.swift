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
        private let template = JSONTemplate(fixed: ["model", "type", "finish_reason"])
        /// Where the model's name goes; from the start of the event.
        private var names: [Range<Int>] = []

        init(_ operation: Endpoint.Operation) {
            self.operation = operation
        }

        /// Passes on the events at the start of `range` that are like this one; how many there were, and where they end.
        func pass(_ bytes: [UInt8], _ range: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer) -> (
            count: Int, end: Int
        ) {
            var count = 0
            var start = range.lowerBound
            while start < range.upperBound, let end = template.match(bytes, from: start, to: range.upperBound) {
                out.write { out in
                    var position = start
                    for index in 0..<names.count {
                        let place = names[index]
                        let at = start + template.matched(place.lowerBound)
                        out.put(bytes, position..<at)
                        out.put(name)
                        position = at + place.count
                    }
                    out.put(bytes, position..<end)
                }
                count += 1
                start = end
            }
            return (count, start)
        }

        func learn(
            _ bytes: [UInt8], _ event: Range<Int>, object: Range<Int>, names: [Range<Int>],
            _ operation: Endpoint.Operation
        ) {
            self.operation = operation
            template.learn(bytes, event, object: object)
            self.names.removeAll(keepingCapacity: true)
            for name in names {
                self.names.append(name.lowerBound - event.lowerBound..<name.upperBound - event.lowerBound)
            }
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
        var count = 0
        var start = range.lowerBound
        var index = 0
        while start < range.upperBound, index < known.count {
            guard known[index].operation == operation else {
                index += 1
                continue
            }
            let (passed, end) = known[index].pass(bytes, start..<range.upperBound, name, out)
            if passed == 0 {
                index += 1
                continue
            }
            if index > 0 { known.swapAt(0, index) }
            count += passed
            start = end
            // Another kind may follow, and then this one again.
            index = 0
        }
        if count > 0 { misses = 0 }
        return (count, start)
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
        latest.learn(bytes, event, object: object, names: names, operation)
        known.insert(latest, at: 0)
    }
}
