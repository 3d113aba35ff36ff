/// Numbers for byte strings, asked with a range of a larger array: 0 for the first one, and so on.
///
/// Pure. A `Dictionary` keyed by `String` or `[UInt8]` needs a key object for every question; this one hashes the
/// bytes where they lie, so looking up a model name or a tag of a request allocates nothing. Hashed eight bytes at a
/// time with a seed; open addressing, at most half full. The same code for the keys of all maps.
struct ByteIndex: Sendable {
    /// 32 bits of the key's hash, then its number plus one; 0 where nothing is.
    private var slots: [UInt64]
    /// All keys one behind the other, and a word of zeroes, so that the last one, too, can be read by words.
    private var keys = [UInt8](repeating: 0, count: 8)
    private var places: [Place] = []
    /// Where a key lies, and its first eight bytes, which are all of most, as a word.
    private struct Place {
        let first: UInt64
        let start: Int
        let count: Int
    }
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        slots = [UInt64](repeating: 0, count: 8)
    }

    /// The number of a key, which it keeps; a new one gets the next.
    mutating func add(_ key: [UInt8]) -> Int {
        let first = Self.first(key.span, 0..<key.count)
        let hash = hash(key.span, 0..<key.count, first)
        let slot = slot(of: key.span, 0..<key.count, first, hash)
        let known = number(in: slot)
        if known >= 0 { return known }
        let number = places.count
        slots[slot] = hash << 32 | UInt64(number + 1)
        places.append(Place(first: first, start: keys.count - 8, count: key.count))
        keys.insert(contentsOf: key, at: keys.count - 8)
        if places.count * 2 > slots.count { grow() }
        return number
    }

    private mutating func grow() {
        let old = slots
        slots = [UInt64](repeating: 0, count: old.count * 2)
        let mask = slots.count - 1
        for entry in old where entry != 0 {
            var slot = Int(entry >> 32) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = entry
        }
    }

    /// -1 where nothing is.
    @inline(__always)
    private func number(in slot: Int) -> Int { Int(slots[slot] & 0xFFFF_FFFF) - 1 }

    /// The key of that number.
    func key(_ number: Int) -> ArraySlice<UInt8> {
        let place = places[number]
        return keys[place.start..<place.start + place.count]
    }

    /// The number of `bytes[range]`; -1 where it has none.
    func number(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        let span = bytes.span
        let first = Self.first(span, range)
        return number(in: slot(of: span, range, first, hash(span, range, first)))
    }

    /// The first eight bytes, or fewer.
    @inline(__always)
    private static func first(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        ByteSearch.word(bytes, at: range.lowerBound, count: min(8, range.count))
    }

    /// Where `bytes[range]` is, or the empty slot where it would go.
    @inline(__always)
    private func slot(of bytes: Span<UInt8>, _ range: Range<Int>, _ first: UInt64, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash & 0xFFFF_FFFF) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return slot }
            if entry >> 32 == hash & 0xFFFF_FFFF, isKey(Int(entry & 0xFFFF_FFFF) - 1, bytes, range, first) {
                return slot
            }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    private func hash(_ bytes: Span<UInt8>, _ range: Range<Int>, _ first: UInt64) -> UInt64 {
        var hash = step(0xCBF2_9CE4_8422_2325 ^ seed ^ UInt64(range.count), first)
        // Most keys have no more.
        guard range.count > 8 else { return hash }
        var position = range.lowerBound &+ 8
        while position < range.upperBound {
            let count = min(8, range.upperBound &- position)
            hash = step(hash, ByteSearch.word(bytes, at: position, count: count))
            position &+= count
        }
        return hash
    }

    @inline(__always)
    private func step(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let hash = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        return hash ^ hash >> 32
    }

    @inline(__always)
    private func isKey(_ number: Int, _ bytes: Span<UInt8>, _ range: Range<Int>, _ first: UInt64) -> Bool {
        let place = places[number]
        guard place.count == range.count, place.first == first else { return false }
        guard range.count > 8 else { return true }
        let keys = keys.span
        var done = 8
        while done < range.count {
            let count = min(8, range.count &- done)
            guard
                ByteSearch.word(keys, at: place.start &+ done, count: count)
                    == ByteSearch.word(bytes, at: range.lowerBound &+ done, count: count)
            else { return false }
            done &+= count
        }
        return true
    }
}

/// A map from byte strings to values; see `ByteIndex`.
public struct ByteMap<Value: Sendable>: Sendable {
    private var index: ByteIndex
    private var values: [Value] = []

    public init(seed: UInt64 = 0x51_7C_C1_B7) {
        index = ByteIndex(seed: seed)
    }

    /// Of equal keys the last one counts.
    public init(_ pairs: [(key: [UInt8], value: Value)]) {
        self.init()
        for (key, value) in pairs { change(key, from: value) { $0 = value } }
    }

    /// Changes the value of a key; that of a new one is `initial` until then. Answers the key's number, which it keeps.
    @discardableResult
    public mutating func change(_ key: [UInt8], from initial: Value, _ body: (inout Value) -> Void) -> Int {
        let number = index.add(key)
        if number == values.count { values.append(initial) }
        body(&values[number])
        return number
    }

    /// The key of that number.
    public func key(_ number: Int) -> ArraySlice<UInt8> { index.key(number) }

    public subscript(_ bytes: [UInt8], _ range: Range<Int>) -> Value? {
        let number = index.number(bytes, range)
        return number < 0 ? nil : values[number]
    }

    public subscript(_ key: [UInt8]) -> Value? { self[key, 0..<key.count] }

    public var count: Int { values.count }
}
