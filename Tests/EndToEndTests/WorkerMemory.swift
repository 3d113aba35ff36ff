import Foundation

/// What /proc says of a process.
struct WorkerMemory {
    /// Bytes that are the process's own, pages of files not among them.
    let anonymous: Int
    let resident: Int
    let threads: Int

    init(_ process: Int32) throws {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        func number(_ name: String) -> Int {
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") } ?? ""
            return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
        }
        anonymous = number("RssAnon") << 10
        resident = number("VmRSS") << 10
        threads = number("Threads")
    }
}
