internal import Shared

/// What a worker writes to standard error, taken apart into lines. Pure.
///
/// Its events are JSON lines already and go on as they are; anything else, a trap's message and its backtrace, is
/// kept for whoever asks why it died.
struct WorkerOutput {
    enum Line: Equatable {
        case event([UInt8])
        case text(String)
    }

    /// Longer lines are cut into several.
    static let longestLine = 16 << 10
    /// How many bytes of text are kept, the newest.
    static let mostKept = 64 << 10

    private var rest: [UInt8] = []
    private(set) var kept: [String] = []
    private var keptBytes = 0

    mutating func take(_ bytes: ArraySlice<UInt8>) -> [Line] {
        var lines: [Line] = []
        for byte in bytes {
            if byte == ASCII.lineFeed || rest.count >= Self.longestLine {
                lines.append(finishLine())
                if byte == ASCII.lineFeed { continue }
            }
            rest.append(byte)
        }
        return lines
    }

    /// The end: what has no newline is a line, too.
    mutating func finish() -> [Line] {
        rest.isEmpty ? [] : [finishLine()]
    }

    private mutating func finishLine() -> Line {
        defer { rest.removeAll(keepingCapacity: true) }
        if rest.starts(with: #"{"ts":""#.utf8), rest.last == 0x7D { return .event(rest) }
        let text = String(decoding: rest, as: UTF8.self)
        kept.append(text)
        keptBytes += text.utf8.count + 1
        while keptBytes > Self.mostKept, kept.count > 1 { keptBytes -= kept.removeFirst().utf8.count + 1 }
        return .text(text)
    }
}
