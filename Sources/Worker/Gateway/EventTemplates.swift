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

    private struct Known {
        var operation: Endpoint.Operation
        let template = JSONTemplate(fixed: ["model", "type", "finish_reason"])
        /// Where the model's name goes; from the start of the event.
        var names: [Range<Int>] = []
    }

    /// What matched last is the first.
    private var known: [Known] = []
    /// How many events in a row were remembered without one that was like them.
    private var misses = 0

    /// Passes on the event at `start` with `name` as its model, if it is like one that is known; answers where it ends. Nil
    /// where it is not, or is not there as a whole.
    func pass(
        _ bytes: [UInt8], from start: Int, to end: Int, _ operation: Endpoint.Operation, _ name: ByteBuffer,
        _ out: ByteBuffer
    ) -> Int? {
        var index = 0
        while index < known.count {
            if known[index].operation == operation, let last = known[index].template.match(bytes, from: start, to: end)
            {
                if index > 0 { known.swapAt(0, index) }
                misses = 0
                var position = start
                for place in known[0].names {
                    let model = start + known[0].template.matched(place.lowerBound)
                    out.append(bytes, position..<model)
                    out.append(name.storage, name.readable)
                    position = model + place.count
                }
                out.append(bytes, position..<last)
                return last
            }
            index += 1
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
        var latest = known.count < Self.most ? Known(operation: operation) : known.removeLast()
        latest.operation = operation
        latest.template.learn(bytes, event, object: object)
        latest.names.removeAll(keepingCapacity: true)
        for name in names {
            latest.names.append(name.lowerBound - event.lowerBound..<name.upperBound - event.lowerBound)
        }
        known.insert(latest, at: 0)
    }
}
