internal import CLinux
internal import Glibc

/// What only a listening socket can be asked.
extension Socket {
    /// Has the kernel complete no further connections, so that what is queued can be accepted to the end and closing
    /// resets nobody. A client that comes meanwhile tries again a second later.
    public static func ignoreNewConnections(_ listener: Int32) {
        _ = clinux_ignore_new_connections(listener)
    }

    /// Makes a listening socket that came from outside like one of ours: never waiting, not for children, open to new
    /// connections. Throws for anything else.
    public static func adopt(_ number: Int32) throws(SystemError) {
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0 else {
            throw .last("getsockopt(SO_ACCEPTCONN)")
        }
        guard isListening != 0 else { throw SystemError(call: "SO_ACCEPTCONN", code: EINVAL) }
        guard clinux_fcntl(number, F_SETFD, Int(FD_CLOEXEC)) == 0, clinux_fcntl(number, F_SETFL, Int(O_NONBLOCK)) == 0
        else { throw .last("fcntl") }
        // There is none, unless an earlier owner was about to close it.
        var none: Int32 = 0
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_DETACH_FILTER, &none, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connections that nobody has accepted yet; 0 when unknown.
    public static func queueLength(_ listener: Int32) -> Int {
        max(0, Int(clinux_queue_length(listener)))
    }
}
