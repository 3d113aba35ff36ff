/// Takes the chunked coding apart; RFC 9112 §7.1.
///
/// Pure. Called with what has been received, it moves `position` over what it has used and answers with the data
/// that it found. Extensions and trailers are read and dropped, both within limits.
public struct ChunkedDecoder: Sendable {
    public enum Step: Equatable, Sendable {
        case data(Range<Int>)
        case needsMore
        case end
    }

    private enum Phase: Sendable {
        case size, sizeBlank, sizeExtension, sizeLineFeed, data, dataReturn, dataLineFeed
        case trailerStart, trailer, trailerLineFeed, lastLineFeed, done
    }

    private var phase = Phase.size
    private var remaining = 0
    private var digits = 0
    /// Bytes of extensions and trailers so far.
    private var overhead = 0

    public init() {}

    public mutating func next(
        _ bytes: [UInt8], _ position: inout Int, _ end: Int
    ) throws(HTTPViolation) -> Step {
        while true {
            if phase == .data {
                guard remaining > 0 else {
                    phase = .dataReturn
                    continue
                }
                guard position < end else { return .needsMore }
                let data = position..<position + min(remaining, end - position)
                remaining -= data.count
                position = data.upperBound
                return .data(data)
            }
            if phase == .done { return .end }
            guard position < end else { return .needsMore }
            if skim(bytes.span, &position, end) { continue }
            try take(bytes[position])
            position += 1
        }
    }

    /// The data of the chunk that `range` begins with, as below.
    @inline(__always)
    public func chunk(_ bytes: [UInt8], _ range: Range<Int>) -> Range<Int>? {
        chunk(bytes.span.extracting(..<range.upperBound), from: range.lowerBound)
    }

    /// The data of the chunk that begins at `start`, where all of it is there, from a size without extension to its end: most
    /// are; the next one begins two bytes behind the data. Nil for anything else, which `next` judges. Nothing happens
    /// to the decoder, which is between two chunks before and after it.
    @inline(__always)
    public func chunk(_ bytes: Span<UInt8>, from start: Int) -> Range<Int>? {
        // Nothing overflows: what is left is no more than there are bytes, and no size in a word is more than 32 bits long.
        let left = bytes.count &- start
        guard phase == .size, digits == 0, left >= 8 else { return nil }
        var word = ByteSearch.word(bytes, at: start, count: 8)
        var size = 0
        var length = 0
        while true {
            let byte = UInt8(truncatingIfNeeded: word)
            let digit = byte &- 0x30
            let letter = (byte | 0x20) &- 0x61
            if digit > 9, letter > 5 { break }
            size = size &<< 4 | Int(digit > 9 ? letter &+ 10 : digit)
            length &+= 1
            word &>>= 8
        }
        // A size of 0 would be the end, with a trailer of no lines. Of a longer one the line does not end within the word.
        guard UInt16(truncatingIfNeeded: word) == 0x0A0D, size > 0, size <= left &- length &- 4 else { return nil }
        let first = start &+ length &+ 2
        let end = first &+ size
        guard bytes[end] == ASCII.carriageReturn, bytes[end &+ 1] == ASCII.lineFeed else { return nil }
        return first..<end
    }

    /// Takes what is nearly always between two pieces of data, where all of it is there: the end of one chunk, and a
    /// size without extension, or the end alone where nothing follows yet. The state machine judges whatever else there is.
    private mutating func skim(_ bytes: Span<UInt8>, _ position: inout Int, _ end: Int) -> Bool {
        var at = position
        if phase == .dataReturn {
            guard end - at >= 2, bytes[at] == ASCII.carriageReturn, bytes[at + 1] == ASCII.lineFeed else {
                return false
            }
            at += 2
            if at == end {
                position = at
                digits = 0
                phase = .size
                return true
            }
        } else if phase != .size || digits > 0 {
            return false
        }
        let first = at
        var size = 0
        while at < end, at - first < 8, let digit = ASCII.hexValue(bytes[at]) {
            size = size << 4 | Int(digit)
            at += 1
        }
        guard at > first, end - at >= 2, bytes[at] == ASCII.carriageReturn, bytes[at + 1] == ASCII.lineFeed else {
            return false
        }
        position = at + 2
        digits = 0
        remaining = size
        phase = size == 0 ? .trailerStart : .data
        return true
    }

    private mutating func take(_ byte: UInt8) throws(HTTPViolation) {
        switch phase {
        case .size:
            if let value = ASCII.hexValue(byte) {
                guard digits < 15 else { throw .malformed("a chunk size that is too large") }
                digits += 1
                remaining = remaining << 4 | Int(value)
            } else {
                guard digits > 0 else { throw .malformed("a chunk without a size") }
                try endSize(byte, "a chunk size that is no number")
            }
        case .sizeBlank:
            // RFC 9112 §7.1.1: an extension or the end follows; `5 6` is two sizes to somebody.
            try count(byte)
            try endSize(byte, "a chunk size with something behind it")
        case .sizeExtension:
            try count(byte)
            if byte == ASCII.carriageReturn { phase = .sizeLineFeed }
        case .sizeLineFeed:
            try expectLineFeed(byte)
            digits = 0
            phase = remaining == 0 ? .trailerStart : .data
        case .dataReturn:
            guard byte == ASCII.carriageReturn else { throw .malformed("a chunk longer than its size") }
            phase = .dataLineFeed
        case .dataLineFeed:
            try expectLineFeed(byte)
            phase = .size
        case .trailerStart:
            try count(byte)
            phase = byte == ASCII.carriageReturn ? .lastLineFeed : .trailer
        case .trailer:
            try count(byte)
            if byte == ASCII.carriageReturn { phase = .trailerLineFeed }
        case .trailerLineFeed:
            try expectLineFeed(byte)
            phase = .trailerStart
        case .lastLineFeed:
            try expectLineFeed(byte)
            phase = .done
        case .data, .done:
            break
        }
    }

    private mutating func endSize(_ byte: UInt8, _ reason: StaticString) throws(HTTPViolation) {
        switch byte {
        case ASCII.carriageReturn: phase = .sizeLineFeed
        case 0x3B: phase = .sizeExtension
        case ASCII.space, ASCII.tab: phase = .sizeBlank
        default: throw .malformed(reason)
        }
    }

    private func expectLineFeed(_ byte: UInt8) throws(HTTPViolation) {
        guard byte == ASCII.lineFeed else { throw .malformed("a bare carriage return in the chunked coding") }
    }

    private mutating func count(_ byte: UInt8) throws(HTTPViolation) {
        overhead += 1
        guard overhead <= 8192 else { throw .malformed("too many bytes of chunk extensions and trailers") }
        guard isFieldByte(byte) || byte == ASCII.carriageReturn else {
            throw .malformed("a control character in the chunked coding")
        }
    }
}

extension ByteBuffer {
    /// Moves the data of all whole chunks from the start on behind each other, over the framing between them. Answers where
    /// it is then, and where what is no whole chunk begins, which `decoder` has to judge.
    public func joinChunks(_ decoder: ChunkedDecoder) -> (pieces: Range<Int>, end: Int) {
        join(gap: 2) { decoder.chunk($0, from: $1) }
    }
}
