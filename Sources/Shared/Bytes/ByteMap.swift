/// An immutable map from byte strings to values, asked with a range of a larger array.
///
/// Pure. A `Dictionary` keyed by `String` or `[UInt8]` needs a key object for every question; this one hashes the
/// bytes where they lie, so looking up a model name or a tag of a request allocates nothing. FNV-1a with a
/// per-map seed, open addressing, at most half full.
package struct ByteMap<Value: Sendable>: Sendable {
    private var slots: [Int32]
    private var keys: [[UInt8]] = []
    private var values: [Value] = []
    private let seed: UInt64

    /// Of equal keys the last one counts.
    package init(_ pairs: [(key: [UInt8], value: Value)], seed: UInt64 = 0x51_7C_C1_B7) {
        self.seed = seed
        var size = 8
        while size < pairs.count * 2 { size *= 2 }
        slots = [Int32](repeating: -1, count: size)
        for (key, value) in pairs {
            let slot = slot(of: key, key.startIndex..<key.endIndex)
            if slots[slot] >= 0 {
                values[Int(slots[slot])] = value
            } else {
                slots[slot] = Int32(keys.count)
                keys.append(key)
                values.append(value)
            }
        }
    }

    package subscript(_ bytes: [UInt8], _ range: Range<Int>) -> Value? {
        let index = slots[slot(of: bytes, range)]
        return index >= 0 ? values[Int(index)] : nil
    }

    package subscript(_ key: [UInt8]) -> Value? { self[key, key.startIndex..<key.endIndex] }

    package var count: Int { keys.count }

    /// Where `bytes[range]` is, or the empty slot where it would go.
    private func slot(of bytes: [UInt8], _ range: Range<Int>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ seed
        for index in range { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
        hash ^= hash >> 29
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] >= 0 {
            let key = keys[Int(slots[slot])]
            if key.count == range.count, key.elementsEqual(bytes[range]) { return slot }
            slot = (slot + 1) & mask
        }
        return slot
    }
}
