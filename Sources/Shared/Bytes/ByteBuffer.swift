/// Growable bytes with a read and a write position, reused for the whole life of a connection.
///
/// Pure: knows nothing of descriptors. `storage` is longer than what it holds; only `readable` counts.
/// Parsers take `storage` and a range, and answer in positions of `storage`, which stay right until the next
/// `compact()` or `makeRoom`. A class, because buffers are lent across waits, where `inout` may not go.
public final class ByteBuffer {
    public private(set) var storage: [UInt8]
    public private(set) var start = 0
    public private(set) var end = 0

    private let pool: BufferPool?
    /// Whose piece `storage` is since `settle`.
    private var settled: BufferPool?

    public init(capacity: Int) {
        storage = [UInt8](repeating: 0, count: capacity)
        pool = nil
    }

    /// A buffer that takes its memory from `pool` when it gets something to hold, and gives it back with `rest()`.
    public init(from pool: BufferPool) {
        storage = []
        self.pool = pool
    }

    public var readable: Range<Int> { start..<end }
    public var count: Int { end - start }
    public var isEmpty: Bool { start == end }
    public var capacity: Int { storage.count }
    /// Bytes that can be received without growing or moving.
    public var room: Int { storage.count - end }

    /// Makes at least `count` bytes of room behind `end`, by moving what is held to the front where that is
    /// enough, else by growing to twice the size, so that receiving n bytes copies O(n) in all. Who knows how much
    /// will come asks for all of it at once, and nothing is copied but what is there.
    public func makeRoom(_ count: Int) {
        guard room < count else { return }
        if storage.isEmpty, let pool {
            pool.lend(to: &storage)
            if storage.count >= count { return }
        }
        if let smaller = settled, let pool {
            let held = self.count
            exchange(for: pool, smaller)
            start = 0
            end = held
            settled = nil
            if room >= count { return }
        }
        if storage.count - self.count >= count, start >= storage.count / 2 || self.count <= 4096 {
            compact()
            return
        }
        let held = self.count
        storage = storage.grown(to: max(storage.count * 2, held + count), keeping: start..<end)
        start = 0
        end = held
    }

    /// Moves what is held to the front.
    public func compact() {
        guard start > 0 else { return }
        if !isEmpty { storage.move(start..<end, to: 0) }
        end -= start
        start = 0
    }

    /// Leaves `count` bytes of an empty buffer free, in front of what will be appended: for `prepend`.
    public func leaveFront(_ count: Int) {
        precondition(isEmpty, "room in front of what is held already")
        makeRoom(count)
        start = count
        end = count
    }

    /// Puts the lowest `count` bytes of `word`, at most 8, in front of what is held, the lowest first. Without eight bytes
    /// of room there, what is held is copied.
    public func prepend(word: UInt64, count: Int) {
        precondition(count > 0 && count <= 8, "a word has eight bytes")
        if start < 8 { makeFront(8) }
        storage.store(word << UInt64(8 * (8 - count)), at: start - 8)
        start -= count
    }

    /// Puts `bytes[range]` in front of what is held, which is copied if there is not the room.
    public func prepend(_ bytes: [UInt8], _ range: Range<Int>) {
        if start < range.count { makeFront(range.count) }
        storage.copy(bytes, range, to: start - range.count)
        start -= range.count
    }

    /// Copies what is held, so that `count` bytes in front of it are free.
    private func makeFront(_ count: Int) {
        let held = Array(storage[readable])
        removeAll()
        makeRoom(count + held.count)
        leaveFront(count)
        append(held)
    }

    /// Marks the first `count` readable bytes as used; an empty buffer starts over at the front.
    public func consume(_ count: Int) {
        precondition(count <= end - start, "more bytes consumed than were readable")
        start += count
        if start == end { removeAll() }
    }

    public func removeAll() {
        start = 0
        end = 0
    }

    /// Drops the memory of an unusually large exchange. Call only while empty.
    public func shrink(to capacity: Int) {
        guard storage.count > capacity, isEmpty else { return }
        settled = nil
        storage = pool == nil ? [UInt8](repeating: 0, count: capacity) : []
    }

    /// Gives the memory back to the pool until it is needed again; what has grown is kept for the next time. While
    /// something is held nothing happens.
    public func rest() {
        guard isEmpty, !storage.isEmpty, let pool else { return }
        if let smaller = settled {
            guard storage.count == smaller.size else { return }
            smaller.takeBack(&storage)
            settled = nil
        } else {
            guard storage.count == pool.size else { return }
            pool.takeBack(&storage)
        }
        removeAll()
    }

    /// Forgets what is held, and gives all of the memory back.
    public func release() {
        removeAll()
        if storage.isEmpty { return }
        guard let pool else { return storage = [] }
        shrink(to: pool.size)
        rest()
    }

    /// Moves what is held to a piece of `smaller`, if it fits one, and gives its own back: for what stays as it is for a
    /// while. Positions stay right; with something consumed in front nothing happens.
    public func settle(in smaller: BufferPool) {
        guard let pool, start == 0, !isEmpty, count <= smaller.size, storage.count == pool.size else { return }
        exchange(for: smaller, pool)
        settled = smaller
    }

    /// Moves what is held to the front of a piece of `other`, and gives the one of `owner` back.
    private func exchange(for other: BufferPool, _ owner: BufferPool) {
        var piece: [UInt8] = []
        other.lend(to: &piece)
        piece.copy(storage, readable, to: 0)
        swap(&piece, &storage)
        owner.takeBack(&piece)
    }

    @inline(__always)
    public func append(_ byte: UInt8) {
        if end == storage.count { makeRoom(1) }
        storage[end] = byte
        end += 1
    }

    /// Appends the lowest `count` bytes of `word`, at most 8, the lowest first: short texts that are computed.
    @inline(__always)
    public func append(word: UInt64, count: Int) {
        precondition(count >= 0 && count <= 8, "a word has eight bytes")
        if storage.count - end < 8 { makeRoom(8) }
        storage.store(word, at: end)
        end += count
    }

    @inline(__always)
    public func append(_ bytes: [UInt8]) {
        append(bytes, 0..<bytes.count)
    }

    @inline(__always)
    public func append(_ bytes: [UInt8], _ range: Range<Int>) {
        let count = range.count
        // Nothing, to a buffer that has no memory, would make it some.
        guard count > 0 else { return }
        if storage.count - end < count { makeRoom(count) }
        storage.copy(bytes, range, to: end)
        end += count
    }

    @inline(__always)
    public func append(_ text: StaticString) {
        let count = text.utf8CodeUnitCount
        if storage.count - end < count { makeRoom(count) }
        storage.copy(text, to: end)
        end += count
    }

    /// Appends what `write` puts, `count` bytes or so. It is called again when that takes more room than there was, so it does
    /// nothing that must not be done twice.
    @inline(__always)
    public func write(room count: Int = 0, _ write: (inout ByteWriter) -> Void) {
        if room < count + 16 { makeRoom(count + 16) }
        while true {
            let (count, fits) = storage.write(at: end, write)
            if fits {
                end += count
                return
            }
            makeRoom(count + 8)
        }
    }

    public func append(_ text: String) {
        append(text.utf8Span.span)
    }

    public func append(_ bytes: Span<UInt8>) {
        if storage.count - end < bytes.count { makeRoom(bytes.count) }
        storage.copy(bytes, to: end)
        end += bytes.count
    }

    /// Appends a field line for each of `lines`, which lie in `source` and have `length` bytes in all at most: `prefix` and
    /// its name, capital letters of ASCII made small, then its value.
    func append(_ prefix: StaticString, _ source: [UInt8], _ lines: some Sequence<FieldLine>, length: Int) {
        // Written by whole words.
        if storage.count - end < length + 16 { makeRoom(length + 16) }
        end = storage.writeLines(prefix, source, lines, at: end)
    }

    /// Copies `range` to `position` in front of it; for taking framing out of a body in place.
    public func move(_ range: Range<Int>, to position: Int) {
        storage.move(range, to: position)
    }

    /// The same for all pieces of a body that `next` finds, one after the other from the start on: each is moved to the end
    /// of those before it, and `gap` bytes lie behind it. Answers where they are then, and where what is not theirs begins.
    @inline(__always)
    public func join(gap: Int, _ next: (Span<UInt8>, Int) -> Range<Int>?) -> (pieces: Range<Int>, end: Int) {
        storage.join(readable, gap: gap, next)
    }

    /// Drops everything from `position` on.
    public func truncate(to position: Int) {
        precondition(position >= start && position <= end, "truncated outside of the buffer")
        end = position
    }

    /// Lends the room behind `end` to `fill`, which answers how many bytes it wrote there.
    public func fill<Failure: Error>(
        atLeast count: Int, _ fill: (inout [UInt8], Range<Int>) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        makeRoom(count)
        let written = try fill(&storage, end..<storage.count)
        precondition(written <= storage.count - end, "more bytes written than there was room")
        end += written
        return written
    }
}
