internal import Shared

/// One HTTP/1.1 connection to an upstream: sends a request, reads the head and the body of the answer.
///
/// Knows nothing of models. It is reusable only after the body was read to its framed end with nothing behind it
/// (invariant of the pool: what broke its framing never meets a second request).
@Loop final class UpstreamConnection {
    let stream: ByteStream
    let input: ByteBuffer
    private(set) var head = MessageHead()
    /// Exchanges begun on this connection.
    private(set) var exchanges = 0
    /// When it was given back to the pool.
    var idleSince = Instant.never

    private enum Body { case none, length(Int), chunked, untilClose }

    private var body = Body.none
    private var decoder = ChunkedDecoder()
    private var isBodyComplete = true
    private var keepsAlive = true
    private var isRequestComplete = true

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

    /// Sends a request: pieces of `head` (0), `body` (1) and `inserted` (2).
    @inline(__always)
    func send(
        _ pieces: [Piece], _ head: [UInt8], _ body: [UInt8], _ inserted: [UInt8], until deadline: Instant,
        cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) {
        exchanges += 1
        isBodyComplete = false
        do throws(StreamFailure) {
            let sent = try stream.trySend(pieces, head, body, inserted)
            isRequestComplete = sent == pieces.length
            if isRequestComplete { return }
            isRequestComplete = try await stream.write(
                pieces, sent: sent, head, body, inserted, until: deadline, cancelledBy: cancellation,
                interruptible: true)
        } catch {
            if case .system = error, mayBeStale { throw .stale }
            throw UpstreamFailure(error, .send)
        }
    }

    /// Whether an end without an answer can mean that the upstream had closed the silent connection before the request
    /// came. None does so within a second of its last answer: then it is the request that met this end, and it may have
    /// been taken, so that it is an attempt that failed.
    private var mayBeStale: Bool {
        exchanges > 1 && EventLoop.shared.now - idleSince >= .seconds(1)
    }

    /// Reads the head of the answer, informational ones skipped (RFC 9110 §15.2).
    @inline(__always)
    func readHead(until deadline: Instant, cancelledBy cancellation: Cancellation?) async throws(UpstreamFailure) {
        var parser = HeadParser.response(limit: 64 * 1024)
        var hasBytes = false
        while true {
            if !input.isEmpty {
                do throws(HTTPViolation) {
                    if try parser.read(input.storage, input.readable, into: &head) {
                        if head.status < 200, head.status != 101 {
                            input.consume(head.length)
                            parser = .response(limit: 64 * 1024)
                            continue
                        }
                        try beginBody()
                        return
                    }
                } catch {
                    throw .malformed(error)
                }
            }
            let count: Int
            do throws(StreamFailure) {
                count = try await stream.read(into: input, room: 4096, until: deadline, cancelledBy: cancellation)
            } catch {
                if case .system = error, mayBeStale, !hasBytes { throw .stale }
                throw UpstreamFailure(error, .firstByte)
            }
            if count == 0 { throw mayBeStale && !hasBytes ? .stale : .closedBeforeHead }
            hasBytes = true
        }
    }

    private func beginBody() throws(HTTPViolation) {
        guard head.status != 101 else { throw HTTPViolation(.malformed, "an upgrade that nobody asked for") }
        keepsAlive = head.keepsAlive(input.storage)
        isBodyComplete = false
        switch try BodyFraming.response(head, input.storage, to: .post) {
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

    /// Receives a body of known length until all of it lies in `input` behind the head.
    @inline(__always)
    func readWhole(until deadline: Instant, cancelledBy cancellation: Cancellation?) async throws(UpstreamFailure)
        -> Range<Int>
    {
        let length = announcedLength ?? 0
        while input.count < head.length + length {
            let missing = head.length + length - input.count
            let count: Int
            do throws(StreamFailure) {
                count = try await stream.read(into: input, room: missing, until: deadline, cancelledBy: cancellation)
            } catch {
                throw UpstreamFailure(error, .nextByte)
            }
            if count == 0 { throw .closedWithinBody }
        }
        head.base = input.start
        return head.end..<head.end + length
    }

    /// Leaves a body that was read whole behind.
    func discardWhole() {
        input.consume(head.length + (announcedLength ?? 0))
        isBodyComplete = true
        rest()
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
        case .chunked:
            var position = input.start
            do throws(HTTPViolation) {
                let step = try decoder.next(input.storage, &position, input.end)
                input.consume(position - input.start)
                switch step {
                case .data(let data): return data
                case .needsMore: return nil
                case .end:
                    isBodyComplete = true
                    return nil
                }
            } catch {
                throw .malformed(error)
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

    func close() {
        stream.close()
    }
}
