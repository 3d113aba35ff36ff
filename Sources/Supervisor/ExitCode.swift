/// What the exit status of `tagway` means; sysexits(3) where it has a word for it.
enum ExitCode {
    static let done: Int32 = 0
    /// A control command was refused or failed; the reason was printed.
    static let refused: Int32 = 1
    /// Stopped, but some requests had to be cut.
    static let cut: Int32 = 8
    static let usage: Int32 = 64
    /// A file that the command line names cannot be read.
    static let noInput: Int32 = 66
    /// An address is in use or cannot be bound; no supervisor listens where `ctl` asks.
    static let unavailable: Int32 = 69
    /// Workers cannot start, or a mistake of ours.
    static let failed: Int32 = 70
    /// The system refused descriptors, memory or processes.
    static let system: Int32 = 71
    /// Another supervisor holds the lock, or the run directory cannot be used.
    static let alreadyRunning: Int32 = 73
    /// An answer did not come in time.
    static let timeout: Int32 = 75
    static let permission: Int32 = 77
    static let configuration: Int32 = 78
}
