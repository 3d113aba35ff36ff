internal import CLinux
internal import Glibc

/// Tells that something in one of some directories has changed; inotify(7). What it was is for the caller to find out.
public struct DirectoryWatch: ~Copyable {
    private let descriptor: FileDescriptor
    private var watches: Set<Int32> = []

    /// Entries made, removed, renamed or written, and the end of the directory itself. Reading is no change.
    private static let mask =
        UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE)
        | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)

    public init() throws(SystemError) {
        // inotify_init1(2): its flags have the values of O_CLOEXEC and O_NONBLOCK.
        let number = inotify_init1(CLINUX_O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { throw .last("inotify_init1") }
        descriptor = FileDescriptor(owning: number)
    }

    /// Readable when something has changed.
    public var number: Int32 { descriptor.number }

    /// Watches these and no others, by what their names mean now; those that cannot be watched are left out. Whether one
    /// is watched that was not: what changed in it until now was not told.
    public mutating func follow(_ directories: [String]) -> Bool {
        var kept: Set<Int32> = []
        for directory in directories {
            let watch = unsafe directory.withCString { unsafe inotify_add_watch(descriptor.number, $0, Self.mask) }
            if watch >= 0 { kept.insert(watch) }
        }
        for watch in watches.subtracting(kept) { _ = inotify_rm_watch(descriptor.number, watch) }
        defer { watches = kept }
        return !kept.isSubset(of: watches)
    }

    /// Forgets what there is to tell; whether there was anything.
    public func drain() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var any = false
        while unsafe read(descriptor.number, &buffer, buffer.count) > 0 { any = true }
        return any
    }
}
