internal import CLinux
internal import Glibc

/// Messages with their bounds kept, and descriptors that travel along; unix(7) SOCK_SEQPACKET, SCM_RIGHTS.
public final class PacketSocket {
    private let descriptor: FileDescriptor
    /// Reused for every message that is received.
    private var room = [UInt8](repeating: 0, count: PacketSocket.largest)

    /// The longest message; what is larger travels as a descriptor.
    public static let largest = 64 << 10
    private static let mostDescriptors = 64

    public struct Packet {
        public var bytes: [UInt8]
        public var descriptors: [DescriptorBox]
        /// The message or its descriptors did not fit: the other side does not keep to the protocol.
        public var isCut: Bool
    }

    public enum Outcome {
        case packet(Packet)
        case wouldBlock
        case end
    }

    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    public var number: Int32 { descriptor.number }

    /// Two connected ends; socketpair(2). The second is for a child.
    public static func pair() throws(SystemError) -> (PacketSocket, DescriptorBox) {
        var numbers: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | 0o2004000, 0, &numbers) == 0 else {
            throw .last("socketpair")
        }
        return (
            PacketSocket(FileDescriptor(owning: numbers[0])), DescriptorBox(FileDescriptor(owning: numbers[1]))
        )
    }

    /// Sends one message. False when the other side has not read enough of what came before.
    public func send(_ bytes: [UInt8], descriptors: [DescriptorBox] = []) throws(SystemError) -> Bool {
        try Self.send(bytes, descriptors: descriptors, on: number)
    }

    /// The same on a socket that is not one of these.
    static func send(
        _ bytes: [UInt8], descriptors: [DescriptorBox], on number: Int32
    ) throws(SystemError) -> Bool {
        precondition(bytes.count <= Self.largest && descriptors.count <= Self.mostDescriptors, "message too large")
        // cmsghdr: length (8 bytes), level and type (4 each), then the numbers, rounded up to 8 bytes.
        let length = 16 + 4 * descriptors.count
        var control = [UInt64](repeating: 0, count: (length + 7) / 8)
        control[0] = UInt64(length)
        control[1] = UInt64(UInt32(SOL_SOCKET)) | UInt64(Self.rights) << 32
        for (index, one) in descriptors.enumerated() {
            control[2 + index / 2] |= UInt64(UInt32(one.number)) << UInt64(index % 2 * 32)
        }
        let count = unsafe control.withUnsafeMutableBytes { control in
            unsafe bytes.withUnsafeBytes { raw in
                var vector = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: raw.baseAddress), iov_len: raw.count)
                return unsafe withUnsafeMutablePointer(to: &vector) { vector in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = vector
                    unsafe message.msg_iovlen = 1
                    if !descriptors.isEmpty {
                        unsafe message.msg_control = control.baseAddress
                        unsafe message.msg_controllen = control.count
                    }
                    return unsafe sendmsg(number, &message, Int32(MSG_NOSIGNAL))
                }
            }
        }
        if count >= 0 { return true }
        guard errno == EAGAIN || errno == EINTR else { throw .last("sendmsg") }
        return false
    }

    private static let rights: UInt32 = 1

    /// The next message, if there is one.
    public func receive() throws(SystemError) -> Outcome {
        let number = number
        var control = [UInt64](repeating: 0, count: 2 + Self.mostDescriptors / 2)
        var flags: Int32 = 0
        var controlLength = 0
        let count = unsafe control.withUnsafeMutableBytes { control in
            unsafe room.withUnsafeMutableBytes { raw in
                var vector = unsafe iovec(iov_base: raw.baseAddress, iov_len: raw.count)
                return unsafe withUnsafeMutablePointer(to: &vector) { vector in
                    var message = unsafe msghdr()
                    unsafe message.msg_iov = vector
                    unsafe message.msg_iovlen = 1
                    unsafe message.msg_control = control.baseAddress
                    unsafe message.msg_controllen = control.count
                    // 0x40000000: MSG_CMSG_CLOEXEC.
                    let count = unsafe recvmsg(number, &message, 0x4000_0000)
                    flags = unsafe message.msg_flags
                    controlLength = unsafe Int(message.msg_controllen)
                    return count
                }
            }
        }
        guard count >= 0 else {
            if errno == EAGAIN || errno == EINTR { return .wouldBlock }
            if errno == ECONNRESET { return .end }
            throw .last("recvmsg")
        }
        var descriptors: [DescriptorBox] = []
        if controlLength >= 16 {
            let total = min(Int(control[0]), controlLength)
            for index in 0..<max(0, (total - 16) / 4) {
                let value = Int32(truncatingIfNeeded: control[2 + index / 2] >> UInt64(index % 2 * 32))
                descriptors.append(DescriptorBox(FileDescriptor(owning: value)))
            }
        }
        if count == 0 { return .end }
        // MSG_TRUNC 0x20, MSG_CTRUNC 0x8.
        return .packet(
            Packet(bytes: Array(room[..<count]), descriptors: descriptors, isCut: flags & 0x28 != 0))
    }
}
