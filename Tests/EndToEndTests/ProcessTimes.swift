import Foundation

/// What a process has used of the processors; proc(5) /proc/PID/stat.
struct ProcessTimes {
    let seconds: Double

    init(_ process: Int32) throws {
        let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        // Behind the name, which may hold anything: the fields from the third on.
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        let ticks = [12, 13].compactMap { $0 < fields.count ? Double(fields[$0]) : nil }.reduce(0, +)
        seconds = ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// The open descriptors of a process, by number; proc(5) /proc/PID/fd.
func descriptors(of process: Int32) throws -> [Int: String] {
    let folder = "/proc/\(process)/fd"
    var targets: [Int: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        // One that was open for a moment may be gone.
        guard let number = Int(name),
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
        else { continue }
        targets[number] = target
    }
    return targets
}
