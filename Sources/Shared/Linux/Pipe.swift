internal import CLinux
internal import Glibc

/// One direction between two processes; pipe(2).
public enum Pipe {
    /// The end to read from, which never waits, and the end to write to, which does.
    public static func make() throws(SystemError) -> (reading: DescriptorBox, writing: DescriptorBox) {
        var numbers: [Int32] = [-1, -1]
        guard unsafe pipe2(&numbers, O_CLOEXEC) == 0 else { throw .last("pipe2") }
        let ends = (
            reading: DescriptorBox(FileDescriptor(owning: numbers[0])),
            writing: DescriptorBox(FileDescriptor(owning: numbers[1]))
        )
        guard clinux_fcntl(numbers[0], F_SETFL, Int(O_NONBLOCK)) == 0 else { throw .last("fcntl(F_SETFL)") }
        return ends
    }

    /// What is there to read now, up to `room.count` bytes.
    public static func read(_ number: Int32, into room: inout [UInt8]) -> ReadOutcome {
        let count = unsafe Glibc.read(number, &room, room.count)
        if count > 0 { return .bytes(count) }
        if count < 0, errno == EAGAIN || errno == EINTR { return .wouldBlock }
        return .end
    }
}
