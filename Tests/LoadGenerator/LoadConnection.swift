import Shared

/// One connection to the gateway, and one request at a time on it.
@Loop final class LoadConnection {
    enum Failure: Error {
        case refused(Int32)
        /// The other side ended within an answer, or instead of one.
        case early
        case reset
        case timeout
        case malformed

        var kind: String {
            switch self {
            case .refused(let code): code == 111 ? "refused" : code == 110 ? "timeout" : "connect-\(code)"
            case .early: "early-end"
            case .reset: "reset"
            case .timeout: "timeout"
            case .malformed: "malformed"
            }
        }
    }

    struct Answer {
        var status: Int
        /// Whether the gateway will close behind it.
        var closes: Bool
        /// Whether it names the call that was asked.
        var isOurs: Bool
    }

    private let stream: ByteStream
    private let input = ByteBuffer(capacity: 4096)
    private let head = MessageHead()
    private(set) var requests = 0
    /// When the last request was given to the system whole.
    private(set) var sentAt: Instant?

    /// The longest that anything may take: a connect, an answer, the next event.
    private let patience: TimeSpan

    init(_ options: LoadOptions) async throws(Failure) {
        patience = .seconds(options.patience)
        let port = options.port
        do throws(SystemError) {
            let address = SocketAddress(host: "127.0.0.1", port: port) ?? .ipv4(0x0100_007F, port: port)
            let socket = try Socket.stream(for: address)
            try Socket.set(.noDelay, to: 1, on: socket.number)
            let isConnected = try Socket.connect(socket, to: address)
            stream = try ByteStream(socket)
            if isConnected { return }
        } catch {
            throw .refused(error.code)
        }
        let wake = await stream.readiness.waitWritable(until: Clock.now() + patience)
        let code = Socket.pendingError(stream.number)
        guard wake == .ready, code == 0 else {
            stream.close()
            throw wake == .ready ? .refused(code) : .timeout
        }
    }

    /// The other side has closed while nothing was asked of it, which is its right.
    var isGone: Bool { stream.readiness.isHungUp }

    func close() { stream.close() }

    /// Sends a request and reads its answer, whose body goes to `piece`, chunks taken apart. `deadline` counts for a
    /// whole answer; a stream has to say something at least that often.
    func exchange(
        _ request: [UInt8], id: [UInt8], isStream: Bool = false, _ piece: (ArraySlice<UInt8>) -> Void
    ) async throws(Failure) -> Answer {
        requests += 1
        sentAt = nil
        var deadline = Clock.now() + patience
        do throws(StreamFailure) {
            try await stream.write(request, 0..<request.count, until: deadline)
        } catch {
            throw translate(error)
        }
        sentAt = Clock.now()
        try await readHead(until: deadline)
        let isOurs = input.storage[head.base..<head.end].firstRange(of: id) != nil
        let answer = Answer(status: head.status, closes: !head.keepsAlive(input.storage), isOurs: isOurs)
        let framing: BodyFraming
        do throws(HTTPViolation) {
            framing = try BodyFraming.response(head, input.storage, to: .post)
        } catch {
            throw .malformed
        }
        input.consume(head.length)
        switch framing {
        case .none: break
        case .untilClose: throw .malformed
        case .length(let length):
            while input.count < length { try await receive(until: deadline) }
            piece(input.storage[input.start..<input.start + length])
            input.consume(length)
        case .chunked:
            var decoder = ChunkedDecoder()
            while try !decode(&decoder, piece) {
                if isStream { deadline = Clock.now() + patience }
                try await receive(until: deadline)
            }
        }
        return answer
    }

    private func readHead(until deadline: Instant) async throws(Failure) {
        var parser = HeadParser.response(limit: 64 * 1024)
        while true {
            if !input.isEmpty {
                do throws(HTTPViolation) {
                    if try parser.read(input.storage, input.readable, into: head) { return }
                } catch {
                    throw .malformed
                }
            }
            try await receive(until: deadline)
        }
    }

    /// Takes apart what has been received; whether it was the end.
    private func decode(_ decoder: inout ChunkedDecoder, _ piece: (ArraySlice<UInt8>) -> Void) throws(Failure) -> Bool {
        var position = input.start
        defer { input.consume(position - input.start) }
        do throws(HTTPViolation) {
            while true {
                switch try decoder.next(input.storage, &position, input.end) {
                case .data(let range): piece(input.storage[range])
                case .end: return true
                case .needsMore: return false
                }
            }
        } catch {
            throw .malformed
        }
    }

    private func receive(until deadline: Instant) async throws(Failure) {
        let count: Int
        do throws(StreamFailure) {
            count = try await stream.read(into: input, room: 4096, until: deadline)
        } catch {
            throw translate(error)
        }
        if count == 0 { throw .early }
    }

    private func translate(_ failure: StreamFailure) -> Failure {
        switch failure {
        case .deadline: .timeout
        case .system, .layer, .cancelled: .reset
        }
    }
}
