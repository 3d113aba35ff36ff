/// What is wrong with a text that should be JSON, and where.
public struct JSONError: Error, Equatable, Sendable {
    public enum Kind: String, Sendable {
        case empty = "the text is empty"
        case unexpected = "an unexpected character"
        case truncated = "the text ends too early"
        case trailing = "something follows the value"
        case control = "a control character in a string"
        case escape = "an invalid escape in a string"
        case surrogate = "a lone surrogate in a string"
        case encoding = "invalid UTF-8 in a string"
        case number = "an invalid number"
        case literal = "an invalid literal"
        case depth = "too many levels of nesting"
    }

    public let kind: Kind
    /// Bytes before the offending one.
    public let offset: Int

    public init(kind: Kind, offset: Int) {
        self.kind = kind
        self.offset = offset
    }

    public var message: String { "\(kind.rawValue) at byte \(offset)" }
}

/// Reads one JSON text (RFC 8259) and answers whether it is valid and where the members of its object lie.
///
/// Pure. Builds no tree and allocates nothing once `members` has its size. The text may come in pieces, cut
/// anywhere; positions are the caller's, who counts on from piece to piece. Strict: no comments, no NaN, no BOM, no
/// lone surrogates, no invalid UTF-8; nesting is bounded.
public struct JSONScanner: Sendable {
    public enum Kind: UInt8, Sendable { case object, array, string, number, `true`, `false`, null }

    /// A member of the outermost object.
    public struct Member: Sendable, Equatable {
        /// Between the quotes.
        public var key: Range<Int>
        /// Whether the key has escapes in it, so that its bytes are not its name.
        public var keyIsEscaped: Bool
        /// The value with its quotes or brackets.
        public var value: Range<Int>
        public var kind: Kind
        public var valueIsEscaped: Bool
    }

    enum State: UInt8, Sendable {
        case value, valueOrEnd, keyOrEnd, key, colon, commaOrEnd, done
        case string, escape, unicode, lowBackslash, lowU, continuation
        case minus, zero, integer, point, fraction, exponent, exponentSign, exponentDigits
        case literal
    }

    /// Members found so far, in the order of the text; the value of the last may still be open.
    public internal(set) var members: [Member] = []
    /// The kind of the outermost value.
    public internal(set) var kind = Kind.null
    /// Whether some object three levels down (a choice of an answer) has a `finish_reason` that is not null.
    public internal(set) var hasFinishReason = false
    /// Whether there is white space between tokens, or around them.
    public internal(set) var hasWhiteSpace = false
    var depth = 0

    let maximumDepth: Int
    var state = State.value
    /// One bit a level: set for an object.
    var isObject: [UInt64]
    private var stringIsKey = false
    private var stringIsEscaped = false
    private var stringStart = 0
    var keyIsFinishReason = false
    private var hexDigits = 0
    private var codeUnit: UInt32 = 0
    private var isLowSurrogate = false
    private var continuations = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF
    private var literal = Kind.null
    private var matched = 0
    var hasBegun = false

    public init(maximumDepth: Int = 256) {
        self.maximumDepth = maximumDepth
        isObject = [UInt64](repeating: 0, count: maximumDepth / 64 + 1)
        members.reserveCapacity(8)
    }

    public mutating func reset() {
        members.empty()
        kind = .null
        hasFinishReason = false
        hasWhiteSpace = false
        depth = 0
        state = .value
        hasBegun = false
        keyIsFinishReason = false
        lowest = 0x80
        highest = 0xBF
    }

    /// Whether the outermost value is complete. White space may follow, nothing else.
    public var isComplete: Bool { state == .done }

    /// Where a member of the outermost object begins whose key or value is not complete yet.
    public var openMember: Member? {
        guard depth >= 1, let last = members.last, last.value.isEmpty else { return nil }
        return last
    }

    /// Where a key of the outermost object begins that is not complete yet.
    public var openKey: Int? {
        guard depth == 1, stringIsKey else { return nil }
        switch state {
        case .string, .escape, .unicode, .lowBackslash, .lowU, .continuation: return stringStart
        default: return nil
        }
    }

    /// Reads a whole text.
    public mutating func scanAll(_ bytes: [UInt8], _ range: Range<Int>) throws(JSONError) {
        reset()
        try scan(bytes, range)
        try finish(at: range.upperBound)
    }

    /// Tells that no more comes. A number ends only now.
    public mutating func finish(at end: Int) throws(JSONError) {
        switch state {
        case .done: return
        case .zero, .integer, .fraction, .exponentDigits:
            finishValue(at: end)
            if state == .done { return }
        default: break
        }
        throw JSONError(kind: hasBegun ? .truncated : .empty, offset: end)
    }

    /// Reads the next piece, `bytes[range]`. `offset` is added to positions in `bytes` to make them the caller's.
    public mutating func scan(_ bytes: [UInt8], _ range: Range<Int>, offset: Int = 0) throws(JSONError) {
        let span = bytes.span
        let end = range.upperBound
        var position = range.lowerBound
        while position < end {
            switch state {
            case .value, .commaOrEnd, .key, .keyOrEnd, .valueOrEnd:
                position = skim(span, from: position, to: end, offset: offset)
                guard position < end else { return }
            default: break
            }
            let byte = span[position]
            switch state {
            case .string:
                position = ByteSearch.endOfPlainText(span, from: position, to: end)
                guard position < end else { return }
                let byte = span[position]
                if byte == ASCII.quote {
                    endString(at: position + offset, bytes, position)
                } else if byte == ASCII.backslash {
                    stringIsEscaped = true
                    state = .escape
                } else if byte >= 0x80 {
                    try beginSequence(byte, position + offset)
                } else {
                    throw JSONError(kind: .control, offset: position + offset)
                }
                position += 1
            case .continuation:
                guard byte >= lowest, byte <= highest else {
                    throw JSONError(kind: .encoding, offset: position + offset)
                }
                lowest = 0x80
                highest = 0xBF
                continuations -= 1
                if continuations == 0 { state = .string }
                position += 1
            case .escape, .unicode, .lowBackslash, .lowU:
                try escape(byte, position + offset)
                position += 1
            case .colon:
                position += 1
                if byte == ASCII.colon {
                    state = .value
                } else if Self.isSpace(byte) {
                    hasWhiteSpace = true
                } else {
                    throw JSONError(kind: .unexpected, offset: position - 1 + offset)
                }
            case .commaOrEnd:
                position += 1
                if byte == ASCII.comma {
                    state = isInObject ? .key : .value
                } else if byte == (isInObject ? 0x7D : 0x5D) {
                    closeLevel(at: position + offset)
                } else if Self.isSpace(byte) {
                    hasWhiteSpace = true
                } else {
                    throw JSONError(kind: .unexpected, offset: position - 1 + offset)
                }
            case .key, .keyOrEnd:
                position += 1
                if byte == ASCII.quote {
                    beginString(at: position + offset, isKey: true)
                } else if byte == 0x7D, state == .keyOrEnd {
                    closeLevel(at: position + offset)
                } else if Self.isSpace(byte) {
                    hasWhiteSpace = true
                } else {
                    throw JSONError(kind: .unexpected, offset: position - 1 + offset)
                }
            case .value, .valueOrEnd:
                position += 1
                if Self.isSpace(byte) {
                    hasWhiteSpace = true
                } else {
                    try beginValue(byte, position - 1 + offset)
                }
            case .literal:
                let text = Self.literals[Int(literal.rawValue)]
                guard byte == text[matched] else { throw JSONError(kind: .literal, offset: position + offset) }
                matched += 1
                position += 1
                if matched == text.count { finishValue(at: position + offset) }
            case .minus, .zero, .integer, .point, .fraction, .exponent, .exponentSign, .exponentDigits:
                if try number(byte, position + offset) {
                    position += 1
                } else {
                    finishValue(at: position + offset)
                }
            case .done:
                guard Self.isSpace(byte) else { throw JSONError(kind: .trailing, offset: position + offset) }
                hasWhiteSpace = true
                position += 1
            }
        }
    }

    // MARK: Values

    @inline(__always)
    private var isInObject: Bool {
        isObject[(depth - 1) >> 6] >> UInt64((depth - 1) & 63) & 1 == 1
    }

    @inline(__always)
    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private mutating func beginValue(_ byte: UInt8, _ position: Int) throws(JSONError) {
        let kind: Kind
        switch byte {
        case ASCII.quote:
            kind = .string
            note(kind, position)
            return beginString(at: position + 1, isKey: false)
        case 0x7B: kind = .object
        case 0x5B: kind = .array
        case 0x5D where state == .valueOrEnd:
            return closeLevel(at: position + 1)
        case 0x2D:
            kind = .number
            state = .minus
        case 0x30:
            kind = .number
            state = .zero
        case 0x31...0x39:
            kind = .number
            state = .integer
        case 0x74: kind = .true
        case 0x66: kind = .false
        case 0x6E: kind = .null
        default: throw JSONError(kind: .unexpected, offset: position)
        }
        note(kind, position)
        switch kind {
        case .object, .array:
            guard depth < maximumDepth else { throw JSONError(kind: .depth, offset: position) }
            let bit = UInt64(1) << UInt64(depth & 63)
            if kind == .object { isObject[depth >> 6] |= bit } else { isObject[depth >> 6] &= ~bit }
            depth += 1
            state = kind == .object ? .keyOrEnd : .valueOrEnd
        case .true, .false, .null:
            literal = kind
            matched = 1
            state = .literal
        case .number, .string: break
        }
    }

    /// Remembers a value that begins, where it is the outermost one or a member of it.
    @inline(__always)
    private mutating func note(_ kind: Kind, _ position: Int) {
        hasBegun = true
        if depth == 1 {
            if !members.isEmpty, isInObject {
                members[members.count - 1].value = position..<position
                members[members.count - 1].kind = kind
            }
        } else if depth == 0 {
            self.kind = kind
        }
        if keyIsFinishReason {
            keyIsFinishReason = false
            if kind != .null { hasFinishReason = true }
        }
    }

    @inline(__always)
    private mutating func finishValue(at position: Int) {
        if depth == 0 {
            state = .done
            return
        }
        state = .commaOrEnd
        if depth == 1, !members.isEmpty, isInObject {
            members[members.count - 1].value = members[members.count - 1].value.lowerBound..<position
        }
    }

    private mutating func closeLevel(at position: Int) {
        depth -= 1
        finishValue(at: position)
    }

    // MARK: Strings

    @inline(__always)
    private mutating func beginString(at position: Int, isKey: Bool) {
        stringIsKey = isKey
        stringIsEscaped = false
        stringStart = position
        state = .string
    }

    @inline(__always)
    private mutating func endString(at position: Int, _ bytes: [UInt8], _ index: Int) {
        guard stringIsKey else {
            if depth == 1, !members.isEmpty, isInObject { members[members.count - 1].valueIsEscaped = stringIsEscaped }
            return finishValue(at: position + 1)
        }
        state = .colon
        if depth == 1 {
            members.append(
                Member(
                    key: stringStart..<position, keyIsEscaped: stringIsEscaped, value: position..<position, kind: .null,
                    valueIsEscaped: false))
        } else if depth == 3 {
            // Cut by the end of a piece, it is not recognised; who needs it feeds whole events.
            let length = position - stringStart
            keyIsFinishReason =
                stringIsEscaped
                ? length <= index && JSONWalker.isText(bytes, index - length..<index, "finish_reason")
                : length == 13 && bytes.holds("finish_reason", at: index - 13)
        }
    }

    /// The first byte of a UTF-8 sequence; Unicode 15, table 3-7 (which excludes surrogates and overlong forms).
    private mutating func beginSequence(_ byte: UInt8, _ position: Int) throws(JSONError) {
        switch byte {
        case 0xC2...0xDF: continuations = 1
        case 0xE0:
            continuations = 2
            lowest = 0xA0
        case 0xED:
            continuations = 2
            highest = 0x9F
        case 0xE1...0xEF: continuations = 2
        case 0xF0:
            continuations = 3
            lowest = 0x90
        case 0xF4:
            continuations = 3
            highest = 0x8F
        case 0xF1...0xF3: continuations = 3
        default: throw JSONError(kind: .encoding, offset: position)
        }
        state = .continuation
    }

    private mutating func escape(_ byte: UInt8, _ position: Int) throws(JSONError) {
        switch state {
        case .escape:
            switch byte {
            case 0x75:
                state = .unicode
                hexDigits = 0
                codeUnit = 0
                isLowSurrogate = false
            case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: state = .string
            default: throw JSONError(kind: .escape, offset: position)
            }
        case .lowBackslash:
            guard byte == ASCII.backslash else { throw JSONError(kind: .surrogate, offset: position) }
            state = .lowU
        case .lowU:
            guard byte == 0x75 else { throw JSONError(kind: .surrogate, offset: position) }
            state = .unicode
            hexDigits = 0
            codeUnit = 0
            isLowSurrogate = true
        default:
            guard let digit = ASCII.hexValue(byte) else { throw JSONError(kind: .escape, offset: position) }
            codeUnit = codeUnit << 4 | UInt32(digit)
            hexDigits += 1
            guard hexDigits == 4 else { return }
            let isLow = codeUnit & 0xFC00 == 0xDC00
            guard isLow == isLowSurrogate else { throw JSONError(kind: .surrogate, offset: position) }
            state = codeUnit & 0xFC00 == 0xD800 ? .lowBackslash : .string
        }
    }

    // MARK: Numbers and literals

    private static let literals: [[UInt8]] = [
        [], [], [], [], Array("true".utf8), Array("false".utf8), Array("null".utf8),
    ]

    /// Whether `byte` belongs to the number.
    private mutating func number(_ byte: UInt8, _ position: Int) throws(JSONError) -> Bool {
        let isDigit = ASCII.isDigit(byte)
        switch state {
        case .minus:
            guard isDigit else { throw JSONError(kind: .number, offset: position) }
            state = byte == 0x30 ? .zero : .integer
        case .zero:
            if isDigit { throw JSONError(kind: .number, offset: position) }
            return pointOrExponent(byte)
        case .integer: return isDigit || pointOrExponent(byte)
        case .point:
            guard isDigit else { throw JSONError(kind: .number, offset: position) }
            state = .fraction
        case .fraction:
            if isDigit { return true }
            guard byte | 0x20 == 0x65 else { return false }
            state = .exponent
        case .exponent:
            if byte == 0x2B || byte == 0x2D {
                state = .exponentSign
            } else {
                guard isDigit else { throw JSONError(kind: .number, offset: position) }
                state = .exponentDigits
            }
        case .exponentSign:
            guard isDigit else { throw JSONError(kind: .number, offset: position) }
            state = .exponentDigits
        default: return isDigit
        }
        return true
    }

    private mutating func pointOrExponent(_ byte: UInt8) -> Bool {
        if byte == 0x2E {
            state = .point
            return true
        }
        guard byte | 0x20 == 0x65 else { return false }
        state = .exponent
        return true
    }
}
