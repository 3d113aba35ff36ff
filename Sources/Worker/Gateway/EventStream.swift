internal import Shared

/// Rewrites the events of a streamed answer on their way to the client, and judges how the stream ends.
///
/// Pure: pieces of the upstream's body in, whole events out, with the public model name in each. An event is
/// passed on as it came, its other lines included, so that whatever a provider adds reaches the client.
/// The format is the HTML standard's, §9.2.6: lines of `field: value`, a blank line ends an event. A line ends with LF,
/// CR LF, or, which nearly nobody sends, with CR alone; an event with such a line is passed on with LF.
struct EventStream {
    /// Why a stream cannot go on. Nothing behind it is passed on.
    enum Failure: Error, Equatable {
        case unparsable(reason: String)
        /// An error that the upstream sent as an event.
        case reported(message: String)
        case tooLong
        /// It ended before the model said that it had finished.
        case cut
        case empty
    }

    /// Bytes of one event, beyond which no upstream is believed.
    let longestEvent: Int

    private let scratch: Scratch
    /// The event under way. Nothing else of it is held from piece to piece.
    private let pending: ByteBuffer
    /// Events that need not be read; nil has all of them read.
    private var templates: EventTemplates?
    /// The number of the kind that came last, of those.
    private var kind: Int?
    private var operation = Endpoint.Operation.chat
    /// Events with data that were passed on.
    private(set) var events = 0
    /// Whether the end was announced: `[DONE]`, or the last event of a response.
    private(set) var isDone = false
    /// Whether an event has brought something of an answer: not just a role, or that it began.
    private(set) var hasContent = false
    /// How many tokens the stream says that it took.
    private(set) var tokens: Int?
    private var hasFinishReason = false
    /// Nothing was looked at yet: a byte order mark may come.
    private var isAtStart = true
    /// Whether a line has ended with CR alone; that a CR is the last byte received then need not wait for the next one.
    private var hasLoneReturns = false
    /// An event was passed on behind a CR: an LF that comes now belongs to that.
    private var skipsLineFeed = false

    /// `buffers` is where it takes memory from for an event that comes in pieces.
    init(
        longestEvent: Int = 16 << 20, scratch: Scratch = Scratch(), buffers: BufferPool = BufferPool(size: 2048)
    ) {
        self.longestEvent = longestEvent
        self.scratch = scratch
        pending = ByteBuffer(from: buffers)
    }

    /// `templates` knows events of the same deployment.
    mutating func begin(_ operation: Endpoint.Operation, like templates: EventTemplates? = nil) {
        self.operation = operation
        self.templates = templates
        kind = nil
        rest()
        events = 0
        isDone = false
        hasFinishReason = false
        hasContent = false
        tokens = nil
        isAtStart = true
        hasLoneReturns = false
        skipsLineFeed = false
    }

    /// What reading a piece touches.
    func addParts(to footprint: inout Footprint) {
        footprint.add(pending)
    }

    /// Gives back what an event was held in; call it when the stream has ended.
    mutating func rest() {
        pending.release()
        scratch.shrink()
    }

    /// Takes `bytes[range]`, the next piece of the body, and appends the events that it completes to `out`, with
    /// `name` (a JSON string) as their model.
    mutating func take(
        _ bytes: [UInt8], _ range: Range<Int>, name: ByteBuffer, into out: ByteBuffer
    ) throws(Failure) {
        guard !isDone else { return }
        var range = range
        if isAtStart || skipsLineFeed { skipWhatIsNoText(bytes, &range) }
        if pending.isEmpty {
            let used = try events(bytes, range, name, out)
            if used < range.upperBound { pending.append(bytes, used..<range.upperBound) }
        } else {
            pending.append(bytes, range)
            guard pending.count <= longestEvent else { throw .tooLong }
            // Without a line end nothing is complete; a long event is so looked at once, not with every piece.
            guard
                ByteSearch.first(ASCII.lineFeed, bytes, in: range) != nil
                    || ByteSearch.first(ASCII.carriageReturn, bytes, in: range) != nil
            else { return }
            let used = try events(pending.storage, pending.readable, name, out)
            pending.consume(used - pending.start)
            if pending.isEmpty { rest() }
        }
    }

    /// Takes a byte order mark from the start of the stream, and the second half of a CR LF from that of a piece. A mark
    /// that is not complete yet waits in `pending`.
    private mutating func skipWhatIsNoText(_ bytes: [UInt8], _ range: inout Range<Int>) {
        while isAtStart, let byte = bytes[range].first {
            if pending.isEmpty, byte != Self.mark[0] {
                isAtStart = false
            } else {
                pending.append(byte)
                range = range.lowerBound + 1..<range.upperBound
                let read = pending.storage[pending.readable]
                guard read.elementsEqual(Self.mark.prefix(read.count)) else {
                    isAtStart = false
                    break
                }
                guard read.count == Self.mark.count else { continue }
                pending.removeAll()
                isAtStart = false
            }
        }
        guard skipsLineFeed, let byte = bytes[range].first else { return }
        skipsLineFeed = false
        if byte == ASCII.lineFeed { range = range.lowerBound + 1..<range.upperBound }
    }

    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    /// The upstream's body has ended as its framing said. Completes what clients wait for.
    mutating func end(name: ByteBuffer, into out: ByteBuffer) throws(Failure) {
        if !isDone, !hasLoneReturns, hasLoneReturn(pending.storage, pending.readable) {
            pending.consume(try oddEvents(pending.storage, pending.readable, name, out) - pending.start)
        }
        // The last event may lack its blank line, its last line an end, and a CR its LF.
        if !isDone, pending.storage[pending.readable].last == ASCII.carriageReturn { try complete(name, out) }
        if !isDone, let last = pending.storage[pending.readable].last {
            if last != ASCII.lineFeed { pending.append(ASCII.lineFeed) }
            try complete(name, out)
        }
        if isDone { return }
        if events == 0 { throw .empty }
        guard hasFinishReason, operation != .response else { throw .cut }
        out.append("data: [DONE]\n\n" as StaticString)
        isDone = true
    }

    /// Passes on what ends with one LF more.
    private mutating func complete(_ name: ByteBuffer, _ out: ByteBuffer) throws(Failure) {
        pending.append(ASCII.lineFeed)
        let used = try events(pending.storage, pending.readable, name, out)
        pending.consume(used - pending.start)
    }

    /// Passes on every event that is complete in `range`; answers where the first incomplete one begins.
    ///
    /// Looks for LF only, until something shows that lines end with CR alone: such a one is no JSON, or white space in it,
    /// or stands in a line without data.
    private mutating func events(
        _ bytes: [UInt8], _ range: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) throws(Failure) -> Int {
        if hasLoneReturns { return try oddEvents(bytes, range, name, out) }
        var eventStart = passAlike(bytes, range, name, out)
        if eventStart == range.upperBound { return eventStart }
        var lineStart = eventStart
        scratch.dataLines.empty()
        while let lineEnd = ByteSearch.first(ASCII.lineFeed, bytes, in: lineStart..<range.upperBound) {
            var textEnd = lineEnd
            if textEnd > lineStart, bytes[textEnd - 1] == ASCII.carriageReturn { textEnd -= 1 }
            if textEnd == lineStart {
                try pass(bytes, eventStart..<lineEnd + 1, name, out)
                if isDone { return range.upperBound }
                if hasLoneReturns { return try oddEvents(bytes, eventStart..<range.upperBound, name, out) }
                eventStart = passAlike(bytes, lineEnd + 1..<range.upperBound, name, out)
                lineStart = eventStart
                scratch.dataLines.empty()
                continue
            } else if bytes.holds("data:", at: lineStart) {
                addData(bytes, lineStart..<textEnd)
            } else if ByteSearch.first(ASCII.carriageReturn, bytes, in: lineStart..<textEnd) != nil {
                return try oddEvents(bytes, eventStart..<range.upperBound, name, out)
            }
            lineStart = lineEnd + 1
        }
        // The last byte may be the first half of a CR LF.
        if lineStart + 1 < range.upperBound,
            ByteSearch.first(ASCII.carriageReturn, bytes, in: lineStart..<range.upperBound - 1) != nil
        {
            return try oddEvents(bytes, eventStart..<range.upperBound, name, out)
        }
        return eventStart
    }

    /// The same with lines that may end with CR alone.
    private mutating func oddEvents(
        _ bytes: [UInt8], _ range: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) throws(Failure) -> Int {
        hasLoneReturns = true
        var eventStart = range.lowerBound
        var lineStart = eventStart
        scratch.dataLines.empty()
        while let lineEnd = bytes[lineStart..<range.upperBound].firstIndex(where: Self.endsLine) {
            var next = lineEnd + 1
            if bytes[lineEnd] == ASCII.carriageReturn, next < range.upperBound, bytes[next] == ASCII.lineFeed {
                next += 1
            }
            if lineEnd == lineStart {
                try passMended(bytes, eventStart..<next, name, out)
                if isDone { return range.upperBound }
                skipsLineFeed = next == range.upperBound && bytes[next - 1] == ASCII.carriageReturn
                eventStart = next
            }
            lineStart = next
        }
        return eventStart
    }

    /// Whether a line has ended with CR alone, as far as that is known.
    private func hasLoneReturn(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        while let found = ByteSearch.first(ASCII.carriageReturn, bytes, in: position..<range.upperBound) {
            position = found + 1
            if position < range.upperBound, bytes[position] != ASCII.lineFeed { return true }
        }
        return false
    }

    private static func endsLine(_ byte: UInt8) -> Bool { byte == ASCII.lineFeed || byte == ASCII.carriageReturn }

    /// Passes on one event with LF at the end of each of its lines.
    private mutating func passMended(
        _ bytes: [UInt8], _ event: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) throws(Failure) {
        scratch.mended.removeAll()
        scratch.dataLines.empty()
        var position = event.lowerBound
        while position < event.upperBound {
            let end = bytes[position..<event.upperBound].firstIndex(where: Self.endsLine) ?? event.upperBound
            let start = scratch.mended.end
            scratch.mended.append(bytes, position..<end)
            if bytes.holds("data:", at: position) { addData(scratch.mended.storage, start..<scratch.mended.end) }
            scratch.mended.append(ASCII.lineFeed)
            position = end + 1
            if position < event.upperBound, bytes[end] == ASCII.carriageReturn, bytes[position] == ASCII.lineFeed {
                position += 1
            }
        }
        try pass(scratch.mended.storage, scratch.mended.readable, name, out)
    }

    private mutating func addData(_ bytes: [UInt8], _ line: Range<Int>) {
        let hasBlank = line.count > 5 && bytes[line.lowerBound + 5] == ASCII.space
        scratch.dataLines.append(line.lowerBound + (hasBlank ? 6 : 5)..<line.upperBound)
    }

    /// Passes on the events at the start of `range` that are like earlier ones; answers where they end.
    private mutating func passAlike(
        _ bytes: [UInt8], _ range: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) -> Int {
        guard let templates else { return range.lowerBound }
        let passed = templates.pass(bytes, range, operation, hasContent: hasContent, after: &kind, name, out)
        events += passed.count
        hasContent = passed.notes.hasContent
        if passed.notes.hasFinishReason { hasFinishReason = true }
        return passed.end
    }

    private mutating func pass(
        _ bytes: [UInt8], _ event: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) throws(Failure) {
        guard let first = scratch.dataLines.first else {
            // A comment keeps a waiting client's connection alive; before the first event the head waits too.
            if events > 0 { out.append(bytes, event) }
            return
        }
        if scratch.dataLines.count > 1 {
            // One value on several lines: a line end within JSON is white space, so one line says the same.
            scratch.joined.removeAll()
            scratch.joined.append("data: " as StaticString)
            for line in scratch.dataLines {
                scratch.joined.append(bytes, line)
                scratch.joined.append(ASCII.space)
            }
            let end = scratch.joined.end - 1
            scratch.joined.truncate(to: end)
            scratch.joined.append("\n\n" as StaticString)
            return try passOne(scratch.joined.storage, scratch.joined.readable, data: 6..<end, name, out)
        }
        try passOne(bytes, event, data: first, name, out)
    }

    private mutating func passOne(
        _ bytes: [UInt8], _ event: Range<Int>, data: Range<Int>, _ name: ByteBuffer, _ out: ByteBuffer
    ) throws(Failure) {
        if data.count == 6, bytes.holds("[DONE]", at: data.lowerBound) {
            isDone = true
            if events > 0 { out.append("data: [DONE]\n\n" as StaticString) } else { throw .empty }
            return
        }
        if data.isEmpty { return }
        do throws(JSONError) {
            try scratch.scanner.scanAll(bytes, data)
        } catch {
            if noticesReturn(bytes, data) { return }
            throw .unparsable(reason: JSONError(kind: error.kind, offset: error.offset - data.lowerBound).message)
        }
        if scratch.scanner.hasWhiteSpace, noticesReturn(bytes, data) { return }
        guard scratch.scanner.kind == .object else { throw .unparsable(reason: "an event that is no JSON object") }
        if scratch.scanner.hasWhiteSpace {
            // One form for all upstreams, the one that the reference writes: clients search events as text.
            scratch.compacted.removeAll()
            scratch.compacted.append(bytes, event.lowerBound..<data.lowerBound)
            let start = scratch.compacted.end
            scratch.compacted.append(compacting: bytes, data)
            let end = scratch.compacted.end
            scratch.compacted.append(bytes, data.upperBound..<event.upperBound)
            return try passOne(scratch.compacted.storage, scratch.compacted.readable, data: start..<end, name, out)
        }
        if scratch.scanner.hasFinishReason { hasFinishReason = true }
        let mark = out.count
        var position = event.lowerBound
        scratch.names.empty()
        var isPlain = true
        var hasChoices = false
        var error: JSONScanner.Member?
        var type: JSONScanner.Member?
        var choices: JSONScanner.Member?
        for member in scratch.scanner.members {
            switch AnswerMember(member, bytes) {
            case .model where member.kind == .string:
                out.append(bytes, position..<member.value.lowerBound)
                out.append(name.storage, name.readable)
                position = member.value.upperBound
                scratch.names.append(member.value)
            case .error where member.kind != .null: error = member
            case .type: type = member
            case .choices:
                hasChoices = true
                choices = member
            case .usage where member.kind == .object:
                tokens = Usage.total(bytes, member.value) ?? tokens
                isPlain = false
            case .response where member.kind == .object:
                isPlain = false
                if let usage = JSONWalker.member("usage", of: member.value, bytes), usage.kind == .object {
                    tokens = Usage.total(bytes, usage.range) ?? tokens
                }
                guard let model = JSONWalker.member("model", of: member.value, bytes), model.kind == .string else {
                    continue
                }
                out.append(bytes, position..<model.range.lowerBound)
                out.append(name.storage, name.readable)
                position = model.range.upperBound
            default: break
            }
        }
        if let error, !hasChoices, type == nil || operation != .response {
            out.truncate(to: out.start + mark)
            throw .reported(message: UpstreamError.message(bytes, error.value, error.kind))
        }
        out.append(bytes, position..<event.upperBound)
        events += 1
        var bringsContent = false
        if !hasContent || templates != nil {
            bringsContent =
                operation == .response
                ? !(type.map { EventContent.isBeginning(bytes, $0.value) } ?? false)
                : choices.map { EventContent.isThere(bytes, $0.value) } ?? false
            if bringsContent { hasContent = true }
        }
        if operation == .response, let type, Self.isLast(bytes, type.value) { isDone = true }
        // No more is to be said of those like it than what is noted with it.
        guard let templates, isPlain, error == nil, !isDone else { return }
        templates.learn(
            bytes, event, object: data, names: scratch.names, operation,
            EventTemplates.Notes(hasContent: bringsContent, hasFinishReason: scratch.scanner.hasFinishReason),
            after: &kind)
    }

    /// What was taken for one line are several.
    private mutating func noticesReturn(_ bytes: [UInt8], _ data: Range<Int>) -> Bool {
        guard ByteSearch.first(ASCII.carriageReturn, bytes, in: data) != nil else { return false }
        hasLoneReturns = true
        return true
    }

    /// Whether an event of the Responses API says that nothing follows it.
    private static func isLast(_ bytes: [UInt8], _ type: Range<Int>) -> Bool {
        let text = type.lowerBound + 1..<max(type.lowerBound + 1, type.upperBound - 1)
        return ["response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"]
            .contains { JSONWalker.isText(bytes, text, $0) }
    }
}
