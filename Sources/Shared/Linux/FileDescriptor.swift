internal import CLinux
internal import Glibc

/// A failed system call: which one, and errno.
public struct SystemError: Error, Equatable, Hashable, Sendable, CustomStringConvertible {
    public let call: String
    public let code: Int32

    /// There is no such file.
    public static let noSuchFile = ENOENT

    public init(call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// Reads errno, so it has to be made right after the call that failed.
    public static func last(_ call: String) -> SystemError {
        SystemError(call: call, code: errno)
    }

    public var reason: String { unsafe String(cString: strerror(code)) }
    public var description: String { "\(call): \(reason)" }
}

/// An open descriptor with exactly one owner; closed when the owner goes away.
public struct FileDescriptor: ~Copyable, Sendable {
    public let number: Int32

    public init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Hands the number to a caller that now has to close it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }

    /// A second descriptor for the same open file, `CLOEXEC` too; fcntl(2) F_DUPFD_CLOEXEC.
    /// `minimum` is the lowest number it may get.
    public func duplicate(minimum: Int32 = 0) throws(SystemError) -> FileDescriptor {
        let copy = clinux_fcntl(number, F_DUPFD_CLOEXEC, Int(minimum))
        guard copy >= 0 else { throw .last("fcntl(F_DUPFD_CLOEXEC)") }
        return FileDescriptor(owning: copy)
    }

    /// Whether an open descriptor of this number survives an exec(2), whoever owns it.
    public static func setInheritable(_ number: Int32, _ inheritable: Bool) {
        _ = clinux_fcntl(number, F_SETFD, inheritable ? 0 : Int(FD_CLOEXEC))
    }

    /// Whether a descriptor of this number is open.
    public static func isOpen(_ number: Int32) -> Bool {
        clinux_fcntl(number, F_GETFD, 0) >= 0
    }
}
