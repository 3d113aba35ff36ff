/// Numbers for byte strings, asked with a range of a larger array: 0 for the first one, and so on.
///
/// Pure. A `Dictionary` keyed by `String` or `[UInt8]` needs a key object for every question; this one hashes the
/// bytes where they lie, so looking up a model name or a tag of a request allocates nothing. Hashed eight bytes at a
/// time with a seed; open addressing, at most half full. The same code for the keys of all maps.
struct ByteIndex: Sendable {
    /// 32 bits of the key's hash, then its number plus one; 0 where nothing is.
    private var slots: [UInt64]
    /// All keys one behind the other, and a word of zeroes, so that the last one, too, can be read by words; `ends[i]` is
    /// where the `i`th ends.
    private var keys = [UInt8](repeating: 0, count: 8)
    private var ends: [Int] = []
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        slots = [UInt64](repeating: 0, count: 8)
    }

    /// The number of a key, which it keeps; a new one gets the next.
    mutating func add(_ key: [UInt8]) -> Int {
        let hash = hash(key.span, 0..<key.count)
        let slot = slot(of: key.span, 0..<key.count, hash)
        let known = number(in: slot)
        if known >= 0 { return known }
        let number = ends.count
        slots[slot] = hash << 32 | UInt64(number + 1)
        keys.insert(contentsOf: key, at: keys.count - 8)
        ends.append(keys.count - 8)
        if ends.count * 2 > slots.count { grow() }
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
        keys[(number == 0 ? 0 : ends[number - 1])..<ends[number]]
    }

    /// The number of `bytes[range]`; -1 where it has none.
    func number(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        let span = bytes.span
        return number(in: slot(of: span, range, hash(span, range)))
    }

    /// Where `bytes[range]` is, or the empty slot where it would go.
    @inline(__always)
    private func slot(of bytes: Span<UInt8>, _ range: Range<Int>, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash & 0xFFFF_FFFF) & mask
        while true {
            let entry = slots[slot]
            if entry == 0 { return slot }
            if entry >> 32 == hash & 0xFFFF_FFFF, isKey(Int(entry & 0xFFFF_FFFF) - 1, bytes, range) { return slot }
            slot = (slot + 1) & mask
        }
    }

    @inline(__always)
    private func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = 0xCBF2_9CE4_8422_2325 ^ seed ^ UInt64(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let count = min(8, range.upperBound &- position)
            hash = (hash ^ ByteSearch.word(bytes, at: position, count: count)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 32
            position &+= count
        }
        return hash
    }

    @inline(__always)
    private func isKey(_ number: Int, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let start = number == 0 ? 0 : ends[number - 1]
        guard ends[number] - start == range.count else { return false }
        let keys = keys.span
        var done = 0
        while done < range.count {
            let count = min(8, range.count &- done)
            guard
                ByteSearch.word(keys, at: start &+ done, count: count)
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
