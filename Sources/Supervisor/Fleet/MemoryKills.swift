internal import Shared

/// How often the kernel has killed a process of our control group because memory ran out.
///
/// cgroups(7): version 2 counts in `memory.events`, version 1 in `memory.oom_control`, each as `oom_kill N`.
struct MemoryKills {
    private let path: String?
    private var known = 0

    init() {
        guard case .success(let bytes) = File.read("/proc/self/cgroup", limit: 64 << 10) else {
            path = nil
            return
        }
        let candidates = Self.paths(String(decoding: bytes, as: UTF8.self))
        path = candidates.first { Self.count($0) != nil }
        known = path.flatMap(Self.count) ?? 0
    }

    /// Where the count may be, by the lines of /proc/self/cgroup: inside a container the group is the root of what
    /// is mounted. Pure.
    static func paths(_ lines: String) -> [String] {
        var paths: [String] = []
        for line in lines.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { continue }
            let group = parts[2] == "/" ? "" : parts[2]
            if parts[0] == "0" {
                paths += ["/sys/fs/cgroup\(group)/memory.events", "/sys/fs/cgroup/memory.events"]
            } else if parts[1].split(separator: ",").contains("memory") {
                paths += [
                    "/sys/fs/cgroup/memory\(group)/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control",
                ]
            }
        }
        return paths
    }

    /// Whether there have been any since the last call.
    mutating func newKills() -> Bool {
        guard let count = path.flatMap(Self.count) else { return false }
        defer { known = count }
        return count > known
    }

    private static func count(_ path: String) -> Int? {
        guard case .success(let bytes) = File.read(path, limit: 4096) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("oom_kill ") {
            return Int(line.dropFirst("oom_kill ".count))
        }
        return nil
    }
}
