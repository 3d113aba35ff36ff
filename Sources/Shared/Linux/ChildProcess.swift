internal import CLinux
internal import Glibc

/// How a process ended; wait(2).
public enum ExitStatus: Equatable, Hashable, Sendable {
    case code(Int32)
    case signal(Int32)
}

/// A child, named by a descriptor: it cannot be confused with a later process of the same number; pidfd_open(2).
public final class ChildProcess {
    public let id: Int32
    private let descriptor: FileDescriptor

    private init(id: Int32, descriptor: consuming FileDescriptor) {
        self.id = id
        self.descriptor = descriptor
    }

    /// A child that this process has already, by its number.
    public convenience init(adopting id: Int32) throws(SystemError) {
        let number = clinux_pidfd_open(id)
        guard number >= 0 else { throw .last("pidfd_open") }
        self.init(id: id, descriptor: FileDescriptor(owning: number))
    }

    /// Starts the image that is running now, also when its file was replaced since; proc(5) /proc/self/exe.
    public static let ownImage = "/proc/self/exe"

    /// Where the file of that image was when it was started; execve(2).
    public static var ownPath: String {
        let path = File.linkTarget(ownImage) ?? ownImage
        let mark = " (deleted)"
        return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
    }

    /// Starts `path`; posix_spawn(3). The child gets the descriptors of `descriptors` as those numbers and no other
    /// above 2, no blocked signal, and the default action for every signal.
    public convenience init(
        starting path: String, arguments: [String], environment: [String: String],
        descriptors: [(from: Int32, to: Int32)]
    ) throws(SystemError) {
        // Sources inside the range of targets would be overwritten before their turn comes.
        let first = 1 + (descriptors.map(\.to).max() ?? 2)
        var moved: [DescriptorBox] = []
        var sources: [Int32] = []
        for one in descriptors {
            let copy = clinux_fcntl(one.from, F_DUPFD_CLOEXEC, Int(max(3, first)))
            guard copy >= 0 else { throw .last("fcntl(F_DUPFD_CLOEXEC)") }
            moved.append(DescriptorBox(FileDescriptor(owning: copy)))
            sources.append(copy)
        }
        defer { moved.removeAll() }

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (index, one) in descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, sources[index], one.to)
        }
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, max(3, first))

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(CLINUX_POSIX_SPAWN_SETSIGDEF | CLINUX_POSIX_SPAWN_SETSIGMASK))

        var process: pid_t = 0
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let code = unsafe withCStrings(arguments) { arguments in
            unsafe withCStrings(variables) { variables in
                unsafe posix_spawn(&process, path, &actions, &attributes, arguments, variables)
            }
        }
        guard code == 0 else { throw SystemError(call: "posix_spawn", code: code) }
        let number = clinux_pidfd_open(process)
        guard number >= 0 else {
            let error = SystemError.last("pidfd_open")
            _ = Glibc.kill(process, SIGKILL)
            throw error
        }
        self.init(id: process, descriptor: FileDescriptor(owning: number))
    }

    /// Turns readable when the child has ended.
    public var number: Int32 { descriptor.number }

    /// Sends a signal. False when the child is gone.
    @discardableResult
    public func send(_ signal: Signal) -> Bool {
        clinux_pidfd_send_signal(descriptor.number, signal.rawValue) == 0
    }

    /// The next child that ended and was not collected yet, whoever's it was (as process 1 also orphans); nil when
    /// there is none now. waitpid(2).
    public static func reap() -> (id: Int32, status: ExitStatus)? {
        var status: Int32 = 0
        let process = unsafe waitpid(-1, &status, WNOHANG)
        guard process > 0 else { return nil }
        if clinux_signaled(status) != 0 { return (process, .signal(clinux_term_signal(status))) }
        return (process, .code(clinux_exit_status(status)))
    }

    /// Replaces this process by another image; only returns when it could not. execve(2).
    public static func replaceSelf(
        with path: String, arguments: [String], environment: [String: String]
    ) -> SystemError {
        let variables = environment.map { "\($0.key)=\($0.value)" }
        unsafe withCStrings(arguments) { arguments in
            unsafe withCStrings(variables) { variables in
                _ = unsafe execve(path, arguments, variables)
            }
        }
        return .last("execve")
    }
}

/// A descriptor that a list can hold; closed when nobody uses it any more.
public final class DescriptorBox: Sendable {
    private let descriptor: FileDescriptor

    public init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    public var number: Int32 { descriptor.number }

    /// A copy with an owner of its own.
    public func duplicate() throws(SystemError) -> FileDescriptor {
        try descriptor.duplicate()
    }
}

/// Lends a null-terminated array of C strings, as exec(3) wants it.
private func withCStrings<R>(
    _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
) -> R {
    var pointers = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer {
        for index in unsafe pointers.indices { unsafe free(pointers[index]) }
    }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("an array with a terminator is not empty") }
        return unsafe body(base)
    }
}
