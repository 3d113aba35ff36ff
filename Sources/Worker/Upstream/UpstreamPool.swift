internal import Shared

/// The connections to one origin: lends an idle one, or dials.
///
/// The most recently used is lent first, so that the others can age out. Knows nothing of models.
@Loop final class UpstreamPool {
    let origin: Origin
    let proxy: ProxyRules.Proxy?
    private let resolver: Resolver
    private let tls: TLSContext?
    private let buffers: BufferPool
    private var idle: [UpstreamConnection] = []
    private var isRetired = false
    private static let mostIdle = 2048

    init(_ origin: Origin, proxy: ProxyRules.Proxy?, resolver: Resolver, tls: TLSContext?, buffers: BufferPool) {
        self.origin = origin
        self.proxy = proxy
        self.resolver = resolver
        self.tls = tls
        self.buffers = buffers
    }

    /// A connection for one exchange that is open already, if there is one: given back with `giveBack`, or closed.
    func takeIdle() -> UpstreamConnection? {
        while let connection = idle.popLast() {
            if connection.isQuiet { return connection }
            connection.close()
        }
        return nil
    }

    func giveBack(_ connection: UpstreamConnection) {
        guard connection.isReusable, !isRetired, idle.count < Self.mostIdle else { return connection.close() }
        connection.rest()
        connection.idleSince = EventLoop.now
        idle.append(connection)
    }

    /// Keeps no connection from now on: those under way are closed when they are given back.
    func retire() {
        isRetired = true
        closeIdle(before: .never)
    }

    /// Closes what has been idle since before `limit`; all of it with `.never`.
    func closeIdle(before limit: Instant) {
        guard let first = idle.first, first.idleSince < limit else { return }
        for connection in idle where connection.idleSince < limit { connection.close() }
        idle.removeAll { $0.idleSince < limit }
    }

    // MARK: Dialling

    /// A new connection for one exchange.
    func dial(
        until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) -> UpstreamConnection {
        let next = proxy?.origin ?? origin
        let addresses = try await resolver.resolve(next.host, until: deadline, cancelledBy: cancellation)
        var failure = UpstreamFailure.resolve(name: next.host, reason: "no address")
        for (index, address) in addresses.enumerated() {
            // Each address has its share of what time is left, so that one black hole cannot use it up.
            let left = deadline - EventLoop.now
            let share = TimeSpan(nanoseconds: left.nanoseconds / Int64(addresses.count - index))
            do throws(UpstreamFailure) {
                let stream = try await connect(
                    to: address.with(port: next.port), until: EventLoop.now + share, cancelledBy: cancellation)
                return try await secure(stream, until: deadline, cancelledBy: cancellation)
            } catch {
                if error == .cancelled { throw error }
                failure = error
            }
        }
        throw failure
    }

    private func connect(
        to address: SocketAddress, until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) -> ByteStream {
        let stream: ByteStream
        do throws(SystemError) {
            let socket = try Socket.stream(for: address)
            try? Socket.set(.noDelay, to: 1, on: socket.number)
            let isConnected = try Socket.connect(socket, to: address)
            stream = try ByteStream(socket)
            if isConnected { return stream }
        } catch {
            throw .connect(error)
        }
        let wake = await stream.readiness.waitWritable(until: deadline, cancelledBy: cancellation)
        let code = Socket.pendingError(stream.number)
        if wake == .ready, code == 0 { return stream }
        stream.close()
        switch wake {
        case .deadline: throw .deadline(.connect)
        case .cancelled: throw .cancelled
        case .ready: throw .connect(SystemError(call: "connect", code: code))
        }
    }

    /// Makes a connected stream one to the origin: through the proxy where there is one, and encrypted.
    private func secure(
        _ stream: ByteStream, until deadline: Instant, cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) -> UpstreamConnection {
        do throws(UpstreamFailure) {
            if origin.isSecure, let proxy {
                try await tunnel(stream, proxy, until: deadline, cancelledBy: cancellation)
            }
            if origin.isSecure, let tls {
                do throws(StreamFailure) {
                    try await tls.handshake(on: stream, host: origin.host, until: deadline, cancelledBy: cancellation)
                } catch {
                    throw UpstreamFailure(error, .connect)
                }
            }
            return UpstreamConnection(stream, buffers)
        } catch {
            stream.close()
            throw error
        }
    }

    /// Asks a proxy for a tunnel to the origin; RFC 9110 §9.3.6.
    private func tunnel(
        _ stream: ByteStream, _ proxy: ProxyRules.Proxy, until deadline: Instant,
        cancelledBy cancellation: Cancellation?
    ) async throws(UpstreamFailure) {
        let host = origin.host.contains(":") ? "[\(origin.host)]" : origin.host
        var request = "CONNECT \(host):\(origin.port) HTTP/1.1\r\nHost: \(host):\(origin.port)\r\n"
        if let authorization = proxy.authorization { request += "Proxy-Authorization: \(authorization)\r\n" }
        let bytes = Array("\(request)\r\n".utf8)
        let answer = ByteBuffer(capacity: 1024)
        var parser = HeadParser.response(limit: 16 * 1024)
        let head = MessageHead()
        do throws(StreamFailure) {
            try await stream.write(bytes, 0..<bytes.count, until: deadline, cancelledBy: cancellation)
            var isComplete = false
            while !isComplete {
                guard try await stream.read(into: answer, room: 512, until: deadline, cancelledBy: cancellation) > 0
                else {
                    throw .system(SystemError(call: "recv", code: 104))
                }
                do throws(HTTPViolation) {
                    isComplete = try parser.read(answer.storage, answer.readable, into: head)
                } catch {
                    throw .layer("the proxy's answer is malformed: \(error.reason)")
                }
            }
        } catch {
            throw UpstreamFailure(error, .connect)
        }
        guard (200..<300).contains(head.status), answer.count == head.length else { throw .proxy(status: head.status) }
    }
}

/// All pools of a worker, by origin. They outlive generations: what a reload keeps stays warm.
@Loop final class UpstreamPools {
    private struct Key: Hashable {
        var origin: Origin
        var proxy: Origin?
    }

    private var pools: [Key: UpstreamPool] = [:]
    private let resolver = Resolver()
    private var tls: TLSContext?
    /// What upstreams say is read in pieces of this size: as much as a burst of some dozen events.
    private let buffers = BufferPool(size: 20 * 1024)

    init() {
        EventLoop.shared.start { await self.ageOut() }
    }

    /// Lets go of memory that nobody has needed since the last call.
    func releaseUnused() {
        buffers.releaseUnused()
    }

    /// Takes over the TLS settings of a generation. Other settings mean other connections.
    func apply(_ tls: TLSContext) {
        self.tls = tls
        for (key, pool) in pools where key.origin.isSecure {
            pool.retire()
            pools[key] = nil
        }
    }

    func pool(for origin: Origin, _ rules: ProxyRules) -> UpstreamPool {
        let proxy = rules.proxy(for: origin)
        let key = Key(origin: origin, proxy: proxy?.origin)
        if let pool = pools[key] { return pool }
        let pool = UpstreamPool(origin, proxy: proxy, resolver: resolver, tls: tls, buffers: buffers)
        pools[key] = pool
        return pool
    }

    /// Closes the idle connections to origins that no deployment names any more.
    func retire(where isGone: (Origin) -> Bool) {
        for (key, pool) in pools where isGone(key.origin) {
            pool.retire()
            pools[key] = nil
        }
    }

    /// Closes connections that nobody has used for a minute.
    private func ageOut() async {
        while true {
            await EventLoop.shared.sleep(until: EventLoop.now + .seconds(10))
            let now = EventLoop.now
            for pool in pools.values { pool.closeIdle(before: Instant(nanoseconds: now.nanoseconds - 60_000_000_000)) }
        }
    }
}
