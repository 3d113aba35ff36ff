internal import CLinux
internal import Glibc

/// What only sockets of one machine can do; unix(7).
extension Socket {
    /// Sends one datagram, and copies of descriptors with it, to a Unix address; true when it was taken. Never waits.
    @discardableResult
    public static func sendDatagram(
        _ bytes: [UInt8], descriptors: [DescriptorBox] = [], to address: SocketAddress
    ) -> Bool {
        let number = socket(address.family, Int32(SOCK_DGRAM.rawValue) | 0o2004000, 0)
        guard number >= 0 else { return false }
        let socket = FileDescriptor(owning: number)
        let isThere = unsafe address.withSocketAddress { name, length in
            unsafe Glibc.connect(socket.number, name, length) == 0
        }
        return isThere && (try? PacketSocket.send(bytes, descriptors: descriptors, on: socket.number)) == true
    }

    /// Whose process is at the other end of a connected Unix socket, and its number; SO_PEERCRED.
    public static func peer(of socket: Int32) throws(SystemError) -> (user: UInt32, process: Int32) {
        var credentials = ucred_like()
        var length = socklen_t(MemoryLayout<ucred_like>.size)
        guard unsafe getsockopt(socket, SOL_SOCKET, Int32(CLINUX_SO_PEERCRED), &credentials, &length) == 0 else {
            throw .last("getsockopt(SO_PEERCRED)")
        }
        return (credentials.uid, credentials.pid)
    }
}
