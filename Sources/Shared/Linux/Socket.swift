internal import CLinux
internal import Glibc

/// What one try to receive brought.
public enum ReadOutcome: Equatable, Sendable {
    case bytes(Int)
    case wouldBlock
    /// The other side closed its sending direction.
    case end
}

/// What one try to send achieved.
public enum WriteOutcome: Equatable, Sendable {
    case bytes(Int)
    case wouldBlock
}

/// A piece of a message to send: a range of one of the arrays lent to `Socket.send`.
public struct Piece: Equatable, Sendable {
    public var source: Int
    public var range: Range<Int>

    public init(source: Int, range: Range<Int>) {
        self.source = source
        self.range = range
    }
}

extension [Piece] {
    /// Bytes of all of them.
    public var length: Int {
        var length = 0
        for piece in self { length += piece.range.count }
        return length
    }
}

/// System calls on sockets. All sockets are born `CLOEXEC | NONBLOCK`. Knows no event loop.
public enum Socket {
    /// A TCP or Unix stream socket that is not bound or connected yet; socket(2).
    public static func stream(for address: SocketAddress) throws(SystemError) -> FileDescriptor {
        let number = socket(address.family, Int32(SOCK_STREAM.rawValue) | 0o2004000, 0)  // CLOEXEC | NONBLOCK
        guard number >= 0 else { throw .last("socket") }
        return FileDescriptor(owning: number)
    }

    public static func bind(_ socket: borrowing FileDescriptor, to address: SocketAddress) throws(SystemError) {
        let number = socket.number
        let result = unsafe address.withSocketAddress { unsafe Glibc.bind(number, $0, $1) }
        guard result == 0 else { throw .last("bind") }
    }

    public static func listen(_ socket: borrowing FileDescriptor, backlog: Int32) throws(SystemError) {
        guard Glibc.listen(socket.number, backlog) == 0 else { throw .last("listen") }
    }

    /// The next queued connection, or nil when there is none (or it was gone before we came); accept4(2).
    public static func accept(_ listener: Int32) throws(SystemError) -> FileDescriptor? {
        let number = accept4(listener, nil, nil, 0o2004000)
        if number >= 0 { return FileDescriptor(owning: number) }
        switch errno {
        case EAGAIN, EINTR, ECONNABORTED, EPROTO, EPERM: return nil
        default: throw .last("accept4")
        }
    }

    /// Begins to connect. True when it is connected already, false when the socket turns writable later.
    public static func connect(_ socket: borrowing FileDescriptor, to address: SocketAddress) throws(SystemError)
        -> Bool
    {
        let number = socket.number
        if unsafe address.withSocketAddress({ unsafe Glibc.connect(number, $0, $1) }) == 0 { return true }
        guard errno == EINPROGRESS else { throw .last("connect") }
        return false
    }

    /// The pending error of a socket, which says how a connect ended; socket(7) SO_ERROR.
    public static func pendingError(_ socket: Int32) -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return errno }
        return code
    }

    /// Sets a boolean or number option; socket(7), tcp(7).
    public static func set(_ option: Option, to value: Int32, on socket: Int32) throws(SystemError) {
        var value = value
        let length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe setsockopt(socket, option.level, option.name, &value, length) == 0 else {
            throw .last("setsockopt(\(option))")
        }
    }

    public enum Option: Sendable {
        case reuseAddress, reusePort, noDelay, keepAlive, onlyIPv6

        var level: Int32 {
            switch self {
            case .reuseAddress, .reusePort, .keepAlive: SOL_SOCKET
            case .noDelay: Int32(IPPROTO_TCP)
            case .onlyIPv6: Int32(IPPROTO_IPV6)
            }
        }

        var name: Int32 {
            switch self {
            case .reuseAddress: SO_REUSEADDR
            case .reusePort: SO_REUSEPORT
            case .noDelay: TCP_NODELAY
            case .keepAlive: SO_KEEPALIVE
            case .onlyIPv6: IPV6_V6ONLY
            }
        }
    }

    /// The address a socket is bound to; getsockname(2).
    public static func localAddress(_ socket: Int32) throws(SystemError) -> SocketAddress {
        try unsafe name(of: socket, "getsockname") { unsafe getsockname($0, $1, $2) }
    }

    private static func name(
        of socket: Int32, _ call: String,
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) throws(SystemError) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe ask(socket, $0, &length) }
        }
        guard result == 0 else { throw .last(call) }
        let address = unsafe withUnsafeBytes(of: &storage) { raw in
            unsafe raw.baseAddress.flatMap { unsafe SocketAddress(storage: $0, length: Int(length)) }
        }
        guard let address else { throw SystemError(call: call, code: EAFNOSUPPORT) }
        return address
    }

    /// Receives into `bytes[room]`, once; recv(2).
    public static func receive(
        _ socket: Int32, into bytes: inout [UInt8], _ room: Range<Int>
    ) throws(SystemError) -> ReadOutcome {
        precondition(room.lowerBound >= 0 && room.upperBound <= bytes.count && !room.isEmpty, "no room to receive into")
        let count = unsafe bytes.withUnsafeMutableBytes { raw -> Int in
            guard let base = raw.baseAddress else { return -1 }
            return unsafe recv(socket, base + room.lowerBound, room.count, 0)
        }
        if count > 0 { return .bytes(count) }
        if count == 0 { return .end }
        guard errno == EAGAIN || errno == EINTR else { throw .last("recv") }
        return .wouldBlock
    }

    /// Whether something was received that nobody has read; recv(2) MSG_PEEK. The end is not something.
    public static func hasUnread(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
    }

    /// Sends `bytes[range]`, once; send(2) without SIGPIPE.
    public static func send(
        _ socket: Int32, _ bytes: [UInt8], _ range: Range<Int>
    ) throws(SystemError) -> WriteOutcome {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        let count = unsafe bytes.withUnsafeBytes { raw -> Int in
            guard let base = raw.baseAddress else { return 0 }
            return unsafe Glibc.send(socket, base + range.lowerBound, range.count, Int32(MSG_NOSIGNAL))
        }
        return try outcome(count, "send")
    }

    /// Sends `pieces` from the `skip`th byte of the first on, in one call; sendmsg(2) without SIGPIPE.
    ///
    /// A piece names its array by number: 0 is `first`, 1 is `second`, 2 is `third`. At most 64 pieces go at once;
    /// the caller comes again for the rest, as it does after any partial send.
    public static func send(
        _ socket: Int32, _ pieces: ArraySlice<Piece>, skip: Int, _ first: [UInt8], _ second: [UInt8], _ third: [UInt8]
    ) throws(SystemError) -> WriteOutcome {
        let count = unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 64) { vectors -> Int in
            unsafe first.withUnsafeBytes { first in
                unsafe second.withUnsafeBytes { second in
                    unsafe third.withUnsafeBytes { third in
                        var used = 0
                        for piece in pieces.prefix(64) {
                            let array = unsafe piece.source == 0 ? first : piece.source == 1 ? second : third
                            let lower = piece.range.lowerBound + (used == 0 ? skip : 0)
                            precondition(
                                piece.range.lowerBound >= 0 && lower <= piece.range.upperBound
                                    && piece.range.upperBound <= array.count, "piece outside of its bytes")
                            let base = unsafe UnsafeMutableRawPointer(
                                mutating: array.baseAddress.map { unsafe $0 + lower })
                            let vector = unsafe iovec(iov_base: base, iov_len: piece.range.upperBound - lower)
                            unsafe vectors.initializeElement(at: used, to: vector)
                            used += 1
                        }
                        var message = unsafe msghdr()
                        unsafe message.msg_iov = vectors.baseAddress
                        unsafe message.msg_iovlen = used
                        return unsafe sendmsg(socket, &message, Int32(MSG_NOSIGNAL))
                    }
                }
            }
        }
        return try outcome(count, "sendmsg")
    }

    private static func outcome(_ count: Int, _ call: String) throws(SystemError) -> WriteOutcome {
        if count >= 0 { return .bytes(count) }
        guard errno == EAGAIN || errno == EINTR else { throw .last(call) }
        return .wouldBlock
    }

    /// Ends the sending direction; the other side reads end-of-file. shutdown(2).
    public static func finishSending(_ socket: Int32) {
        _ = shutdown(socket, Int32(SHUT_WR))
    }
}
