internal import Shared

/// One HTTP/1.1 connection to an upstream: sends a request, reads the head and the body of the answer.
///
/// Knows nothing of models. It is reusable only after the body was read to its framed end with nothing behind it
/// (invariant of the pool: what broke its framing never meets a second request).
@Loop final class UpstreamConnection {
    let stream: ByteStream
    let input: ByteBuffer
    let head = MessageHead()
    /// What whoever reads answers makes of a head, to be made once while heads are the same; empty where that has changed.
    let memo = ByteBuffer(capacity: 0)
    /// Exchanges begun on this connection.
    private(set) var exchanges = 0
    /// When it was given back to the pool.
    var idleSince = Instant.never

    private enum Body { case none, length(Int), chunked, untilClose }

    private var body = Body.none
    /// How the body of the latest answer is framed.
    private var framing = BodyFraming.none
    private var decoder = ChunkedDecoder()
    private var isBodyComplete = true
    private var keepsAlive = true
    private var isRequestComplete = true
    /// How much of a request `trySend` could send.
    private var sent = 0
    private var parser = HeadParser.response(limit: longestHead)
    /// Whether a byte of the answer was received.
    private var hasBegun = false
    /// Whether the head of the answer is there.
    private(set) var hasHead = false
    private static let longestHead = 64 * 1024

    /// `buffers` is where it takes memory from while there is something to read.
    init(_ stream: ByteStream, _ buffers: BufferPool) {
        self.stream = stream
        input = ByteBuffer(from: buffers)
    }

    var isReusable: Bool {
        isBodyComplete && keepsAlive && isRequestComplete && input.isEmpty && stream.isOpen
            && !stream.readiness.isHungUp
    }

    /// Whether an idle connection is as it was left: nothing said, nothing closed.
    var isQuiet: Bool {
        if stream.readiness.isHungUp { return false }
        guard stream.readiness.isReadable else { return true }
        // An edge without bytes (TLS session tickets): only a try can tell.
        guard case .wouldBlock? = try? stream.receive(into: input, room: 1) else { return false }
        return true
    }

    /// Sends a request, pieces of `head` (0) and `body` (1), and reads the head of the answer.
    func ask(
        _ pieces: [Piece], _ head: [UInt8], _ body: [UInt8], until deadline: Instant,
        cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) {
        _ = try trySend(pieces, head, body)
        try await finishAsking(pieces, head, body, until: deadline, cancelledBy: cancellation)
    }

    /// Sends what `trySend` has left, and reads the head of the answer.
    func finishAsking(
        _ pieces: [Piece], _ head: [UInt8], _ body: [UInt8], until deadline: Instant,
        cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) {
        if !isRequestComplete {
            try await sendRest(pieces, head, body, until: deadline, cancelledBy: cancellation)
        }
        while try !takeHead() {
            try check(await stream.receiver.wait(until: deadline, cancelledBy: cancellation), .firstByte)
        }
    }

    /// Sends a request, pieces of `head` (0) and `body` (1), as far as that goes without waiting. False when `finishAsking`
    /// has to send what is left.
    func trySend(_ pieces: [Piece], _ head: [UInt8], _ body: [UInt8]) throws(UpstreamFailure) -> Bool {
        exchanges += 1
        isBodyComplete = false
        hasBegun = false
        hasHead = false
        parser = .response(limit: Self.longestHead)
        do throws(StreamFailure) {
            sent = try stream.trySend(pieces, head, body)
            isRequestComplete = sent == pieces.length
            return isRequestComplete
        } catch {
            throw failure(sending: error)
        }
    }

    /// Sends what `trySend` has left, or as much of it as the upstream takes before it answers.
    private func sendRest(
        _ pieces: [Piece], _ head: [UInt8], _ body: [UInt8], until deadline: Instant,
        cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) {
        do throws(StreamFailure) {
            isRequestComplete = try await stream.write(
                pieces, sent: sent, head, body, until: deadline, cancelledBy: cancellation, interruptible: true)
        } catch {
            throw failure(sending: error)
        }
    }

    private func failure(sending failure: StreamFailure) -> UpstreamFailure {
        if case .system = failure, mayBeStale { return .stale }
        return UpstreamFailure(failure, .send)
    }

    /// Whether an end without an answer can mean that the upstream had closed the silent connection before the request
    /// came. None does so within a second of its last answer: then it is the request that met this end, and it may have
    /// been taken, so that it is an attempt that failed.
    private var mayBeStale: Bool {
        exchanges > 1 && EventLoop.now - idleSince >= .seconds(1)
    }

    /// Takes the head of the answer, informational ones skipped (RFC 9110 §15.2), as far as it has come. False when more
    /// has to come, at `stream.receiver`.
    func takeHead() throws(UpstreamFailure) -> Bool {
        while true {
            if hasHead { return true }
            if try parseHead() {
                hasHead = true
                return true
            }
            let outcome: ReadOutcome
            do throws(StreamFailure) {
                outcome = try stream.receive(into: input, room: 4096)
            } catch {
                if case .system = error, mayBeStale, !hasBegun { throw .stale }
                throw UpstreamFailure(error, .firstByte)
            }
            switch outcome {
            case .bytes: hasBegun = true
            case .wouldBlock: return false
            case .end: throw mayBeStale && !hasBegun ? .stale : .closedBeforeHead
            }
        }
    }

    private func parseHead() throws(UpstreamFailure) -> Bool {
        do throws(HTTPViolation) {
            while !input.isEmpty, try parser.read(input.storage, input.readable, into: head) {
                if !head.isRepeated { memo.removeAll() }
                guard head.status < 200, head.status != 101 else {
                    try beginBody()
                    return true
                }
                input.consume(head.length)
                parser = .response(limit: Self.longestHead)
            }
            return false
        } catch {
            throw .malformed(error)
        }
    }

    /// What it means for the answer how a wait for more of it has ended.
    func check(_ wake: Wake, _ phase: UpstreamFailure.Phase) throws(UpstreamFailure) {
        do throws(StreamFailure) {
            try ByteStream.check(wake)
        } catch {
            throw UpstreamFailure(error, phase)
        }
    }

    private func beginBody() throws(HTTPViolation) {
        guard head.status != 101 else { throw HTTPViolation(.malformed, "an upgrade that nobody asked for") }
        keepsAlive = head.keepsAlive(input.storage)
        isBodyComplete = false
        if !head.isRepeated { framing = try BodyFraming.response(head, input.storage, to: .post) }
        switch framing {
        case .none:
            body = .none
            isBodyComplete = true
        case .length(let length):
            body = .length(length)
            isBodyComplete = length == 0
        case .chunked:
            body = .chunked
            decoder = ChunkedDecoder()
        case .untilClose:
            body = .untilClose
            keepsAlive = false
        }
    }

    /// Leaves the head behind. Its positions mean nothing from here on.
    func discardHead() {
        input.consume(head.length)
    }

    /// The length of the body where the head tells it.
    var announcedLength: Int? {
        switch body {
        case .none: 0
        case .length(let length): length
        case .chunked, .untilClose: nil
        }
    }

    /// Takes a body of known length, which then lies in `input` behind the head. Nil when more has to come, at
    /// `stream.receiver`.
    func takeWhole() throws(UpstreamFailure) -> Range<Int>? {
        let length = announcedLength ?? 0
        while input.count < head.length + length {
            let outcome: ReadOutcome
            do throws(StreamFailure) {
                outcome = try stream.receive(into: input, room: head.length + length - input.count)
            } catch {
                throw UpstreamFailure(error, .nextByte)
            }
            switch outcome {
            case .bytes: continue
            case .wouldBlock: return nil
            case .end: throw .closedWithinBody
            }
        }
        head.base = input.start
        return head.end..<head.end + length
    }

    /// Leaves a body that was read whole behind.
    func discardWhole() {
        input.consume(head.length + (announcedLength ?? 0))
        isBodyComplete = true
    }

    /// Gives the memory for what is read back while nothing is.
    func rest() {
        input.shrink(to: 64 * 1024)
        input.rest()
    }

    /// The next piece of the body that has been received already; nil when there is none. Lent until the next call
    /// of `receiveMore`.
    func bufferedBody() throws(UpstreamFailure) -> Range<Int>? {
        guard !isBodyComplete else { return nil }
        switch body {
        case .none: return nil
        case .length(let left):
            guard !input.isEmpty else { return nil }
            let data = input.start..<input.start + min(left, input.count)
            input.consume(data.count)
            body = .length(left - data.count)
            isBodyComplete = left == data.count
            return data
        case .untilClose:
            guard !input.isEmpty else { return nil }
            let data = input.readable
            input.consume(data.count)
            return data
        case .chunked: return input.isEmpty ? nil : try bufferedChunks()
        }
    }

    /// The data of all chunks that have been received, in one piece: moved to the front, over the framing between them, for
    /// an event in a chunk of its own is better read with the others.
    private func bufferedChunks() throws(UpstreamFailure) -> Range<Int>? {
        let decoder = decoder
        if let data = decoder.chunk(input.storage, input.readable), data.upperBound + 2 == input.end {
            input.removeAll()
            return data
        }
        var (data, position) = input.joinChunks(decoder)
        // The end of the body is never reached with data.
        if position < input.end {
            do throws(HTTPViolation) {
                try joinOthers(&data, &position)
            } catch {
                throw .malformed(error)
            }
        }
        input.consume(position - input.start)
        return data.isEmpty ? nil : data
    }

    /// Adds the data of chunks that are not whole, or have something in their framing that few have.
    private func joinOthers(_ data: inout Range<Int>, _ position: inout Int) throws(HTTPViolation) {
        let end = input.end
        while position < end {
            do throws(HTTPViolation) {
                switch try decoder.next(input.storage, &position, end) {
                case .data(let piece):
                    if data.isEmpty {
                        data = piece
                    } else {
                        input.move(piece, to: data.upperBound)
                        data = data.lowerBound..<data.upperBound + piece.count
                    }
                case .needsMore: return
                case .end:
                    isBodyComplete = true
                    return
                }
            } catch {
                // What came before the mistake is the client's; the decoder meets the mistake again.
                guard data.isEmpty else { return }
                throw error
            }
        }
    }

    var isComplete: Bool { isBodyComplete }

    /// Waits for more of the body. The end of the connection completes a body that lasts until then.
    func receiveMore(until deadline: Instant, cancelledBy cancellation: Cancellation?) async throws(UpstreamFailure) {
        let count: Int
        input.rest()
        do throws(StreamFailure) {
            count = try await stream.read(into: input, room: 16 * 1024, until: deadline, cancelledBy: cancellation)
        } catch {
            throw UpstreamFailure(error, .nextByte)
        }
        if count == 0 { try bodyEnded() }
    }

    private func bodyEnded() throws(UpstreamFailure) {
        guard case .untilClose = body else { throw .closedWithinBody }
        isBodyComplete = true
    }

    /// Receives what there is of the body, without waiting; false when there is nothing.
    func tryReceive() throws(UpstreamFailure) -> Bool {
        do throws(StreamFailure) {
            switch try stream.receive(into: input, room: 16 * 1024) {
            case .bytes: return true
            case .wouldBlock:
                input.rest()
                return false
            case .end: break
            }
        } catch {
            throw UpstreamFailure(error, .nextByte)
        }
        try bodyEnded()
        return true
    }

    /// Waits until there may be more of the body; `handler` deals with what comes for as long as it likes.
    func waitForMore(
        until deadline: Instant, cancelledBy cancellation: Cancellation?, handledBy handler: any ReadHandler
    ) async throws(UpstreamFailure) {
        if stream.waitsToWrite { return try await receiveMore(until: deadline, cancelledBy: cancellation) }
        do throws(StreamFailure) {
            try await stream.waitReadable(until: deadline, cancelledBy: cancellation, handledBy: handler)
        } catch {
            throw UpstreamFailure(error, .nextByte)
        }
    }

    /// What taking a piece of a body touches.
    func addParts(to footprint: inout Footprint) {
        footprint.add(stream)
        footprint.add(stream.readiness)
        footprint.add(self)
        footprint.add(input)
    }

    func close() {
        stream.close()
    }
}
