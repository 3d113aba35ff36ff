/// Texts that are like the one that was learnt, one behind the other.
///
/// From stream to stream the events of an upstream differ in their id and their time, from event to event of one stream
/// in hardly anything but the text that they bring. So each is compared with the one in front of it, from one value that
/// changes to the next, which takes few stretches; with the text that was learnt only where that does not do.
extension JSONTemplate {
    /// A value that was seen to differ from that of the text in front, and where it is in the latest one, from its start.
    struct Change {
        /// Where it begins in the text that was learnt.
        let place: Int
        let isString: Bool
        var start: Int
        var end: Int
        /// How much farther what follows it lies than in the text in front.
        var growth = 0
    }

    /// Looks for texts like the one that was learnt at the start of `range`. How many were found, in how many `pieces`, and
    /// where they end. There may be more of them, if `fewest` were found. The first `strict` of them have the same strings
    /// empty, too.
    public func matchAll(
        _ bytes: [UInt8], _ range: Range<Int>, strict: Int
    ) -> (count: Int, pieces: Int, end: Int) {
        // Nobody else's while they are written to. By exchange, which counts no references.
        var (pieces, changes) = ([Int](), [Change]())
        swap(&self.pieces, &pieces)
        swap(&self.changes, &changes)
        defer {
            swap(&self.pieces, &pieces)
            swap(&self.changes, &changes)
        }
        if pieces.isEmpty {
            pieces = [Int](repeating: 0, count: 2 * Self.most + 2)
            // One without room is taken for somebody else's, too.
            changes.reserveCapacity(4)
        }
        var room = pieces.mutableSpan
        let (storage, places) = (text.storage, places)
        let (known, given) = (storage.span.extracting(text.readable), bytes.span.extracting(..<range.upperBound))
        var (start, count, used) = (range.lowerBound, 0, 1)
        var difference: Int?
        room[0] = start
        while start < given.count, 2 &* places.count < room.count &- used {
            guard
                let end = matchKnown(known, given, from: start)
                    ?? matchLearning(bytes, from: start, to: given.count), count >= strict || isEmptyAlike
            else { break }
            for index in places.indices {
                let position = start &+ matched(places[index].lowerBound)
                room[used] = position
                room[used &+ 1] = position &+ places[index].count
                used &+= 2
            }
            count &+= 1
            let previous = start
            start = end
            guard count >= strict, start < given.count else { continue }
            if let difference { noteChange(at: difference) }
            findChanges(&changes)
            var others = changes.mutableSpan
            let next = Self.matchNext(given, previous, start, places.span, &others, &room, used)
            (start, difference) = (next.end, next.difference)
            count &+= next.count
            used &+= 2 &* places.count &* next.count
        }
        room[used] = start
        return (count, (used &+ 1) / 2, start)
    }

    /// Passes over the texts from `start` on that differ from the one in front of them, the first of which begins at
    /// `previous`, in the values of `changes` alone. How many there were, where they end, and how far behind its start
    /// another one differs elsewhere, if one does.
    private static func matchNext(
        _ given: Span<UInt8>, _ previous: Int, _ start: Int, _ places: Span<Range<Int>>,
        _ changes: inout MutableSpan<Change>, _ room: inout MutableSpan<Int>, _ used: Int
    ) -> (count: Int, end: Int, difference: Int?) {
        let taken = 2 &* places.count
        var (previous, start, used, count) = (previous, start, used, 0)
        let most = taken > 0 ? (room.count &- used &- 1) / taken : Int.max
        while start < given.count, count < most {
            // In this text, and in the one in front.
            var (position, other) = (start, previous)
            for index in changes.indices {
                let length = previous &+ changes[index].start &- other
                guard length < given.count &- position else { return (count, start, nil) }
                guard ByteSearch.areSame(given, at: other, given, at: position, count: length) else {
                    let same = ByteSearch.commonLength(given, at: other, given, at: position, upTo: length)
                    return (count, start, position &- start &+ same)
                }
                position &+= length
                other = previous &+ changes[index].end
                changes[index].start = position &- start
                let end = endOfValue(given, from: position, isString: changes[index].isString)
                guard end > 0 else { return (count, start, nil) }
                position = end
                changes[index].growth = position &- start &- changes[index].end
                changes[index].end = position &- start
            }
            let rest = start &- other
            guard rest <= given.count &- position else { return (count, start, nil) }
            guard ByteSearch.areSame(given, at: other, given, at: position, count: rest) else {
                let same = ByteSearch.commonLength(given, at: other, given, at: position, upTo: rest)
                return (count, start, position &- start &+ same)
            }
            for place in places.indices {
                var moved = start &- previous
                for index in changes.indices {
                    if changes[index].place >= places[place].lowerBound { break }
                    moved = start &- previous &+ changes[index].growth
                }
                room[used] = room[used &- taken] &+ moved
                room[used &+ 1] = room[used &+ 1 &- taken] &+ moved
                used &+= 2
            }
            previous = start
            start = position &+ rest
            count &+= 1
        }
        return (count, start, nil)
    }

    /// From now on the value that holds what is at `position` of the text that matched last is one that changes.
    private func noteChange(at position: Int) {
        var shift = 0
        for index in varying.indices {
            let value = varying[index]
            if value.range.lowerBound + shift <= position, position <= value.range.upperBound + value.shift {
                varying[index].changes = true
                return
            }
            shift = value.shift
        }
    }

    /// Where the values that change are in the text that matched last.
    private func findChanges(_ changes: inout [Change]) {
        changes.removeAll(keepingCapacity: true)
        var shift = 0
        for value in varying {
            let range = value.range
            if value.changes {
                changes.append(
                    Change(
                        place: range.lowerBound, isString: value.isString, start: range.lowerBound + shift,
                        end: range.upperBound + value.shift))
            }
            shift = value.shift
        }
    }
}
