internal import CLinux
internal import Glibc

/// What a process can ask about itself.
public enum CurrentProcess {
    public static var id: Int32 { getpid() }
    public static var parent: Int32 { getppid() }
    public static var userID: UInt32 { geteuid() }
    /// Processors that this process may use; sched_getaffinity(2). At least 1.
    public static var usableProcessors: Int { max(1, Int(clinux_usable_processors())) }

    /// The environment as it stands. Of a name given twice, the first counts, as in getenv(3).
    public static func environment() -> [String: String] {
        var result: [String: String] = [:]
        var entry = unsafe Glibc.environ
        while let pointer = unsafe entry.pointee {
            let text = unsafe String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                if result[name] == nil { result[name] = String(text[text.index(after: equals)...]) }
            }
            unsafe entry += 1
        }
        return result
    }

    /// Keeps up to `bytes` of freed memory for the next use, instead of giving each large piece back to the kernel,
    /// which would fill it with zeroes page by page when it is asked for again; mallopt(3).
    public static func keepFreedMemory(_ bytes: Int32) {
        clinux_keep_freed_memory(bytes)
    }

    /// Bytes of the memory that was asked of the kernel which are not in use; mallinfo2(3).
    public static var freedBytes: Int { Int(mallinfo2().fordblks) }

    /// Gives memory that is not in use back to the kernel; malloc_trim(3).
    public static func returnFreedMemory() {
        malloc_trim(0)
    }

    /// Takes the pages of code and constants out of this process's memory; madvise(2) MADV_DONTNEED. They stay in the
    /// kernel's cache of the file, from where those that are used again come back when they are. To be called when what only
    /// a start runs has run.
    public static func forgetCode() {
        guard case .success(let bytes) = File.read("/proc/self/smaps", limit: 16 << 20) else { return }
        var mapping: [Substring] = []
        var isChanged = false
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            switch fields[0] {
            // Pages that are no longer the file's, such as those that the dynamic linker has written to before it took the
            // permission to do so away; proc(5).
            case "Anonymous:", "Swap:": if fields.count > 1, fields[1] != "0" { isChanged = true }
            case "VmFlags:": if !isChanged { forget(mapping) }
            default:
                // Bounds, permissions, offset, device, inode, path.
                guard !fields[0].hasSuffix(":") else { continue }
                mapping = fields
                isChanged = false
            }
        }
    }

    /// Drops the pages of a file that nobody has written to, and nobody may write to.
    private static func forget(_ mapping: [Substring]) {
        guard mapping.count > 5, mapping[1] == "r-xp" || mapping[1] == "r--p", mapping[5].hasPrefix("/") else { return }
        let bounds = mapping[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1] else { return }
        // A mapping of the kernel's own list, whose content is the file's: dropping it changes no byte.
        let start = unsafe UnsafeMutableRawPointer(bitPattern: bounds[0])
        unsafe _ = madvise(start, Int(bounds[1] - bounds[0]), MADV_DONTNEED)
    }

    /// Asks for a processor in the shortest turns there are, 0.1 ms, which changes nothing of how much of it this process
    /// gets: whoever wants less at a stretch is more often let in before the end of another program's turn;
    /// sched_setattr(2). No more than a wish: kernels before 6.12 take no notice. Who was given another policy than the usual
    /// one keeps that.
    public static func takeShortTurns() {
        guard sched_getscheduler(0) == SCHED_OTHER else { return }
        _ = clinux_set_share(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0), 100_000)
    }

    /// What ps(1) and top(1) call this process; prctl(2) PR_SET_NAME.
    public static func setName(_ name: String) {
        unsafe clinux_set_name(name)
    }

    /// Has the kernel send `signal` when the thread that started this process ends; prctl(2) PR_SET_PDEATHSIG.
    public static func dieWithParent(_ signal: Signal) {
        _ = clinux_set_parent_death_signal(signal.rawValue)
    }

    /// Memory of this process that is resident; proc(5) /proc/self/statm, second number. 0 when it cannot be read.
    public static func residentBytes() -> Int {
        guard case .success(let bytes) = File.read("/proc/self/statm", limit: 256) else { return 0 }
        let fields = bytes.split(separator: ASCII.space)
        guard fields.count > 1 else { return 0 }
        return (Int(String(decoding: fields[1], as: UTF8.self)) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Ends the process without running anything else.
    public static func end(_ code: Int32) -> Never {
        exit(code)
    }
}
