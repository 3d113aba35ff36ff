/// Why reading or writing could not go on.
public enum StreamFailure: Error, Equatable, Sendable {
    case system(SystemError)
    /// The layer above the socket (TLS) failed; in words fit for a log.
    case layer(String)
    case deadline
    case cancelled
}

/// What lies between a socket and the bytes that its users see: TLS. A plain stream has none.
@Loop public protocol StreamLayer: AnyObject {
    func receive(into bytes: inout [UInt8], _ room: Range<Int>) throws(StreamFailure) -> ReadOutcome
    func send(_ bytes: [UInt8], _ range: Range<Int>) throws(StreamFailure) -> WriteOutcome
    /// After `wouldBlock`: whether it is the other direction of the socket that it waits for.
    var waitsForOtherDirection: Bool { get }
    /// After bytes were received: whether there may be more without a new edge.
    var mayHaveMore: Bool { get }
    /// Says goodbye in its own protocol, without waiting.
    func finish()
}

/// A connected socket, read and written by one task at a time in each direction. Owns the descriptor.
///
/// Knows no protocol. Every wait has a deadline and may be cancelled.
@Loop public final class ByteStream {
    public let readiness: Readiness
    public let number: Int32
    public var layer: (any StreamLayer)?
    private var descriptor: FileDescriptor?

    public init(_ descriptor: consuming FileDescriptor) throws(SystemError) {
        number = descriptor.number
        readiness = try Readiness(watching: number)
        self.descriptor = consume descriptor
    }

    public private(set) var isOpen = true

    /// Tries once to receive into `buffer`, without waiting. After `wouldBlock` the place to wait at is `receiver`.
    public func receive(into buffer: ByteBuffer, room: Int) throws(StreamFailure) -> ReadOutcome {
        guard isOpen else { throw .cancelled }
        var outcome = ReadOutcome.wouldBlock
        guard readiness.isReadable else { return outcome }
        _ = try buffer.fill(atLeast: room) { (bytes, room) throws(StreamFailure) in
            if let layer {
                outcome = try layer.receive(into: &bytes, room)
                if outcome == .wouldBlock {
                    let waitsToWrite = layer.waitsForOtherDirection
                    if waitsToWrite { readiness.isWritable = false } else { readiness.isReadable = false }
                } else if case .bytes = outcome, !layer.mayHaveMore, !readiness.isHungUp {
                    readiness.isReadable = false
                }
            } else {
                do throws(SystemError) {
                    outcome = try Socket.receive(number, into: &bytes, room)
                } catch {
                    throw .system(error)
                }
                // Less than asked for means that the socket is empty, and more will raise a new edge. But an end
                // whose edge came with these bytes raises none, so then the next read has to be tried.
                switch outcome {
                case .wouldBlock: readiness.isReadable = false
                case .bytes(let count): readiness.isReadable = count == room.count || readiness.isHungUp
                case .end: break
                }
            }
            if case .bytes(let count) = outcome { return count }
            return 0
        }
        return outcome
    }

    /// Whoever was told `wouldBlock` waits here before he tries again: for bytes, or for what the layer needs first.
    public var receiver: Waiter { layer?.waitsForOtherDirection == true ? readiness.writer : readiness.reader }

    /// Receives what is there, or waits for something; the number of bytes, 0 at the end.
    public func read(
        into buffer: ByteBuffer, room: Int, until deadline: Instant, cancelledBy cancellation: Cancellation? = nil
    ) async throws(StreamFailure) -> Int {
        while true {
            switch try receive(into: buffer, room: room) {
            case .bytes(let count): return count
            case .end: return 0
            case .wouldBlock: try Self.check(await receiver.wait(until: deadline, cancelledBy: cancellation))
            }
        }
    }

    /// Whether the layer has to wait for room to send before it can go on reading: `read` knows how.
    public var waitsToWrite: Bool { layer?.waitsForOtherDirection ?? false }

    /// Waits until there may be something to read; `handler` deals with what comes for as long as it likes.
    public func waitReadable(
        until deadline: Instant, cancelledBy cancellation: Cancellation?, handledBy handler: any ReadHandler
    ) async throws(StreamFailure) {
        try Self.check(await readiness.waitReadable(until: deadline, cancelledBy: cancellation, handledBy: handler))
    }

    /// Sends what goes of `pieces` in one try, without waiting; how many bytes that was. Most answers go whole, and a
    /// call that cannot wait costs a third of one that can.
    public func trySend(
        _ pieces: [Piece], _ first: [UInt8], _ second: [UInt8] = [], _ third: [UInt8] = []
    ) throws(StreamFailure) -> Int {
        guard !pieces.isEmpty, !pieces[0].range.isEmpty else { return 0 }
        switch try send(pieces, from: 0, skip: 0, first, second, third) {
        case .bytes(let count): return count
        case .wouldBlock:
            readiness.isWritable = false
            return 0
        }
    }

    /// The same for `bytes[range]`, for a piece of a stream.
    public func trySend(_ bytes: [UInt8], _ range: Range<Int>) throws(StreamFailure) -> Int {
        guard isOpen else { throw .cancelled }
        guard !range.isEmpty else { return 0 }
        switch try send(bytes, range) {
        case .bytes(let count): return count
        case .wouldBlock:
            readiness.isWritable = false
            return 0
        }
    }

    /// Sends all of `pieces`, which name `first`, `second` and `third` as 0, 1 and 2, from the `sent`th byte on; waits
    /// for room where needed.
    ///
    /// `interruptible` ends the wait for room when the other side has said something meanwhile, and answers false:
    /// an upstream that refuses a body while it is being sent is to be heard.
    @discardableResult
    public func write(
        _ pieces: [Piece], sent: Int = 0, _ first: [UInt8], _ second: [UInt8] = [], _ third: [UInt8] = [],
        until deadline: Instant, cancelledBy cancellation: Cancellation? = nil, interruptible: Bool = false
    ) async throws(StreamFailure) -> Bool {
        var position = 0
        var skip = sent
        while true {
            // Pieces that are done, and empty ones.
            while position < pieces.count, pieces[position].range.count <= skip {
                skip -= pieces[position].range.count
                position += 1
            }
            guard position < pieces.count else { return true }
            switch try send(pieces, from: position, skip: skip, first, second, third) {
            case .bytes(let count):
                skip += count
            case .wouldBlock:
                readiness.isWritable = false
                let waitsToRead = layer?.waitsForOtherDirection ?? false
                if waitsToRead {
                    readiness.isReadable = false
                } else if interruptible {
                    if readiness.isReadable { return false }
                    readiness.readingInterruptsWriting = true
                }
                let wake =
                    waitsToRead
                    ? await readiness.waitReadable(until: deadline, cancelledBy: cancellation)
                    : await readiness.waitWritable(until: deadline, cancelledBy: cancellation)
                readiness.readingInterruptsWriting = false
                try Self.check(wake)
                // An answer that came meanwhile is not room: try to send, and look at it when that fails.
                readiness.isWritable = true
            }
        }
    }

    private func send(
        _ pieces: [Piece], from position: Int, skip: Int, _ first: [UInt8], _ second: [UInt8], _ third: [UInt8]
    ) throws(StreamFailure) -> WriteOutcome {
        guard isOpen else { throw .cancelled }
        if layer != nil || position + 1 == pieces.count {
            let piece = pieces[position]
            let bytes = piece.source == 0 ? first : piece.source == 1 ? second : third
            return try send(bytes, piece.range.lowerBound + skip..<piece.range.upperBound)
        }
        do throws(SystemError) {
            return try Socket.send(number, pieces[position...], skip: skip, first, second, third)
        } catch {
            throw .system(error)
        }
    }

    private func send(_ bytes: [UInt8], _ range: Range<Int>) throws(StreamFailure) -> WriteOutcome {
        if let layer { return try layer.send(bytes, range) }
        do throws(SystemError) {
            return try Socket.send(number, bytes, range)
        } catch {
            throw .system(error)
        }
    }

    /// Sends `bytes[range]`, all of it.
    public func write(
        _ bytes: [UInt8], _ range: Range<Int>, until deadline: Instant, cancelledBy cancellation: Cancellation? = nil
    ) async throws(StreamFailure) {
        try await write([Piece(source: 0, range: range)], bytes, until: deadline, cancelledBy: cancellation)
    }

    /// Ends the sending direction; the other side reads end-of-file.
    public func finishSending() {
        layer?.finish()
        Socket.finishSending(number)
    }

    /// Closes at once. Whoever waits here is told `cancelled`.
    public func close() {
        guard isOpen else { return }
        layer?.finish()
        readiness.close()
        isOpen = false
        descriptor = nil
    }

    /// What it means for the stream how a wait for it has ended.
    public static func check(_ wake: Wake) throws(StreamFailure) {
        switch wake {
        case .ready: return
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }
}
