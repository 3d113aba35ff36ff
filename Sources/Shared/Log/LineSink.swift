/// Finished lines on their way out: gathered for some milliseconds, or until there are many, and written together.
///
/// For the access log, one line per exchange, which goes to standard output (events go to standard error). Never
/// waits for whoever reads the stream: about 1 MiB is kept for him, then the newest lines are dropped and counted.
/// Pieces are cut at line ends and are short enough that a pipe takes each one whole, so the lines of several
/// workers never mix; a file takes all of them at once.
public final class LineSink {
    private let stream: StandardStream
    private let pending = ByteBuffer(capacity: 4096)
    /// Lines lost because nobody read the stream.
    public private(set) var dropped = 0
    private static let mostPending = 1 << 20
    /// Bytes that are worth a write of their own; a line fits behind them in what is kept of `pending`.
    private let much: Int
    private static let kept = 64 << 10
    private static let long = TimeSpan.milliseconds(5)
    /// When what is pending was first seen; `never` where nothing is.
    private var waitsSince = Instant.never
    private let isFile: Bool
    private let longestPiece: Int

    public init(_ stream: StandardStream = .output) {
        self.stream = stream
        isFile = stream.isFile
        much = isFile ? Self.kept - 4096 : 16 << 10
        longestPiece = isFile ? Self.mostPending : StandardStream.wholePiece
    }

    /// Where the next line is to be appended, all of it, with the newline that ends it; nil where there is no room for it.
    public func nextLine() -> ByteBuffer? {
        guard pending.count < Self.mostPending else {
            dropped += 1
            return nil
        }
        return pending
    }

    /// Writes what the stream takes without waiting, where there is much, or it has waited for long. Call it in each turn.
    public func flush(at now: Instant) {
        guard pending.count >= much || now >= due(now) else { return }
        while !pending.isEmpty, isFile || stream.hasRoom { writePiece() }
        if pending.isEmpty { pending.shrink(to: Self.kept) }
        waitsSince = .never
    }

    /// When what is pending has waited long enough; `never` where nothing is. Its time begins with the first call that
    /// finds it: call it in each turn, and before the loop waits.
    public func due(_ now: Instant) -> Instant {
        if pending.isEmpty { return .never }
        if waitsSince == .never { waitsSince = now }
        return waitsSince + Self.long
    }

    /// Writes everything, waiting where needed. Call it once, before the process ends.
    public func finish() {
        while !pending.isEmpty { writePiece() }
    }

    private func writePiece() {
        var end = pending.end
        if pending.count > longestPiece {
            let window = pending.start..<pending.start + longestPiece
            let newline =
                pending.storage[window].lastIndex(of: ASCII.lineFeed)
                ?? pending.storage[pending.readable].firstIndex(of: ASCII.lineFeed)
            end = newline.map { $0 + 1 } ?? pending.end
        }
        let piece = pending.start..<end
        stream.write(pending.storage, piece)
        pending.consume(piece.count)
    }
}
