/// Writes short pieces one behind the other into bytes that exist already: a head, a line of a log.
///
/// `ByteBuffer.write` makes one. With `ByteBuffer.append` each piece asks whether there is room, whether the bytes are the
/// buffer's alone, and where they end; here that is asked once for all pieces, and one costs its copy and a comparison.
/// What does not fit is counted, not written. A pointer, because no span can be kept in a structure yet.
@safe public struct ByteWriter: ~Copyable {
    private let base: UnsafeMutableRawPointer
    /// Whole words are written, also of what lies behind a piece.
    private let capacity: Int
    /// Bytes of all pieces, of those that did not fit as well.
    fileprivate var count = 0

    @inline(__always)
    fileprivate init(_ base: UnsafeMutableRawPointer, _ capacity: Int) {
        unsafe self.base = base
        self.capacity = capacity
    }

    /// Whether something was not written.
    fileprivate var isBeyondItsRoom: Bool { count > capacity - 8 }

    /// Where a piece of that length goes; nil where it does not fit.
    @inline(__always)
    private mutating func place(_ length: Int) -> UnsafeMutableRawPointer? {
        let position = count
        precondition(length >= 0, "a piece of negative length")
        count = position + length
        return isBeyondItsRoom ? nil : unsafe base + position
    }

    @inline(__always)
    public mutating func put(_ text: StaticString) {
        guard let place = unsafe place(text.utf8CodeUnitCount) else { return }
        unsafe place.copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
    }

    @inline(__always)
    public mutating func put(_ bytes: [UInt8]) {
        put(bytes, 0..<bytes.count)
    }

    @inline(__always)
    public mutating func put(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        guard let place = unsafe place(range.count) else { return }
        unsafe bytes.withUnsafeBytes { bytes in
            guard let from = bytes.baseAddress else { return }
            unsafe place.copyMemory(from: from + range.lowerBound, byteCount: range.count)
        }
    }

    @inline(__always)
    public mutating func put(_ buffer: ByteBuffer) {
        put(buffer.storage, buffer.readable)
    }

    /// Puts the lowest `length` bytes of `word`, at most 8, the lowest first.
    @inline(__always)
    public mutating func put(word: UInt64, count length: Int) {
        precondition(length <= 8, "a word has eight bytes")
        guard let place = unsafe place(length) else { return }
        unsafe place.storeBytes(of: word.littleEndian, as: UInt64.self)
    }

    /// Puts the first `number` pieces of `bytes` that begin and end where `bounds` says, with what `text` holds between two of
    /// them.
    public mutating func put(_ bytes: [UInt8], pieces bounds: [Int], _ number: Int, between text: ByteBuffer) {
        let length = text.count
        let storage = text.storage
        let span = storage.span
        let isShort = length <= 16 && span.count &- text.start >= 16
        let first = isShort ? ByteSearch.word(span, at: text.start, count: 8).littleEndian : 0
        let second = isShort ? ByteSearch.word(span, at: text.start &+ 8, count: 8).littleEndian : 0
        let (source, bounds) = (bytes.span, bounds.span)
        for index in 0..<number {
            if isShort, index > 0, count <= capacity &- 24 {
                unsafe (base + count).storeBytes(of: first, as: UInt64.self)
                unsafe (base + count + 8).storeBytes(of: second, as: UInt64.self)
                count &+= length
            } else if index > 0 {
                put(text)
            }
            let (from, to) = (bounds[2 &* index], bounds[2 &* index &+ 1])
            precondition(from >= 0 && from <= to && to <= source.count, "a piece outside of the bytes")
            guard let place = unsafe place(to &- from) else { continue }
            unsafe source.withUnsafeBytes { bytes in
                guard let begin = bytes.baseAddress else { return }
                unsafe place.copyMemory(from: begin + from, byteCount: to &- from)
            }
        }
    }

    /// Puts `bytes[range]` if all of it is ASCII that stands for itself, in a string of JSON and on a terminal. False, and
    /// nothing is put, if not.
    @inline(__always)
    public mutating func putPlain(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        let span = bytes.span
        let begun = count
        guard let place = unsafe place(range.count) else { return true }
        let marks =
            range.count < 16
            ? unsafe Self.copyWords(span, range, to: place) : unsafe ByteSearch.copyVectors(span, range, to: place)
        if marks == 0 { return true }
        count = begun
        return false
    }

    /// Copies `bytes[range]` word by word; what is behind it there is overwritten up to the eighth byte. Not 0 where one of
    /// them is not plain.
    @unsafe @inline(__always)
    private static func copyWords(
        _ bytes: Span<UInt8>, _ range: Range<Int>, to place: UnsafeMutableRawPointer
    ) -> UInt64 {
        var marks: UInt64 = 0
        var done = 0
        while done < range.count {
            let length = min(8, range.count &- done)
            var word = ByteSearch.word(bytes, at: range.lowerBound &+ done, count: length)
            unsafe (place + done).storeBytes(of: word.littleEndian, as: UInt64.self)
            // Blanks, where it has ended, are plain.
            if length < 8 { word |= 0x2020_2020_2020_2020 &<< UInt64(truncatingIfNeeded: 8 &* length) }
            marks |= ByteSearch.unplainBytes(word)
            done &+= 8
        }
        return marks
    }
}

extension [UInt8] {
    /// Has `write` put pieces over the bytes from `position` on, which must exist already. How many bytes they have, and
    /// whether there was room for all of them.
    @inline(__always)
    mutating func write(at position: Int, _ write: (inout ByteWriter) -> Void) -> (count: Int, fits: Bool) {
        precondition(position >= 0 && position < count, "no room to write to")
        return unsafe withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return (0, true) }
            var writer = unsafe ByteWriter(base + position, bytes.count - position)
            write(&writer)
            return (writer.count, !writer.isBeyondItsRoom)
        }
    }
}
