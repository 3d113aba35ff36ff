public import Shared

/// Sends one response to a client, and knows whether a byte of it has left.
///
/// Head and body begin in `buffer`; `send` lets them go in one system call together with bytes that lie elsewhere.
@Loop public final class ResponseWriter {
    /// What goes out next. The head is written here by whoever answers.
    public let buffer: ByteBuffer
    /// Whether a byte of this response may have left. Until then another answer can take its place.
    public private(set) var hasStarted = false
    /// Whether all of the response has left, in the framing that its head announced.
    public private(set) var isComplete = false
    /// Whether the connection closes behind this response.
    public var isLast = false
    public var isHead = false
    public var minorVersion: UInt8 = 1
    /// Head and framing included.
    public private(set) var bytesSent = 0

    private let stream: ByteStream
    private let date: ResponseDate
    private var writeTimeout = TimeSpan.seconds(60)
    private var isChunked = false
    private var pieces: [Piece] = []
    /// How much of `pieces` has left, where that is not all.
    private var partly: Int?
    /// Whole bodies up to this size are copied behind their head.
    private static let largestCopy = 4096

    init(_ stream: ByteStream, date: ResponseDate, buffers: BufferPool) {
        self.stream = stream
        self.date = date
        buffer = ByteBuffer(from: buffers)
    }

    func begin(writeTimeout: TimeSpan) {
        self.writeTimeout = writeTimeout
        buffer.removeAll()
        hasStarted = false
        isComplete = false
        isLast = false
        isHead = false
        minorVersion = 1
        isChunked = false
        bytesSent = 0
        partly = nil
    }

    /// Begins the head: status line, date, and the fields that `fields` puts. More may follow, then `endHead`.
    @inline(__always)
    public func beginHead(_ status: Int, _ fields: (inout ByteWriter) -> Void = { _ in }) {
        buffer.removeAll()
        let date = date.current()
        buffer.write { head in
            head.put(HTTPStatus.line(status))
            head.put(date)
            fields(&head)
        }
    }

    /// Ends the head of a response whose length is known.
    public func endHead(length: Int) {
        buffer.write { head in
            head.put("content-length: ")
            head.put(decimal: length)
            head.putLineEnd()
            putEnd(&head)
        }
    }

    /// Ends the head of a response that is sent as it comes: chunked, or until the connection closes where the
    /// client speaks HTTP/1.0 (RFC 9112 §6.1).
    public func endHeadOfStream() {
        if minorVersion >= 1 { isChunked = true } else { isLast = true }
        buffer.write { head in
            if isChunked { head.put(HeadFields.chunked) }
            putEnd(&head)
        }
    }

    @inline(__always)
    private func putEnd(_ head: inout ByteWriter) {
        if isLast {
            head.put(HeadFields.close)
        } else if minorVersion == 0 {
            head.put(HeadFields.keepAlive)
        }
        head.putLineEnd()
    }

    /// Sends the head in `buffer` with the whole body, pieces of `body` (source 0) and `inserted` (source 1), as far as
    /// that goes without waiting. False when `finishRest` has to send what is left.
    public func tryFinish(
        with body: [UInt8], _ inserted: [UInt8], _ bodyPieces: [Piece]
    ) throws(StreamFailure) -> Bool {
        hasStarted = true
        if isHead { return try tryFlush() }
        if bodyPieces.length <= Self.largestCopy {
            // In one piece: to copy that little takes less time than a list of pieces takes the kernel.
            buffer.write(room: bodyPieces.length) { buffer in
                for piece in bodyPieces { buffer.put(piece.source == 0 ? body : inserted, piece.range) }
            }
            return try tryFlush()
        }
        pieces.empty()
        pieces.append(Piece(source: 0, range: buffer.readable))
        for piece in bodyPieces { pieces.append(Piece(source: piece.source + 1, range: piece.range)) }
        let count = try stream.trySend(pieces, buffer.storage, body, inserted)
        guard count == pieces.length else {
            partly = count
            return false
        }
        sent(count)
        return true
    }

    /// Sends what `tryFinish` has left, waiting for the client to take it; with the same bytes.
    public func finishRest(with body: [UInt8], _ inserted: [UInt8]) async throws(StreamFailure) {
        if let partly {
            try await stream.write(
                pieces, sent: partly, buffer.storage, body, inserted, until: EventLoop.now + writeTimeout)
        }
        partly = nil
        sent(pieces.length)
    }

    /// Sends the head in `buffer` with a body of a few bytes that was made here.
    public func finish(with body: ByteBuffer) async throws(StreamFailure) {
        hasStarted = true
        if !isHead { buffer.append(body.storage, body.readable) }
        if try !tryFlush() { try await finishRest() }
    }

    /// Sends what goes at once of `body`, the next piece of a stream, which gets its framing, and the head in front if it is the
    /// first one; without a copy of the piece where room was left for that (`ByteBuffer.leaveFront`). False when some is left:
    /// `sendRest` goes on with the same `body`.
    public func trySend(_ body: ByteBuffer) throws(StreamFailure) -> Bool {
        if isChunked, !isHead { body.frameChunk() }
        return try trySendFramed(body)
    }

    private func trySendFramed(_ body: ByteBuffer) throws(StreamFailure) -> Bool {
        hasStarted = true
        if isHead { body.removeAll() }
        if !buffer.isEmpty {
            body.prepend(buffer.storage, buffer.readable)
            buffer.removeAll()
            buffer.rest()
        }
        guard try trySendAll(body) else { return false }
        bytesSent += body.count
        return true
    }

    /// Sends what goes at once of `bytes`; where that is not all, `pieces` and `partly` tell what is left.
    @inline(__always)
    private func trySendAll(_ bytes: ByteBuffer) throws(StreamFailure) -> Bool {
        let range = bytes.readable
        let count = try stream.trySend(bytes.storage, range)
        if count == range.count { return true }
        pieces.empty()
        pieces.append(Piece(source: 0, range: range))
        partly = count
        return false
    }

    /// Sends what `trySend` has left.
    public func sendRest(of body: ByteBuffer) async throws(StreamFailure) {
        guard let partly else { return }
        try await stream.write(pieces, sent: partly, body.storage, until: EventLoop.now + writeTimeout)
        self.partly = nil
        bytesSent += pieces.length
    }

    /// Sends a last piece of the body of a stream together with the end of its framing.
    public func finish(_ body: ByteBuffer) async throws(StreamFailure) {
        if try !tryFinish(body) { try await finishRest(of: body) }
    }

    /// The same, as far as that goes without waiting. False when `finishRest` has to send what is left.
    public func tryFinish(_ body: ByteBuffer) throws(StreamFailure) -> Bool {
        if isChunked, !isHead {
            if !body.isEmpty { body.frameChunk() }
            body.append(HeadBytes.lastChunk)
        }
        isComplete = try trySendFramed(body)
        return isComplete
    }

    /// Sends what `tryFinish` has left of a stream.
    public func finishRest(of body: ByteBuffer) async throws(StreamFailure) {
        try await sendRest(of: body)
        isComplete = true
    }

    /// Sends all of `buffer`, as far as that goes without waiting.
    private func tryFlush() throws(StreamFailure) -> Bool {
        guard try trySendAll(buffer) else { return false }
        sent(buffer.count)
        return true
    }

    /// Sends what the attempt to finish with nothing but `buffer` has left.
    public func finishRest() async throws(StreamFailure) {
        try await finishRest(with: [], [])
    }

    /// All of the response has left, `count` bytes of it now.
    private func sent(_ count: Int) {
        bytesSent += count
        buffer.removeAll()
        buffer.rest()
        isComplete = true
    }
}

/// Field lines that every response needs.
enum HeadFields {
    static let chunked = StaticString("transfer-encoding: chunked\r\n").bytes
    static let close = StaticString("connection: close\r\n").bytes
    static let keepAlive = StaticString("connection: keep-alive\r\n").bytes
    static let json = StaticString("content-type: application/json\r\n").bytes
    static let metrics = StaticString("content-type: text/plain; version=0.0.4; charset=utf-8\r\n").bytes
    static let eventStream = StaticString(
        "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
    ).bytes
    /// What the reference sends with every answer, so that a browser never frames or sniffs one.
    static let security = StaticString(
        "x-frame-options: DENY\r\nx-content-type-options: nosniff\r\ncontent-security-policy: frame-ancestors 'none'\r\n"
    ).bytes
}
