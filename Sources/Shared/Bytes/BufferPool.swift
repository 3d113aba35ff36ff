/// Memory for buffers that are empty most of the time: a connection that waits for something to read holds none.
///
/// Pure. The most recently used piece is lent first: it is in the processor's cache still, and a thousand idle
/// connections share the few pieces that those at work need. A page of a piece costs nothing before it was written to.
/// One pool for each use, for pieces have one size.
public final class BufferPool {
    /// Bytes of a piece.
    public let size: Int
    /// Those that nobody uses, `free` of them; behind them are empty arrays, for which pieces are exchanged, so that
    /// lending one counts no references.
    private var pieces: [[UInt8]]
    private var free = 0
    /// Pieces that wait for somebody.
    var held: Int { free }
    /// The fewest that were free since `releaseUnused`: so many were not needed.
    private var leastFree = 0

    /// Keeps `most` pieces that nobody uses.
    public init(size: Int, keeping most: Int = 256) {
        self.size = size
        pieces = [[UInt8]](repeating: [], count: most)
    }

    /// Puts a piece in the place of an empty array.
    @inline(__always)
    func lend(to storage: inout [UInt8]) {
        precondition(storage.isEmpty, "a piece for somebody who has one")
        if free > 0 {
            free -= 1
            if free < leastFree { leastFree = free }
            swap(&pieces[free], &storage)
        } else {
            storage = [].grown(to: size, keeping: 0..<0)
        }
    }

    /// Lets go of the pieces that nobody has needed since the last call.
    public func releaseUnused() {
        for index in leastFree..<free { pieces.swapAt(index - leastFree, index) }
        free -= leastFree
        for index in free..<free + leastFree { pieces[index] = [] }
        leastFree = free
    }

    /// Takes a piece, and leaves an empty array in its place.
    @inline(__always)
    func takeBack(_ storage: inout [UInt8]) {
        if free < pieces.count {
            swap(&pieces[free], &storage)
            free += 1
        } else {
            storage = []
        }
    }
}
