/// A text with a JSON object in it that was read before, and how others may differ from it: in the insides of strings,
/// and in numbers. The events of a stream are such texts.
///
/// Pure. What matches is valid JSON of the same members and kinds, so that it need not be read: the bytes between the
/// values that vary are the same, and each of those is looked at as `JSONScanner` would. Which values vary is learnt:
/// all of a text is compared until a value is found to differ. To compare costs a fifth of what reading does. A class, so
/// that asking it counts no references of what it holds.
public final class JSONTemplate {
    /// A value that may differ; positions in `text`, a string's without its quotes.
    struct Value: Sendable {
        var range: Range<Int>
        var isString: Bool
        /// Whether it was seen to differ from one text to the next.
        var changes = false
        /// How much farther what follows it lies in the text that was matched last.
        var shift = 0
    }

    let text = ByteBuffer(capacity: 0)
    /// All values that may differ, in order.
    private var values: [Value] = []
    /// Those that were seen to differ, in order.
    var varying: [Value] = []
    /// Those of them that change from one text to the next, while `matchAll` looks for some.
    var changes: [Change] = []
    /// What whoever asks `matchAll` wants to find again, in order.
    private(set) var places: [Range<Int>] = []
    /// Where the pieces begin and end that what is there leaves of the texts that `matchAll` found last, piece by piece: one in
    /// front of the first place, one between two, one behind the last.
    public internal(set) var pieces: [Int] = []
    /// Places that are found at a time.
    static let most = 64
    /// If fewer texts than that are found, it is not because there is no room for more (of those with four places at most).
    public static let fewest = 16
    /// Keys whose values have a meaning to whoever asks, and may not differ.
    private let fixed: [[UInt8]]

    public init(fixed: [StaticString]) {
        self.fixed = fixed.map(\.bytes)
    }

    public var isEmpty: Bool { text.isEmpty }

    public func forget() {
        text.removeAll()
    }

    /// Takes `bytes[range]` for the texts to come. At `object`, a part of it, is a valid object and nothing else but
    /// white space. `matchAll` finds what is around `places`, values of fixed keys in order.
    public func learn(_ bytes: [UInt8], _ range: Range<Int>, object: Range<Int>, places: [Range<Int>] = []) {
        self.places.removeAll(keepingCapacity: true)
        for place in places {
            self.places.append(place.lowerBound - range.lowerBound..<place.upperBound - range.lowerBound)
        }
        text.removeAll()
        text.shrink(to: 16 * 1024)
        text.append(bytes, range)
        values.removeAll(keepingCapacity: true)
        varying.removeAll(keepingCapacity: true)
        let storage = text.storage
        let span = storage.span
        let end = object.upperBound - range.lowerBound
        var position = object.lowerBound - range.lowerBound
        var isFixed = false
        while position < end {
            switch span[position] {
            case ASCII.quote:
                let start = position + 1
                position = Self.endOfString(span, from: start, to: end)
                let text = start..<position
                repeat { position += 1 } while position < end && span[position] <= ASCII.space
                if position < end, span[position] == ASCII.colon {
                    isFixed = isFixedKey(text)
                } else if !isFixed {
                    values.append(Value(range: text, isString: true))
                }
            case 0x2D, 0x30...0x39:
                let start = position
                while position < end, Self.isOfNumber(span[position]) { position += 1 }
                if !isFixed { values.append(Value(range: start..<position, isString: false)) }
            default: position += 1
            }
        }
    }

    private func isFixedKey(_ key: Range<Int>) -> Bool {
        for name in fixed where name.count == key.count && text.storage[key].elementsEqual(name) { return true }
        // It may be one of them, written with escapes.
        return text.storage[key].contains(ASCII.backslash)
    }

    /// Where the text that begins at `start` ends, if it is like the one that was learnt; nil where it is not, or
    /// is not there as a whole.
    public func match(_ bytes: [UInt8], from start: Int, to end: Int) -> Int? {
        let storage = text.storage
        return matchKnown(storage.span.extracting(text.readable), bytes.span.extracting(..<end), from: start)
            ?? matchLearning(bytes, from: start, to: end)
    }

    /// The same where nothing differs but what is known to vary: nearly always. Does not ask where there is a difference.
    /// `known` is what was learnt, no more; `start` is within `given`: no difference of two places overflows.
    @inline(__always)
    func matchKnown(_ known: Span<UInt8>, _ given: Span<UInt8>, from start: Int) -> Int? {
        var position = start
        var done = 0
        for index in 0..<varying.count {
            let range = varying[index].range
            let length = range.lowerBound &- done
            guard length < given.count &- position,
                ByteSearch.areSame(known, at: done, given, at: position, count: length)
            else { return nil }
            position &+= length
            position = Self.endOfValue(given, from: position, isString: varying[index].isString)
            guard position > 0 else { return nil }
            done = range.upperBound
            varying[index].shift = position &- start &- done
        }
        let rest = known.count &- done
        guard rest <= given.count &- position, ByteSearch.areSame(known, at: done, given, at: position, count: rest)
        else { return nil }
        return position &+ rest
    }

    /// The same where a value may differ that was not known to vary.
    func matchLearning(_ bytes: [UInt8], from start: Int, to end: Int) -> Int? {
        let storage = text.storage
        let known = storage.span
        let given = bytes.span
        let length = text.count
        var position = start
        var done = 0
        var index = 0
        while true {
            let next = index < varying.count ? varying[index].range.lowerBound : length
            let same = ByteSearch.commonLength(
                known, at: done, given, at: position, upTo: min(next &- done, end &- position))
            if same < next &- done {
                guard position + same < end, vary(at: done + same, behind: done, before: index) else { return nil }
                continue
            }
            position += same
            guard index < varying.count else { return position }
            // What has been received may end just before it.
            guard position < end else { return nil }
            position = Self.endOfValue(given.extracting(..<end), from: position, isString: varying[index].isString)
            guard position > 0 else { return nil }
            done = varying[index].range.upperBound
            varying[index].shift = position - start - done
            index += 1
        }
    }

    /// Where the value that begins at `start`, a string's inside, ends in `given`; not positive when it does not, or is not
    /// valid. `start` is within `given`.
    @inline(__always)
    static func endOfValue(_ given: Span<UInt8>, from start: Int, isString: Bool) -> Int {
        guard isString else { return JSONScanner.endOfNumber(given, from: start, to: given.count) }
        let end = ByteSearch.endOfShortString(given, from: start)
        return end >= 0 ? end : endOfLongString(given, from: start)
    }

    private static func endOfLongString(_ given: Span<UInt8>, from start: Int) -> Int {
        var isEscaped = false
        return ByteSearch.endOfString(given, from: start, to: given.count, &isEscaped)
    }

    /// Whether the strings that were empty in the text that was learnt, and no others, are empty in the one that matched last.
    var isEmptyAlike: Bool {
        var shift = 0
        for value in varying {
            let growth = value.shift - shift
            shift = value.shift
            if value.isString, value.range.isEmpty ? growth != 0 : growth == -value.range.count { return false }
        }
        return true
    }

    /// Where what is at `position` of the text that was learnt, outside of values that vary or where a number begins, is in
    /// the one that matched last; counted from its start.
    @inline(__always)
    public func matched(_ position: Int) -> Int {
        var shift = 0
        for index in 0..<varying.count {
            if varying[index].range.lowerBound >= position { break }
            shift = varying[index].shift
        }
        return position + shift
    }

    /// From now on the value at `position` may differ; false when there is none behind `done`.
    private func vary(at position: Int, behind done: Int, before index: Int) -> Bool {
        for value in values where value.range.upperBound >= position {
            guard value.range.lowerBound <= position, value.range.lowerBound > done else { return false }
            varying.insert(value, at: index)
            return true
        }
        return false
    }

    private static func endOfString(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position < end, bytes[position] != ASCII.quote { position += bytes[position] == ASCII.backslash ? 2 : 1 }
        return min(position, end)
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        ASCII.isDigit(byte) || byte == 0x2D || byte == 0x2B || byte == 0x2E || byte | 0x20 == 0x65
    }
}
