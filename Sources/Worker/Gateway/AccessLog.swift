internal import Shared

/// One line per exchange: `{"ts":…,"event":"access",…}`, for standard output.
///
/// Bodies, keys and query strings never become part of it. Built from bytes, for it is written on the hot path.
@Loop final class AccessLog {
    /// `{"ts":"2026-01-31T12:34:56` of the current second.
    fileprivate var stamp: [UInt8] = []
    private var second: Int64 = -1
    /// What the wall clock is ahead of the loop's, milliseconds, and when that was looked at.
    private var ahead: Int64 = 0
    private var lookedAt = Instant.never

    /// When the turn of the loop began, milliseconds since 1970, by a wall clock that is asked ten times a second.
    fileprivate func wallClock() -> Int64 {
        let now = EventLoop.now
        if lookedAt == .never || now - lookedAt >= .milliseconds(100) {
            lookedAt = now
            ahead = Clock.unixMilliseconds() - Int64(Clock.now().nanoseconds / 1_000_000)
        }
        return ahead + Int64(now.nanoseconds / 1_000_000)
    }

    fileprivate func renewStamp(_ now: Int64) {
        guard now / 1000 != second else { return }
        second = now / 1000
        stamp = Array("{\"ts\":\"\(Timestamp.text(second * 1000).dropLast(4))".utf8)
    }
}

extension Exchange {
    /// Appends the line that tells of this exchange, as far as it got, to `sink`. From where everything lies: to put a
    /// record together for it counted twenty references.
    func writeAccessLine(_ client: ClientConnection, to sink: LineSink) {
        guard let line = sink.nextLine() else { return }
        let log = gateway.accessLog
        let now = log.wallClock()
        log.renewStamp(now)
        let bytes = client.input.storage
        let duration = EventLoop.now - begun
        line.write { line in
            line.put(log.stamp)
            line.put(threeDigits: Int(now % 1000))
            line.put("Z\",\"event\":\"access\",\"call_id\":\"")
            line.put(escaping: callID.storage, callID.readable)
            line.put("\",\"method\":\"")
            line.put(client.head.method.name)
            line.put("\",\"path\":\"")
            line.put(escaping: bytes, Endpoint.path(bytes, client.head.target))
            line.put("\",\"status\":")
            line.put(decimal: status)
            if asked.model.isEmpty {
                line.put(",\"model\":null")
            } else {
                line.put(",\"model\":\"")
                line.put(escaping: asked.model.storage, asked.model.readable)
                line.put("\"")
            }
            if let deployment, let generation { line.put(generation.blocks[deployment].logMember) }
            if let reason {
                line.put(",\"reason\":\"")
                line.put(reason.text)
                line.put("\"")
            }
            if !asked.tags.isEmpty { Self.put(asked.tags, &line) }
            if deployment != nil {
                if asked.request.isStream { line.put(",\"stream\":true") }
                if plan.retries > 0 { line.put(",\"retries\":", plan.retries) }
                if plan.fallbacks > 0 { line.put(",\"fallbacks\":", plan.fallbacks) }
            }
            if let error {
                let error = Array(error.utf8)
                line.put(",\"error\":\"")
                line.put(escaping: error, 0..<error.count)
                line.put("\"")
            }
            line.put(",\"bytes\":", client.response.bytesSent)
            line.put(",\"duration_ms\":")
            line.put(milliseconds: duration)
            line.put(",\"upstream_ms\":")
            line.put(milliseconds: upstreamTime)
            line.put("}\n")
        }
    }

    /// `,"tags":"['a', 'b']"`, the form of `RequestTags.description`, tag by tag, for most lines have one.
    @inline(__always)
    private static func put(_ tags: RequestTags, _ line: inout ByteWriter) {
        line.put(",\"tags\":\"['")
        var isFirst = true
        tags.forEachText { text in
            if !isFirst { line.put("', '") }
            isFirst = false
            line.put(escaping: tags.texts, text)
        }
        line.put("']\"")
    }
}

extension ByteWriter {
    @inline(__always)
    fileprivate mutating func put(_ name: StaticString, _ value: Int) {
        put(name)
        put(decimal: value)
    }

    @inline(__always)
    mutating func put(milliseconds span: TimeSpan) {
        put(milliseconds: Int(span.nanoseconds / 1000))
    }

    /// Puts `bytes[range]` as part of a JSON string; what is no UTF-8 is replaced.
    @inline(__always)
    fileprivate mutating func put(escaping bytes: [UInt8], _ range: Range<Int>) {
        if !putPlain(bytes, range) { putEscaped(bytes, range) }
    }

    @inline(never)
    private mutating func putEscaped(_ bytes: [UInt8], _ range: Range<Int>) {
        let escaped = ByteBuffer(capacity: range.count * 2)
        escaped.append(escaping: bytes, range)
        put(escaped)
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
