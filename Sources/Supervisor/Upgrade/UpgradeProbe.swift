internal import Shared

/// A new image is tried before anything depends on it: as a child that reads the same configuration and a copy of
/// what it would take over, and says so.
final class UpgradeProbe {
    let path: String
    let begun: Instant
    let child: ChildProcess
    /// What it writes, to standard output and to standard error.
    let output: DescriptorBox
    private var text: [UInt8] = []

    /// It has so long.
    static let patience = TimeSpan.seconds(30)
    private static let longestText = 64 << 10
    /// Where it finds the copy.
    private static let descriptor: Int32 = 3

    init(
        _ path: String, arguments: [String], environment: [String: String], handover: Handover, now: Instant
    ) throws(SystemError) {
        self.path = path
        begun = now
        let copy = try SealedBytes.make(named: "upgrade-probe", handover.encoded())
        let (reading, writing) = try Pipe.make()
        output = reading
        child = try ChildProcess(
            starting: path, arguments: ["tagway", "check"] + arguments + ["--upgrade-probe", "\(Self.descriptor)"],
            environment: WorkerProcess.environment(from: environment),
            descriptors: [
                (writing.number, StandardStream.output.rawValue), (writing.number, StandardStream.error.rawValue),
                (copy.number, Self.descriptor),
            ])
    }

    /// Takes what it has written. False at the end of it.
    func read(_ room: inout [UInt8]) -> Bool {
        while true {
            switch Pipe.read(output.number, into: &room) {
            case .bytes(let count):
                if text.count < Self.longestText { text += room[..<count] }
            case .wouldBlock: return true
            case .end: return false
            }
        }
    }

    enum Verdict: Equatable {
        /// The image it is.
        case fit(Handover.Image)
        case unfit(String)
    }

    /// What came of it, once it has ended.
    func verdict(_ status: ExitStatus) -> Verdict {
        Self.verdict(status, String(decoding: text, as: UTF8.self))
    }

    /// What a fit image says last. Pure.
    static func pass(_ image: Handover.Image) -> String {
        "upgrade-probe: version \(image.version), build \(image.build)"
    }

    /// Pure.
    static func verdict(_ status: ExitStatus, _ text: String) -> Verdict {
        let lines = text.split(separator: "\n").map(String.init)
        switch status {
        case .code(ExitCode.done):
            guard let last = lines.last, let match = last.wholeMatch(of: /upgrade-probe: version (\S+), build (\S+)/)
            else { return .unfit("it ended well, but is no tagway that can take over") }
            return .fit(Handover.Image(version: String(match.output.1), build: String(match.output.2)))
        case .code(let code): return .unfit(reason("exit status \(code)", lines))
        case .signal(let number): return .unfit(reason(Signal.name(of: number), lines))
        }
    }

    private static func reason(_ how: String, _ lines: [String]) -> String {
        guard let last = lines.last else { return how }
        return "\(how): \(last)"
    }

    /// The child's part: the number of the descriptor is what `check` was given.
    static func pass(_ number: Int32) -> (text: String, code: Int32) {
        let descriptor = DescriptorBox(FileDescriptor(owning: number))
        guard let bytes = try? SealedBytes.read(descriptor) else {
            return ("upgrade-probe: descriptor \(number) cannot be read\n", ExitCode.failed)
        }
        guard let handover = try? Handover(encoded: bytes) else {
            return ("upgrade-probe: what would be handed over is of another format; restart instead\n", ExitCode.failed)
        }
        // A configuration in a format of its own is no obstacle: the files are read anew, which `check` has just done.
        _ = try? Configuration(encoded: handover.configuration)
        return (pass(.own) + "\n", ExitCode.done)
    }
}
