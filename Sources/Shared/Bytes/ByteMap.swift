/// An immutable map from byte strings to values, asked with a range of a larger array.
///
/// Pure. A `Dictionary` keyed by `String` or `[UInt8]` needs a key object for every question; this one hashes the
/// bytes where they lie, so looking up a model name or a tag of a request allocates nothing. Hashed eight bytes at a
/// time with a per-map seed; open addressing, at most half full.
package struct ByteMap<Value: Sendable>: Sendable {
    private var slots: [Int32]
    /// All keys one behind the other; `ends[i]` is where the `i`th ends.
    private var keys: [UInt8] = []
    private var ends: [Int] = []
    private var values: [Value] = []
    private let seed: UInt64

    /// Of equal keys the last one counts.
    package init(_ pairs: [(key: [UInt8], value: Value)], seed: UInt64 = 0x51_7C_C1_B7) {
        self.seed = seed
        var size = 8
        while size < pairs.count * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        for (key, value) in pairs {
            let slot = slot(of: key.span, 0..<key.count)
            if slots[slot] >= 0 {
                values[Int(slots[slot])] = value
            } else {
                slots[slot] = Int32(values.count)
                keys.append(contentsOf: key)
                ends.append(keys.count)
                values.append(value)
            }
        }
    }

    package subscript(_ bytes: [UInt8], _ range: Range<Int>) -> Value? {
        let index = slots[slot(of: bytes.span, range)]
        return index >= 0 ? values[Int(index)] : nil
    }

    package subscript(_ key: [UInt8]) -> Value? { self[key, 0..<key.count] }

    package var count: Int { values.count }

    /// Where `bytes[range]` is, or the empty slot where it would go.
    private func slot(of bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash(bytes, range)) & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            let start = index == 0 ? 0 : ends[index - 1]
            if ends[index] - start == range.count, isKey(at: start, bytes, range) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = 0xCBF2_9CE4_8422_2325 ^ seed ^ UInt64(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let count = min(8, range.upperBound - position)
            hash = (hash ^ ByteSearch.word(bytes, at: position, count: count)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 32
            position += count
        }
        return hash
    }

    private func isKey(at start: Int, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let keys = keys.span
        var done = 0
        while done < range.count {
            let count = min(8, range.count - done)
            guard
                ByteSearch.word(keys, at: start + done, count: count)
                    == ByteSearch.word(bytes, at: range.lowerBound + done, count: count)
            else { return false }
            done += count
        }
        return true
    }
}
