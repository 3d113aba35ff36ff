public import Shared

/// How a server treats its clients. All of it may change with a generation; a request keeps what it began with.
public struct ServerSettings: Sendable, Equatable {
    /// Bytes of a request's head, answered with 431 beyond.
    public var headerLimit = 64 * 1024
    /// Bytes of a request's body, answered with 413 beyond.
    public var bodyLimit = 32 * 1024 * 1024
    /// How long a kept-alive connection may stay silent between requests.
    public var idleTimeout = TimeSpan.seconds(75)
    /// From the first byte of a head to its last.
    public var headerTimeout = TimeSpan.seconds(30)
    /// The longest silence within a body.
    public var bodyTimeout = TimeSpan.seconds(60)
    /// The longest time a client may take to accept what was sent to it at once.
    public var writeTimeout = TimeSpan.seconds(60)
    /// How long a draining server still listens on a silent connection, for a request already on its way.
    public var idleGrace = TimeSpan.seconds(1)

    public init() {}
}

/// Answers requests. The only thing a server knows of what it serves.
@Loop public protocol RequestHandler: AnyObject {
    /// Answers the request that `client` has received whole, through `client.response`, as far as that goes without
    /// waiting.
    func answer(_ client: ClientConnection) -> Progress
    /// Answers a request that could not be read.
    func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async
}

/// How far an answer was brought without waiting.
@Loop public enum Progress {
    /// It goes on when something comes for the work, which says to the client when it is complete
    /// (`ClientConnection.isAnswered`), until when it waits, or that it needs the client's task after all.
    case waits(until: Instant, for: any RequestWork)
    /// It has to wait here and there, for which it needs the client's task.
    case needsTask(any RequestWork)
}

/// An answer under way.
@Loop public protocol RequestWork: AnyObject {
    /// Brings the answer to its end, in the client's task. `wake` says why: `ready` where the work has asked for that, else
    /// the wait for what was to come has ended.
    func finish(_ client: ClientConnection, _ wake: Wake) async
}

/// Why a request could not be read.
public enum RequestRefusal: Equatable, Sendable {
    case violation(HTTPViolation)
    /// The head or the body did not come in time.
    case deadline(body: Bool)
    /// The client stopped sending within its request.
    case cutOff
}

/// A plain HTTP/1.1 server: the connections that its listeners have accepted. Knows nothing of models.
@Loop public final class HTTPServer {
    public var settings = ServerSettings()
    /// Once true, every response says `Connection: close`.
    public private(set) var isDraining = false
    /// Called with the number of open connections whenever it changes.
    public var connectionsChanged: (@Loop (Int) -> Void)?

    let handler: any RequestHandler
    let date = ResponseDate()
    /// Memory for what clients send and get; most requests and answers fit a piece.
    let inputs = BufferPool(size: 16 * 1024)
    let outputs = BufferPool(size: 8 * 1024)
    /// Memory for requests that were received, while they are answered.
    let waiting = BufferPool(size: 2048)
    let waitingShort = BufferPool(size: 512)
    private var connections: [ObjectIdentifier: ClientConnection] = [:]

    public init(handler: any RequestHandler) {
        self.handler = handler
    }

    public var connectionCount: Int { connections.count }
    /// Whether it matters what a connection holds that waits. A few keep what they have for the next request.
    var isCrowded: Bool { connections.count > 128 }

    /// Takes over an accepted connection.
    public func serve(_ descriptor: consuming FileDescriptor) throws(SystemError) {
        try? Socket.set(.noDelay, to: 1, on: descriptor.number)
        let stream = try ByteStream(descriptor)
        stream.readiness.beginsWork = true
        let connection = ClientConnection(stream, server: self)
        connections[ObjectIdentifier(connection)] = connection
        connectionsChanged?(connections.count)
        EventLoop.shared.start {
            await connection.run()
            self.ended(connection)
        }
    }

    /// Lets go of memory that nobody has needed since the last call.
    public func releaseUnused() {
        for pool in [inputs, outputs, waiting, waitingShort] { pool.releaseUnused() }
    }

    private func ended(_ connection: ClientConnection) {
        connections[ObjectIdentifier(connection)] = nil
        connectionsChanged?(connections.count)
    }

    /// From now on every response tells its client to go elsewhere next. RFC 9112 §9.6.
    public func announceEnd() {
        isDraining = true
    }

    /// Announces the end to every client, and closes those that stay silent for the grace period.
    public func drain() async {
        announceEnd()
        await EventLoop.shared.sleep(until: EventLoop.now + settings.idleGrace)
        for connection in connections.values { connection.closeIfIdle() }
    }

    /// Ends every exchange that is still under way: `finish` of the supervisor, at the deadline of a drain.
    public func finish() {
        for connection in connections.values { connection.finish() }
    }
}

/// The `Date` field of responses, formatted once a second; RFC 9110 §6.6.1 and §5.6.7.
@Loop final class ResponseDate {
    private(set) var line: [UInt8] = []
    private var second: Int64 = -1
    private var checkedAt = Instant(nanoseconds: 0)

    func current() -> [UInt8] {
        let now = EventLoop.now
        if now - checkedAt >= .milliseconds(100) || line.isEmpty {
            checkedAt = now
            let seconds = Clock.unixMilliseconds() / 1000
            if seconds != second {
                second = seconds
                line = Array("date: \(HTTPDate.format(seconds))\r\n".utf8)
            }
        }
        return line
    }
}
