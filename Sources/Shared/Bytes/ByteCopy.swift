/// Where the two parts of a line `name: value` lie. Plain numbers, for each range asks whether it is one.
struct FieldLine {
    let nameStart: Int
    let nameEnd: Int
    let valueStart: Int
    let valueEnd: Int

    var nameCount: Int { nameEnd &- nameStart }
    var valueCount: Int { valueEnd &- valueStart }

    /// Whether it is a line of `count` bytes: no count is negative then, and no sum of two overflows.
    @inline(__always)
    func isWithin(_ count: Int) -> Bool {
        nameStart >= 0 && nameStart <= nameEnd && nameEnd <= valueStart && valueStart <= valueEnd && valueEnd <= count
    }
}

/// Moves and copies inside byte arrays at the speed of memmove(3).
///
/// `Array.replaceSubrange` with equal lengths and element loops cost 5 to 20 times as much for the bodies that
/// pass here, and neither can copy within one array. Every function checks its ranges before it touches memory.
extension [UInt8] {
    /// Copies `range` to `position`, which is not after its start; the two may overlap.
    public mutating func move(_ range: Range<Int>, to position: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside of the array")
        precondition(position >= 0 && position <= range.lowerBound, "moves go to the front")
        unsafe withUnsafeMutableBytes { bytes in
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[position...])
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Moves what `next` finds in `range`, piece by piece, to the end of what it has found first. It is asked where the next
    /// piece is, of all bytes before the range's end and of a position within; `gap` bytes lie behind each. Answers
    /// where the pieces are then, and where `next` found nothing.
    @inline(__always)
    public mutating func join(
        _ range: Range<Int>, gap: Int, _ next: (Span<UInt8>, Int) -> Range<Int>?
    ) -> (pieces: Range<Int>, end: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count && gap >= 0, "range outside of the array")
        var bytes = mutableSpan
        let limit = range.upperBound
        var (start, end) = (range.lowerBound, range.lowerBound)
        var position = range.lowerBound
        while let piece = next(bytes.span.extracting(..<limit), position) {
            precondition(piece.lowerBound >= position && piece.upperBound <= limit &- gap, "a piece from elsewhere")
            position = piece.upperBound &+ gap
            if start == end {
                // The first one stays.
                (start, end) = (piece.lowerBound, piece.upperBound)
                continue
            }
            let length = piece.upperBound &- piece.lowerBound
            unsafe bytes.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                unsafe (base + end).copyMemory(from: base + piece.lowerBound, byteCount: length)
            }
            end &+= length
        }
        return (start..<end, position)
    }

    /// Copies `range` of `source` over the bytes from `position` on, which must exist already.
    @inline(__always)
    public mutating func copy(_ source: [UInt8], _ range: Range<Int>, to position: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= source.count, "range outside of the source")
        precondition(position >= 0 && range.count <= count - position, "no room for the copy")
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                unsafe (to + position).copyMemory(from: from + range.lowerBound, byteCount: range.count)
            }
        }
    }

    /// Copies `source` over the bytes from `position` on, which must exist already.
    @inline(__always)
    public mutating func copy(_ source: Span<UInt8>, to position: Int) {
        precondition(position >= 0 && source.count <= count - position, "no room for the copy")
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                unsafe (to + position).copyMemory(from: from, byteCount: source.count)
            }
        }
    }

    /// Copies `text` over the bytes from `position` on, which must exist already.
    @inline(__always)
    public mutating func copy(_ text: StaticString, to position: Int) {
        precondition(position >= 0 && text.utf8CodeUnitCount <= count - position, "no room for the copy")
        unsafe withUnsafeMutableBytes { target in
            guard let to = target.baseAddress else { return }
            unsafe (to + position).copyMemory(from: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        }
    }

    /// Writes a field line for each of `lines` over the bytes from `position` on: `prefix` and the name in lower case, a
    /// colon and a blank, the value, a line end. `prefix` has at most 16 bytes. Answers where the last one ends. Sixteen
    /// bytes more than that must exist already.
    ///
    /// In one go and by words of eight bytes, for an answer has a dozen of them.
    mutating func writeLines(
        _ prefix: StaticString, _ source: [UInt8], _ lines: some Sequence<FieldLine>, at position: Int
    ) -> Int {
        let start = prefix.utf8CodeUnitCount
        precondition(position >= 0 && position <= count, "lines outside of the bytes")
        precondition(start <= 16, "a prefix of more than two words")
        let (first, second) = prefix.words
        let span = source.span
        return unsafe withUnsafeMutableBytes { target in
            guard let base = target.baseAddress else { return position }
            let end = unsafe base + target.count
            var to = unsafe base + position
            for line in lines {
                precondition(line.isWithin(span.count), "a line outside of the source")
                let (nameCount, valueCount) = (line.nameCount, line.valueCount)
                precondition(unsafe start &+ nameCount &+ valueCount &+ 20 <= end - to, "no room for the line")
                unsafe to.storeBytes(of: first, as: UInt64.self)
                unsafe (to + 8).storeBytes(of: second, as: UInt64.self)
                unsafe to += start
                if unsafe Self.copyUsualLine(span, line, to) {
                    unsafe to += nameCount &+ valueCount &+ 4
                    continue
                }
                // Whole words, also of what lies behind, which what follows is written over.
                var done = 0
                while done < nameCount {
                    let word = Self.word(span, at: line.nameStart + done)
                    unsafe (to + done).storeBytes(of: ASCII.lowercased(word).littleEndian, as: UInt64.self)
                    done += 8
                }
                unsafe to += nameCount
                unsafe to.storeBytes(of: UInt16(0x203A).littleEndian, as: UInt16.self)
                unsafe to += 2
                if valueCount <= 32 {
                    done = 0
                    while done < valueCount {
                        let word = Self.word(span, at: line.valueStart + done)
                        unsafe (to + done).storeBytes(of: word.littleEndian, as: UInt64.self)
                        done += 8
                    }
                } else {
                    unsafe span.bytes.withUnsafeBytes { bytes in
                        guard let from = bytes.baseAddress else { return }
                        unsafe to.copyMemory(from: from + line.valueStart, byteCount: valueCount)
                    }
                }
                unsafe to += valueCount
                unsafe to.storeBytes(of: UInt16(0x0A0D).littleEndian, as: UInt16.self)
                unsafe to += 2
            }
            return unsafe to - base
        }
    }

    /// Copies a line that was sent as we send ours, `name: value` and its end, all at once, the letters of its name made
    /// small. False when it is not like that, or has no sixteen bytes behind it. `line` is one of `source`.
    @inline(__always)
    private static func copyUsualLine(_ source: Span<UInt8>, _ line: FieldLine, _ to: UnsafeMutableRawPointer) -> Bool {
        let start = line.nameStart
        guard line.nameEnd &+ 2 == line.valueStart, line.valueEnd &+ 18 <= source.count else { return false }
        let bytes = unsafe source.bytes
        guard
            unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: line.nameEnd, as: UInt16.self)
                == UInt16(0x203A).littleEndian,
            unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: line.valueEnd, as: UInt16.self)
                == UInt16(0x0A0D).littleEndian
        else { return false }
        var done = 0
        while done < line.nameCount {
            var word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ done, as: UInt64.self)
            // Without this bit in every byte there may be a capital letter.
            if ~word & 0x2020_2020_2020_2020 != 0 { word = ASCII.lowercased(word) }
            unsafe (to + done).storeBytes(of: word, as: UInt64.self)
            done &+= 8
        }
        // The last of these words may have reached into the value.
        done = line.nameCount
        let length = line.valueEnd &+ 2 &- start
        while done < length {
            let words = unsafe bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: start &+ done, as: SIMD2<UInt64>.self)
            unsafe (to + done).storeBytes(of: words, as: SIMD2<UInt64>.self)
            done &+= 16
        }
        return true
    }

    /// The eight bytes from `position` on, the first one lowest; zeroes where they end before.
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>, at position: Int) -> UInt64 {
        guard position <= bytes.count - 8 else {
            return ByteSearch.word(bytes, at: position, count: bytes.count - position)
        }
        precondition(position >= 0, "outside of the bytes")
        return UInt64(
            littleEndian: unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self))
    }

    /// Writes the eight bytes of `word`, the lowest first, over those from `position` on, which must exist already.
    @inline(__always)
    public mutating func store(_ word: UInt64, at position: Int) {
        precondition(position >= 0 && count - position >= 8, "no room for the word")
        unsafe withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(of: word.littleEndian, toByteOffset: position, as: UInt64.self)
        }
    }
}

extension [UInt8] {
    /// An array of `count` bytes that begins with those of `range`.
    ///
    /// The rest is not written to: to zero a megabyte that a body is received into costs as much as to scan it. Who
    /// uses it (`ByteBuffer`) hands out bytes that were written only.
    func grown(to count: Int, keeping range: Range<Int>) -> [UInt8] {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.count && range.count <= count, "outside")
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { (target, initialized) in
            unsafe withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                unsafe UnsafeMutableRawPointer(to).copyMemory(from: from + range.lowerBound, byteCount: range.count)
            }
            initialized = count
        }
    }
}

extension StaticString {
    /// The text as bytes; allocates, so it is for constants that are made once.
    public var bytes: [UInt8] {
        withUTF8Buffer { unsafe [UInt8]($0) }
    }

    /// The first sixteen bytes as they lie in memory, zeroes where they end before.
    fileprivate var words: (UInt64, UInt64) {
        var bytes: (UInt64, UInt64) = (0, 0)
        unsafe Swift.withUnsafeMutableBytes(of: &bytes) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: utf8Start, count: min(16, utf8CodeUnitCount)))
        }
        return bytes
    }

    /// Whether the text stands in `bytes` at `position`, which the caller has checked to leave room for it.
    @inline(__always)
    func equals(_ bytes: [UInt8], at position: Int) -> Bool {
        let count = utf8CodeUnitCount
        precondition(position >= 0 && count <= bytes.count - position, "text outside of the bytes")
        return unsafe bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return true }
            let (given, text) = unsafe (base + position, UnsafeRawPointer(utf8Start))
            var done = 0
            while count - done >= 8 {
                guard
                    unsafe given.loadUnaligned(fromByteOffset: done, as: UInt64.self)
                        == text.loadUnaligned(fromByteOffset: done, as: UInt64.self)
                else { return false }
                done += 8
            }
            while done < count {
                guard
                    unsafe given.load(fromByteOffset: done, as: UInt8.self)
                        == text.load(fromByteOffset: done, as: UInt8.self)
                else { return false }
                done += 1
            }
            return true
        }
    }
}
