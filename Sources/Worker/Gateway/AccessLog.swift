internal import Shared

/// One line per exchange: `{"ts":…,"event":"access",…}`, for standard output.
///
/// Bodies, keys and query strings never become part of it. Built from bytes, for it is written on the hot path.
@Loop final class AccessLog {
    /// What one exchange was, as far as it got.
    struct Record {
        var callID: ByteBuffer?
        var method: Method = .other
        var path: Range<Int> = 0..<0
        var status = 0
        var bytesSent = 0
        var duration = TimeSpan(nanoseconds: 0)
        var upstream = TimeSpan(nanoseconds: 0)
        /// As asked for; empty where the request names none.
        var model: ByteBuffer?
        /// `,"deployment":"<id>"`.
        var deployment: [UInt8]?
        var reason: TagFilter.Reason?
        var tags: RequestTags?
        var retries = 0
        var fallbacks = 0
        var isStream = false
        /// The type of the error that was answered.
        var error: String?
    }

    /// `{"ts":"2026-01-31T12:34:56` of the current second.
    private var stamp: [UInt8] = []
    private var second: Int64 = -1

    /// Appends the line for `record` to `sink`; positions are those of `bytes`.
    func write(_ record: Record, _ bytes: [UInt8], to sink: LineSink) {
        guard let line = sink.nextLine() else { return }
        appendTime(to: line)
        line.append("Z\",\"event\":\"access\",\"call_id\":\"" as StaticString)
        if let id = record.callID { line.append(escaping: id.storage, id.readable) }
        line.append("\",\"method\":\"" as StaticString)
        line.append(record.method.name)
        line.append("\",\"path\":\"" as StaticString)
        line.append(escaping: bytes, record.path)
        line.append("\",\"status\":" as StaticString)
        line.append(decimal: record.status)
        if let model = record.model, !model.isEmpty {
            line.append(",\"model\":\"" as StaticString)
            line.append(escaping: model.storage, model.readable)
            line.append(ASCII.quote)
        } else {
            line.append(",\"model\":null" as StaticString)
        }
        if let deployment = record.deployment { line.append(deployment) }
        if let reason = record.reason {
            line.append(",\"reason\":\"" as StaticString)
            line.append(reason.rawValue)
            line.append(ASCII.quote)
        }
        if let tags = record.tags, !tags.isEmpty { append(tags, to: line) }
        if record.isStream { line.append(",\"stream\":true" as StaticString) }
        if record.retries > 0 { line.append(",\"retries\":", record.retries) }
        if record.fallbacks > 0 { line.append(",\"fallbacks\":", record.fallbacks) }
        if let error = record.error {
            line.append(",\"error\":" as StaticString)
            line.append(json: error)
        }
        line.append(",\"bytes\":", record.bytesSent)
        line.append(",\"duration_ms\":" as StaticString)
        line.append(milliseconds: record.duration)
        line.append(",\"upstream_ms\":" as StaticString)
        line.append(milliseconds: record.upstream)
        line.append("}\n" as StaticString)
    }

    private func appendTime(to line: ByteBuffer) {
        let now = Clock.unixMilliseconds()
        if now / 1000 != second {
            second = now / 1000
            stamp = Array("{\"ts\":\"\(Timestamp.text(second * 1000).dropLast(4))".utf8)
        }
        line.append(stamp)
        line.append(threeDigits: Int(now % 1000))
    }

    /// `,"tags":"['a', 'b']"`, the form of `RequestTags.description`, tag by tag, for most lines have one.
    private func append(_ tags: RequestTags, to line: ByteBuffer) {
        line.append(",\"tags\":\"['" as StaticString)
        var isFirst = true
        tags.forEachText { text in
            if !isFirst { line.append("', '" as StaticString) }
            isFirst = false
            line.append(escaping: tags.texts, text)
        }
        line.append("']\"" as StaticString)
    }
}

extension ByteBuffer {
    fileprivate func append(_ name: StaticString, _ value: Int) {
        append(name)
        append(decimal: value)
    }

    /// Milliseconds with three digits behind the point.
    func append(milliseconds span: TimeSpan) {
        let microseconds = Int(max(0, span.nanoseconds) / 1000)
        append(decimal: microseconds / 1000)
        append(word: 0x2E | Self.threeDigits(microseconds % 1000) << 8, count: 4)
    }

    /// `value` below 1000 with leading zeroes.
    func append(threeDigits value: Int) {
        append(word: Self.threeDigits(max(0, value)), count: 3)
    }

    private static func threeDigits(_ value: Int) -> UInt64 {
        let value = UInt64(value)
        return 0x30_3030 + value / 100 + (value / 10 % 10) << 8 + (value % 10) << 16
    }
}

extension Method {
    var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .other: "OTHER"
        }
    }
}
