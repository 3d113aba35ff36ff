internal import CLinux
internal import Glibc

/// The signals that a process of ours acts on; signal(7).
public enum Signal: Int32, CaseIterable, Sendable {
    case hangUp = 1
    case interrupt = 2
    case quit = 3
    case abort = 6
    case kill = 9
    case user1 = 10
    case user2 = 12
    case pipe = 13
    case alarm = 14
    case terminate = 15
    case child = 17
    case ttyInput = 21
    case ttyOutput = 22
    case windowChange = 28

    public var name: String {
        switch self {
        case .hangUp: "SIGHUP"
        case .interrupt: "SIGINT"
        case .quit: "SIGQUIT"
        case .abort: "SIGABRT"
        case .kill: "SIGKILL"
        case .user1: "SIGUSR1"
        case .user2: "SIGUSR2"
        case .pipe: "SIGPIPE"
        case .alarm: "SIGALRM"
        case .terminate: "SIGTERM"
        case .child: "SIGCHLD"
        case .ttyInput: "SIGTTIN"
        case .ttyOutput: "SIGTTOU"
        case .windowChange: "SIGWINCH"
        }
    }

    /// The name of any signal: `SIGSEGV`, or its number.
    public static func name(of number: Int32) -> String {
        if let known = Signal(rawValue: number) { return known.name }
        return switch number {
        case 4: "SIGILL"
        case 5: "SIGTRAP"
        case 7: "SIGBUS"
        case 8: "SIGFPE"
        case 11: "SIGSEGV"
        default: "signal \(number)"
        }
    }
}

/// Signals as records to read instead of interruptions; signalfd(2).
public struct SignalDescriptor: ~Copyable, Sendable {
    private let descriptor: FileDescriptor

    public struct Record: Sendable {
        public let signal: Signal
        /// Who sent it; 0 for the kernel.
        public let process: Int32
        public let user: UInt32
    }

    public var number: Int32 { descriptor.number }

    /// Blocks `signals` in this thread and those it starts, gives them their default action (a parent may have
    /// set them to be ignored, and then the kernel would drop them), and makes them readable here.
    public init(taking signals: [Signal]) throws(SystemError) {
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        for one in signals {
            unsafe sigaddset(&mask, one.rawValue)
            _ = signal(one.rawValue, SIG_DFL)
        }
        guard unsafe sigprocmask(SIG_SETMASK, &mask, nil) == 0 else { throw .last("sigprocmask") }
        let number = unsafe signalfd(-1, &mask, 0o2004000)
        guard number >= 0 else { throw .last("signalfd") }
        descriptor = FileDescriptor(owning: number)
    }

    /// The next signal that came, if any. Equal ones that came before it was read are one.
    public func next() -> Record? {
        while true {
            var info = signalfd_siginfo()
            let size = MemoryLayout<signalfd_siginfo>.size
            guard unsafe read(descriptor.number, &info, size) == size else { return nil }
            if let known = Signal(rawValue: Int32(info.ssi_signo)) {
                return Record(signal: known, process: Int32(info.ssi_pid), user: info.ssi_uid)
            }
        }
    }

    /// Ignores signals for good.
    public static func ignore(_ signals: [Signal]) {
        for one in signals { _ = signal(one.rawValue, SIG_IGN) }
    }
}
