/// Memory for buffers that are empty most of the time: a connection that waits for something to read holds none.
///
/// Pure. The most recently used piece is lent first: it is in the processor's cache still, and a thousand idle
/// connections share the few pieces that those at work need. A page of a piece costs nothing before it was written to.
/// One pool for each use, for pieces have one size.
public final class BufferPool {
    /// Bytes of a piece.
    public let size: Int
    private let most: Int
    private var free: [[UInt8]] = []

    /// Keeps `most` pieces that nobody uses.
    public init(size: Int, keeping most: Int = 256) {
        self.size = size
        self.most = most
        free.reserveCapacity(most)
    }

    func take() -> [UInt8] {
        free.popLast() ?? [].grown(to: size, keeping: 0..<0)
    }

    func give(_ piece: consuming [UInt8]) {
        if free.count < most { free.append(piece) }
    }
}
