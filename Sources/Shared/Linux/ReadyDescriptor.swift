internal import CLinux
internal import Glibc

/// A descriptor on which whoever started us waits for one line, which says that we are ready: s6's way, which
/// other supervisors of services have taken over.
public struct ReadyDescriptor: ~Copyable {
    private let descriptor: FileDescriptor

    /// Takes over a number that the command line names. Throws when nothing is open there.
    public init(taking number: Int32) throws(SystemError) {
        guard clinux_fcntl(number, F_SETFD, Int(FD_CLOEXEC)) == 0 else { throw .last("descriptor \(number)") }
        descriptor = FileDescriptor(owning: number)
    }

    /// Says it, and closes. Nobody may read any more, which is no failure of ours.
    public consuming func tell() {
        var newline: UInt8 = 0x0A
        _ = unsafe Glibc.write(descriptor.number, &newline, 1)
    }
}
