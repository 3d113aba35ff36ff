/// One JSON line per event on standard error, in one write.
///
/// The name of an event is constant text, found by searching the sources; everything variable is a field. Keys,
/// bodies and credentials never become fields: a `Secret` has no way to be written here but as `<secret>`.
public final class Log {
    public enum Level: Int, Comparable, CaseIterable, Sendable {
        case debug, info, warn, error

        public var name: StaticString {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warn: "warn"
            case .error: "error"
            }
        }

        public init?(name: String) {
            guard let level = Self.allCases.first(where: { "\($0.name)" == name }) else { return nil }
            self = level
        }

        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
    }

    /// Events below it are not written.
    public var level: Level
    private let line = ByteBuffer(capacity: 1024)
    private let process = Int(CurrentProcess.id)
    private let write: ([UInt8], Range<Int>) -> Void

    /// `write` gets each line whole, newline included; the default is standard error.
    public init(
        level: Level = .info,
        write: @escaping ([UInt8], Range<Int>) -> Void = { StandardStream.error.write($0, $1) }
    ) {
        self.level = level
        self.write = write
    }

    /// Writes `{"ts":…,"level":…,"event":…,"pid":…,` and what `fields` adds.
    public func event(_ level: Level, _ name: StaticString, _ fields: (inout JSONObject) -> Void = { _ in }) {
        guard level >= self.level else { return }
        line.removeAll()
        var object = JSONObject(in: line)
        object.member("ts", Timestamp.text(Clock.unixMilliseconds()))
        object.key("level")
        append(level.name)
        object.key("event")
        append(name)
        object.member("pid", process)
        fields(&object)
        object.end()
        line.append(ASCII.lineFeed)
        write(line.storage, line.readable)
    }

    /// Writes a finished line of another process.
    public func pass(_ bytes: [UInt8]) {
        line.removeAll()
        line.append(bytes)
        line.append(ASCII.lineFeed)
        write(line.storage, line.readable)
    }

    private func append(_ text: StaticString) {
        line.append(ASCII.quote)
        line.append(text)
        line.append(ASCII.quote)
    }
}

/// Times of log lines: RFC 3339 in UTC, `2026-01-31T12:34:56.789Z`. Pure.
public enum Timestamp {
    public static func text(_ unixMilliseconds: Int64) -> String {
        let milliseconds = Int(unixMilliseconds % 1000)
        let seconds = Int(unixMilliseconds / 1000)
        // Days since 1970 to a date of the Gregorian calendar, by eras of 400 years that begin in March.
        let days = seconds / 86400 + 719_468
        let era = days / 146_097
        let day = days - era * 146_097
        let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        let civilMonth = month < 10 ? month + 3 : month - 9
        let civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
        let time = seconds % 86400
        return "\(civilYear)-\(two(civilMonth))-\(two(date))T\(two(time / 3600)):\(two(time / 60 % 60)):"
            + "\(two(time % 60)).\(milliseconds < 100 ? "0" : "")\(two(milliseconds))Z"
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
