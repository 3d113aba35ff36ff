/// Which directories have to be watched so that no change of a file is missed. Pure: links are asked of the caller.
///
/// The directory of every symbolic link on the way counts as well as the file's own: a ConfigMap volume is updated by
/// renaming its link `..data`, and a watch on the file would see its deletion only.
enum WatchedDirectories {
    /// `path` begins at the root. In the order in which they are met, each once.
    static func of(_ path: String, link: (String) -> String?) -> [String] {
        var found: [String] = []
        var done: [Substring] = []
        var rest = Array(path.split(separator: "/").reversed())
        // As many as path_resolution(7) follows before it gives up.
        var linksLeft = 40
        while let part = rest.popLast() {
            switch part {
            case ".": continue
            case "..": _ = done.popLast()
            default:
                let parent = "/" + done.joined(separator: "/")
                let full = parent == "/" ? "/\(part)" : "\(parent)/\(part)"
                if let target = link(full), linksLeft > 0 {
                    linksLeft -= 1
                    add(parent, to: &found)
                    if target.hasPrefix("/") { done = [] }
                    rest += target.split(separator: "/").reversed()
                } else {
                    if rest.isEmpty { add(parent, to: &found) }
                    done.append(part)
                }
            }
        }
        return found
    }

    private static func add(_ directory: String, to found: inout [String]) {
        if !found.contains(directory) { found.append(directory) }
    }
}

/// The mount table, as far as it tells that a file never changes. Pure.
enum MountTable {
    /// Where `text`, the form of /proc/self/mountinfo, mounts something; proc_pid_mountinfo(5).
    static func points(_ text: String) -> Set<String> {
        let fields = text.split(separator: "\n").map { $0.split(separator: " ") }
        return Set(fields.compactMap { $0.count > 4 ? unescape($0[4]) : nil })
    }

    /// Blanks, tabs, newlines and backslashes are three octal digits there.
    private static func unescape(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
