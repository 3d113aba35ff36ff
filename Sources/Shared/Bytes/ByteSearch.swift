/// Finds bytes that matter among many that do not.
///
/// Looks at sixteen bytes at a time, without a bounds check or a check for overflow each; every load lies within a range that
/// was checked against the span once, before the loop. As signed numbers, so that one comparison finds control characters
/// and what is beyond ASCII.
public enum ByteSearch {
    /// The first position from `start` on that holds a quote, a backslash, a control character or a byte beyond
    /// ASCII; `end` if there is none. What lies before it is the plain inside of a JSON string.
    @inline(__always)
    static func endOfPlainText(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= bytes.count, "range outside of the bytes")
        let raw = unsafe bytes.bytes
        var position = start
        // Most strings are short.
        while end &- position >= 16, position &- start < 32 {
            let found = firstMark(special(unsafe vector(raw, position)))
            if found < 16 { return position &+ found }
            position &+= 16
        }
        while end &- position >= 64 {
            let marks = unsafe special(vector(raw, position)) .| special(vector(raw, position &+ 16))
            let others = unsafe special(vector(raw, position &+ 32)) .| special(vector(raw, position &+ 48))
            if isAny(marks .| others) { break }
            position &+= 64
        }
        while end &- position >= 16 {
            let found = firstMark(special(unsafe vector(raw, position)))
            if found < 16 { return position &+ found }
            position &+= 16
        }
        while end &- position >= 8 {
            let word = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self)
            let marks = specialBytes(UInt64(littleEndian: word))
            if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < end {
            let byte = bytes[position]
            if byte == 0x22 || byte == 0x5C || byte < 0x20 || byte >= 0x80 { break }
            position += 1
        }
        return position
    }

    /// Sixteen bytes, which the caller knows to be there.
    @unsafe @inline(__always)
    private static func vector(_ raw: RawSpan, _ position: Int) -> SIMD16<Int8> {
        unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: SIMD16<Int8>.self)
    }

    /// Which of sixteen bytes are special: as signed numbers, those beyond ASCII are less than any control character.
    @inline(__always)
    private static func special(_ block: SIMD16<Int8>) -> SIMDMask<SIMD16<Int8>> {
        (block .== SIMD16(repeating: 0x22)) .| (block .== SIMD16(repeating: 0x5C)) .| (block .< SIMD16(repeating: 0x20))
    }

    /// The bytes of a mask, all ones where it is true, as two words.
    @inline(__always)
    private static func words(_ mask: SIMDMask<SIMD16<Int8>>) -> SIMD2<UInt64> {
        unsafe unsafeBitCast(mask, to: SIMD2<UInt64>.self)
    }

    @inline(__always)
    private static func isAny(_ mask: SIMDMask<SIMD16<Int8>>) -> Bool {
        let words = words(mask)
        return words[0] | words[1] != 0
    }

    /// The place of the first byte that `mask` is true for; 16 if there is none. Without a branch, for in which half it is
    /// cannot be foretold.
    @inline(__always)
    private static func firstMark(_ mask: SIMDMask<SIMD16<Int8>>) -> Int {
        let words = words(mask)
        let first = UInt64(littleEndian: words[0]).trailingZeroBitCount / 8
        let second = UInt64(littleEndian: words[1]).trailingZeroBitCount / 8
        return first &+ (second & (0 &- first &>> 3))
    }

    /// The high bit of each of eight bytes that is special; bits above the lowest one set may be wrong, for the
    /// subtraction borrows upwards. A byte of ASCII sets its high bit by being less than what is taken from it; one
    /// beyond ASCII has it set.
    @inline(__always)
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = (word ^ (ones &* 0x22)) &- ones
        let backslashes = (word ^ (ones &* 0x5C)) &- ones
        return (quotes | backslashes | (word &- ones &* 0x20) | word) & 0x8080_8080_8080_8080
    }

    /// The same, a deletion being special as well: it stands for itself in JSON, but not on a terminal.
    @inline(__always)
    static func unplainBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        return specialBytes(word) | ((word ^ (ones &* 0x7F)) &- ones) & 0x8080_8080_8080_8080
    }

    /// Copies `bytes[range]`, sixteen at least, of which the last ones overlap with those before them where that is needed.
    /// Not 0 where one of them is not plain, as for `unplainBytes`.
    @unsafe @inline(__always)
    static func copyVectors(_ bytes: Span<UInt8>, _ range: Range<Int>, to place: UnsafeMutableRawPointer) -> UInt64 {
        precondition(range.count >= 16 && range.lowerBound >= 0 && range.upperBound <= bytes.count, "outside")
        let raw = unsafe bytes.bytes
        let last = range.count &- 16
        var marks = SIMDMask<SIMD16<Int8>>(repeating: false)
        var done = 0
        while true {
            let block = unsafe vector(raw, range.lowerBound &+ done)
            unsafe (place + done).storeBytes(of: block, as: SIMD16<Int8>.self)
            marks = marks .| special(block) .| (block .== SIMD16(repeating: 0x7F))
            if done == last { break }
            done = min(done &+ 16, last)
        }
        let words = words(marks)
        return words[0] | words[1]
    }

    /// The first position from `start` on that holds `byte`; `end` if there is none.
    @inline(__always)
    static func first(_ byte: UInt8, _ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= bytes.count, "range outside of the bytes")
        let raw = unsafe bytes.bytes
        let ones: UInt64 = 0x0101_0101_0101_0101
        var position = start
        let wanted = SIMD16<Int8>(repeating: Int8(bitPattern: byte))
        while end &- position >= 16 {
            let found = firstMark(unsafe vector(raw, position) .== wanted)
            if found < 16 { return position &+ found }
            position &+= 16
        }
        while end &- position >= 8 {
            let word = unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self)
            let difference = UInt64(littleEndian: word) ^ (ones &* UInt64(byte))
            let marks = (difference &- ones) & ~difference & 0x8080_8080_8080_8080
            if marks != 0 { return position + marks.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < end, bytes[position] != byte { position += 1 }
        return position
    }

    /// The first position in `range` that holds `byte`.
    public static func first(_ byte: UInt8, _ bytes: [UInt8], in range: Range<Int>) -> Int? {
        let position = first(byte, bytes.span, from: range.lowerBound, to: range.upperBound)
        return position < range.upperBound ? position : nil
    }

    /// The first position from `start` on that holds no tchar (RFC 9110 §5.6.2): the end of a field name. Without a
    /// bounds check each byte: a head has some 200 of them.
    @inline(__always)
    static func endOfToken(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= bytes.count, "range outside of the bytes")
        let raw = unsafe bytes.bytes
        var position = start
        while position < end,
            isTokenByte(unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt8.self))
        { position += 1 }
        return position
    }

    /// The first position from `start` on that may not stand in a field value (RFC 9110 §5.5); `end` if there is
    /// none.
    @inline(__always)
    static func endOfFieldText(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && start <= end && end <= bytes.count, "range outside of the bytes")
        let raw = unsafe bytes.bytes
        let ones: UInt64 = 0x0101_0101_0101_0101
        var position = start
        while end &- position >= 16 {
            let block = unsafe vector(raw, position)
            let found = firstMark(
                (block & SIMD16(repeating: -0x20) .== SIMD16.zero) .| (block .== SIMD16(repeating: 0x7F)))
            position &+= found
            guard found < 16 else { continue }
            guard bytes[position] == ASCII.tab else { return position }
            position &+= 1
        }
        while end &- position >= 8 {
            let word = UInt64(
                littleEndian: unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self))
            let deletes = word ^ (ones &* 0x7F)
            let marks =
                (((word &- ones &* 0x20) & ~word) | ((deletes &- ones) & ~deletes)) & 0x8080_8080_8080_8080
            if marks != 0 {
                position += marks.trailingZeroBitCount / 8
                guard bytes[position] == ASCII.tab else { return position }
                position += 1
            } else {
                position &+= 8
            }
        }
        while position < end, isFieldByte(bytes[position]) { position += 1 }
        return position
    }

    /// The `count` bytes from `position` on as a number, the first one lowest; at most 8, all within `bytes`.
    @inline(__always)
    public static func word(_ bytes: Span<UInt8>, at position: Int, count: Int) -> UInt64 {
        // Of a position and counts that are not negative no difference overflows.
        precondition(position >= 0 && count >= 0 && count <= 8 && count <= bytes.count &- position, "outside")
        if bytes.count &- position >= 8 {
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt64.self)
            return count == 8 ? UInt64(littleEndian: word) : UInt64(littleEndian: word) & mask(count)
        }
        if bytes.count >= 8 {
            // The last eight, those in front of `position` shifted out.
            let last = bytes.count &- 8
            let word = unsafe bytes.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: last, as: UInt64.self)
            return UInt64(littleEndian: word) >> UInt64(8 &* (position &- last)) & mask(count)
        }
        var word: UInt64 = 0
        var index = count
        while index > 0 {
            index -= 1
            word = word << 8 | UInt64(bytes[position + index])
        }
        return word
    }

    /// The lowest `count` bytes of a word, fewer than eight.
    @inline(__always)
    private static func mask(_ count: Int) -> UInt64 {
        ~(UInt64.max &<< UInt64(truncatingIfNeeded: count &* 8))
    }

    static func commonLength(
        _ left: [UInt8], at start: Int, _ right: Span<UInt8>, at other: Int, upTo count: Int
    ) -> Int {
        commonLength(left.span, at: start, right, at: other, upTo: count)
    }

    /// How many of at most `count` bytes are the same in `left` from `start` on and in `right` from `other` on.
    @inline(__always)
    static func commonLength(
        _ left: Span<UInt8>, at start: Int, _ right: Span<UInt8>, at other: Int, upTo count: Int
    ) -> Int {
        precondition(
            start >= 0 && other >= 0 && count >= 0 && count <= left.count &- start && count <= right.count &- other,
            "range outside of the bytes")
        let (one, two) = unsafe (left.bytes, right.bytes)
        var done = 0
        while count &- done >= 64 {
            let (at, with) = (start &+ done, other &+ done)
            let first = unsafe one.unsafeLoadUnaligned(fromUncheckedByteOffset: at, as: SIMD4<UInt64>.self)
            let second = unsafe one.unsafeLoadUnaligned(fromUncheckedByteOffset: at &+ 32, as: SIMD4<UInt64>.self)
            let differences =
                unsafe (first ^ two.unsafeLoadUnaligned(fromUncheckedByteOffset: with, as: SIMD4<UInt64>.self))
                | (second ^ two.unsafeLoadUnaligned(fromUncheckedByteOffset: with &+ 32, as: SIMD4<UInt64>.self))
            let half = differences.lowHalf | differences.highHalf
            if half[0] | half[1] != 0 { break }
            done &+= 64
        }
        while count &- done >= 32 {
            let block = unsafe one.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ done, as: SIMD4<UInt64>.self)
            let differences =
                unsafe block ^ two.unsafeLoadUnaligned(fromUncheckedByteOffset: other &+ done, as: SIMD4<UInt64>.self)
            let half = differences.lowHalf | differences.highHalf
            if half[0] | half[1] != 0 { break }
            done &+= 32
        }
        while count &- done >= 8 {
            let word = unsafe one.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ done, as: UInt64.self)
            let difference =
                unsafe word ^ two.unsafeLoadUnaligned(fromUncheckedByteOffset: other &+ done, as: UInt64.self)
            if difference != 0 { return done + UInt64(littleEndian: difference).trailingZeroBitCount / 8 }
            done &+= 8
        }
        if done < count, count >= 8 {
            // The last eight bytes, some of which are known to be the same.
            let word = unsafe one.unsafeLoadUnaligned(fromUncheckedByteOffset: start &+ count &- 8, as: UInt64.self)
            let difference =
                unsafe word ^ two.unsafeLoadUnaligned(fromUncheckedByteOffset: other &+ count &- 8, as: UInt64.self)
            return difference == 0
                ? count : count - 8 + UInt64(littleEndian: difference).trailingZeroBitCount / 8
        }
        while done < count, left[start + done] == right[other + done] { done += 1 }
        return done
    }

    /// Where the JSON string whose inside begins at `start` has its closing quote, if it is plain and short: within sixteen
    /// bytes; -1 otherwise.
    @inline(__always)
    static func endOfShortString(_ bytes: Span<UInt8>, from start: Int) -> Int {
        guard start >= 0, bytes.count &- start >= 16 else { return -1 }
        let found = firstMark(special(unsafe vector(bytes.bytes, start)))
        return found < 16 && bytes[start &+ found] == ASCII.quote ? start &+ found : -1
    }

    /// Where the JSON string whose inside begins at `start` has its closing quote; -1 when it does not end before
    /// `end`, or has something in it that a slower reader has to judge: surrogates, and whatever is not allowed.
    @inline(__always)
    static func endOfString(_ bytes: Span<UInt8>, from start: Int, to end: Int, _ isEscaped: inout Bool) -> Int {
        var position = start
        while true {
            position = endOfPlainText(bytes, from: position, to: end)
            guard position < end else { return -1 }
            switch bytes[position] {
            case ASCII.quote: return position
            case ASCII.backslash:
                isEscaped = true
                let length = escapeLength(bytes, at: position, end)
                guard length > 0 else { return -1 }
                position += length
            case 0x80...:
                position = endOfSequences(bytes, from: position, to: end)
                guard position > 0 else { return -1 }
            default: return -1
            }
        }
    }

    /// Bytes of the escape at `position`; 0 where it is cut, wrong, or half of a surrogate pair. RFC 8259 §7.
    @inline(__always)
    private static func escapeLength(_ bytes: Span<UInt8>, at position: Int, _ end: Int) -> Int {
        guard end - position >= 2 else { return 0 }
        switch bytes[position + 1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: return 2
        case 0x75:
            guard end - position >= 6 else { return 0 }
            var unit: UInt32 = 0
            for index in 2..<6 {
                guard let digit = ASCII.hexValue(bytes[position + index]) else { return 0 }
                unit = unit << 4 | UInt32(digit)
            }
            return unit & 0xF800 == 0xD800 ? 0 : 6
        default: return 0
        }
    }

    /// Behind the UTF-8 sequences of two to four bytes that begin at `start`; -1 at one that is cut or wrong, and
    /// less than four bytes before `end`. Unicode 15, table 3-7.
    @inline(__always)
    private static func endOfSequences(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        precondition(start >= 0 && end <= bytes.count, "range outside of the bytes")
        let raw = unsafe bytes.bytes
        var position = start
        while true {
            guard end - position >= 4 else { return -1 }
            let word = UInt32(
                littleEndian: unsafe raw.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: UInt32.self))
            if word & 0x80 == 0 { return position }
            if word & 0x00C0_C0F0 == 0x0080_80E0 {
                let scalar = (word & 0x0F) << 12 | (word >> 8 & 0x3F) << 6 | (word >> 16 & 0x3F)
                guard scalar >= 0x800, scalar & 0xF800 != 0xD800 else { return -1 }
                position += 3
            } else if word & 0xC0E0 == 0x80C0 {
                guard word & 0xFF >= 0xC2 else { return -1 }
                position += 2
            } else if word & 0xC0C0_C0F8 == 0x8080_80F0 {
                let scalar =
                    (word & 0x07) << 18 | (word >> 8 & 0x3F) << 12 | (word >> 16 & 0x3F) << 6 | word >> 24 & 0x3F
                guard scalar >= 0x10000, scalar <= 0x10FFFF else { return -1 }
                position &+= 4
            } else {
                return -1
            }
        }
    }
}
