/// Growable bytes with a read and a write position, reused for the whole life of a connection.
///
/// Pure: knows nothing of descriptors. `storage` is longer than what it holds; only `readable` counts.
/// Parsers take `storage` and a range, and answer in positions of `storage`, which stay right until the next
/// `compact()` or `makeRoom`. A class, because buffers are lent across waits, where `inout` may not go.
package final class ByteBuffer {
    package private(set) var storage: [UInt8]
    package private(set) var start = 0
    package private(set) var end = 0

    package init(capacity: Int) {
        storage = [UInt8](repeating: 0, count: capacity)
    }

    package var readable: Range<Int> { start..<end }
    package var count: Int { end - start }
    package var isEmpty: Bool { start == end }
    package var capacity: Int { storage.count }
    /// Bytes that can be received without growing or moving.
    package var room: Int { storage.count - end }

    /// Makes at least `count` bytes of room behind `end`, by moving what is held to the front where that is
    /// enough, else by growing to twice the size, so that receiving n bytes copies O(n) in all.
    package func makeRoom(_ count: Int) {
        guard room < count else { return }
        if storage.count - self.count >= count, start >= storage.count / 2 || self.count <= 4096 {
            compact()
            return
        }
        compact()
        let wanted = max(storage.count * 2, end + count)
        storage.reserveCapacity(wanted)
        storage.append(contentsOf: repeatElement(0, count: wanted - storage.count))
    }

    /// Moves what is held to the front.
    package func compact() {
        guard start > 0 else { return }
        if !isEmpty { storage.move(start..<end, to: 0) }
        end -= start
        start = 0
    }

    /// Marks the first `count` readable bytes as used; an empty buffer starts over at the front.
    package func consume(_ count: Int) {
        precondition(count <= end - start, "more bytes consumed than were readable")
        start += count
        if start == end { removeAll() }
    }

    package func removeAll() {
        start = 0
        end = 0
    }

    /// Drops the memory of an unusually large exchange. Call only while empty.
    package func shrink(to capacity: Int) {
        guard storage.count > capacity, isEmpty else { return }
        storage = [UInt8](repeating: 0, count: capacity)
    }

    package func append(_ byte: UInt8) {
        makeRoom(1)
        storage[end] = byte
        end += 1
    }

    package func append(_ bytes: [UInt8]) {
        append(bytes, bytes.startIndex..<bytes.endIndex)
    }

    package func append(_ bytes: [UInt8], _ range: Range<Int>) {
        guard !range.isEmpty else { return }
        makeRoom(range.count)
        storage.copy(bytes, range, to: end)
        end += range.count
    }

    package func append(_ text: StaticString) {
        makeRoom(text.utf8CodeUnitCount)
        storage.copy(text, to: end)
        end += text.utf8CodeUnitCount
    }

    package func append(_ text: String) {
        makeRoom(text.utf8.count)
        for byte in text.utf8 {
            storage[end] = byte
            end += 1
        }
    }

    /// Copies `range` to `position` in front of it; for taking framing out of a body in place.
    package func move(_ range: Range<Int>, to position: Int) {
        storage.move(range, to: position)
    }

    /// Drops everything from `position` on.
    package func truncate(to position: Int) {
        precondition(position >= start && position <= end, "truncated outside of the buffer")
        end = position
    }

    package func overwrite(_ byte: UInt8, at position: Int) {
        precondition(position >= start && position < end, "overwritten outside of the buffer")
        storage[position] = byte
    }

    /// Lends the room behind `end` to `fill`, which answers how many bytes it wrote there.
    package func fill<Failure: Error>(
        atLeast count: Int, _ fill: (inout [UInt8], Range<Int>) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        makeRoom(count)
        let written = try fill(&storage, end..<storage.count)
        precondition(written <= storage.count - end, "more bytes written than there was room")
        end += written
        return written
    }
}
