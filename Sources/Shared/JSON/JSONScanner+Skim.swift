/// The fast way through text that is as it should be.
///
/// Takes whole tokens only, and stops before the first that is cut by the end of the piece, uncommon (surrogate
/// pairs, deep nesting) or wrong. The state machine of `JSONScanner` takes that one byte by byte and judges it, so
/// what is valid is decided there alone; `JSONScannerTests` compares the two on every prefix of every sample.
extension JSONScanner {
    /// Levels of nesting that are told apart by the bits of one word.
    private static let deepest = 62

    /// Reads tokens from `start` on, answers where the first one begins that it has not taken, and leaves the state
    /// of the machine at that place. Call it between tokens only.
    mutating func skim(_ bytes: Span<UInt8>, from start: Int, to end: Int, offset: Int) -> Int {
        let limit = min(Self.deepest, maximumDepth)
        guard depth <= limit else { return start }
        var position = start
        var depth = depth
        var levels = isObject[0]
        var state = state
        tokens: while position < end, state != .done {
            let byte = bytes[position]
            if Self.isSpace(byte) {
                hasWhiteSpace = true
                position += 1
                continue
            }
            switch state {
            case .key, .keyOrEnd:
                guard byte == ASCII.quote else {
                    guard byte == 0x7D, state == .keyOrEnd else { break tokens }
                    position += 1
                    state = close(&depth, levels, at: position + offset)
                    continue
                }
                var isEscaped = false
                let quote = ByteSearch.endOfString(bytes, from: position + 1, to: end, &isEscaped)
                guard quote >= 0 else { break tokens }
                if depth == 1 {
                    let key = position + 1 + offset..<quote + offset
                    members.append(
                        Member(
                            key: key, keyIsEscaped: isEscaped, value: key.upperBound..<key.upperBound, kind: .null,
                            valueIsEscaped: false))
                } else if depth == 3 {
                    if isEscaped { break tokens }
                    if quote - position == 14 { keyIsFinishReason = Self.isFinishReason(bytes, at: position + 1) }
                }
                position = quote + 1
                state = .colon
                if position < end, bytes[position] == ASCII.colon {
                    position += 1
                    state = .value
                }
            case .colon:
                guard byte == ASCII.colon else { break tokens }
                position += 1
                state = .value
            case .value, .valueOrEnd:
                let start = position
                var isEscaped = false
                let kind: Kind
                switch byte {
                case ASCII.quote:
                    kind = .string
                    position = ByteSearch.endOfString(bytes, from: position + 1, to: end, &isEscaped) + 1
                case 0x7B, 0x5B:
                    guard depth < limit else { break tokens }
                    let kind: Kind = byte == 0x7B ? .object : .array
                    begin(kind, depth, levels, at: position + offset)
                    let bit = UInt64(1) << UInt64(depth)
                    levels = kind == .object ? levels | bit : levels & ~bit
                    depth += 1
                    position += 1
                    state = kind == .object ? .keyOrEnd : .valueOrEnd
                    continue
                case 0x2D, 0x30...0x39:
                    kind = .number
                    position = Self.endOfNumber(bytes, from: position, to: end)
                case 0x74:
                    kind = .true
                    position = Self.holds(0x6575_7274, 4, bytes, position, end) ? position + 4 : 0
                case 0x66:
                    kind = .false
                    position = Self.holds(0x65_736C_6166, 5, bytes, position, end) ? position + 5 : 0
                case 0x6E:
                    kind = .null
                    position = Self.holds(0x6C6C_756E, 4, bytes, position, end) ? position + 4 : 0
                case 0x5D where state == .valueOrEnd:
                    position += 1
                    state = close(&depth, levels, at: position + offset)
                    continue
                default: break tokens
                }
                guard position > 0 else {
                    position = start
                    break tokens
                }
                begin(kind, depth, levels, at: start + offset)
                state = .done
                guard depth > 0 else { break }
                state = .commaOrEnd
                if depth == 1, levels & 1 == 1, let last = members.indices.last {
                    members[last].value = start + offset..<position + offset
                    members[last].valueIsEscaped = isEscaped
                }
            case .commaOrEnd:
                let isInObject = levels >> UInt64(depth - 1) & 1 == 1
                if byte == ASCII.comma {
                    position += 1
                    state = isInObject ? .key : .value
                } else if byte == (isInObject ? 0x7D : 0x5D) {
                    position += 1
                    state = close(&depth, levels, at: position + offset)
                } else {
                    break tokens
                }
            default: break tokens
            }
        }
        self.depth = depth
        self.state = state
        isObject[0] = levels
        return position
    }

    /// Notes a value that begins, where somebody will ask for it.
    @inline(__always)
    private mutating func begin(_ kind: Kind, _ depth: Int, _ levels: UInt64, at position: Int) {
        hasBegun = true
        if depth == 1 {
            if levels & 1 == 1, let last = members.indices.last {
                members[last].value = position..<position
                members[last].kind = kind
            }
        } else if depth == 0 {
            self.kind = kind
        }
        guard keyIsFinishReason else { return }
        keyIsFinishReason = false
        if kind != .null { hasFinishReason = true }
    }

    @inline(__always)
    private mutating func close(_ depth: inout Int, _ levels: UInt64, at position: Int) -> State {
        depth -= 1
        if depth == 1, levels & 1 == 1, let last = members.indices.last {
            members[last].value = members[last].value.lowerBound..<position
        }
        return depth == 0 ? .done : .commaOrEnd
    }

    @inline(__always)
    private static func holds(
        _ word: UInt64, _ count: Int, _ bytes: Span<UInt8>, _ position: Int, _ end: Int
    ) -> Bool {
        end - position >= count && ByteSearch.word(bytes, at: position, count: count) == word
    }

    private static func isFinishReason(_ bytes: Span<UInt8>, at position: Int) -> Bool {
        ByteSearch.word(bytes, at: position, count: 8) == 0x725F_6873_696E_6966
            && ByteSearch.word(bytes, at: position + 8, count: 5) == 0x6E_6F73_6165
    }

    /// Behind the number at `start`; 0 where it is wrong, or `end` may have cut it.
    @inline(__always)
    static func endOfNumber(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        if bytes[position] == 0x2D { position += 1 }
        let first = position
        position = endOfDigits(bytes, from: position, to: end)
        guard position > first, position < end else { return 0 }
        if bytes[first] == 0x30, position - first > 1 { return 0 }
        if bytes[position] == 0x2E {
            let fraction = position + 1
            position = endOfDigits(bytes, from: fraction, to: end)
            guard position > fraction, position < end else { return 0 }
        }
        if bytes[position] | 0x20 == 0x65 {
            position += 1
            if position < end, bytes[position] == 0x2B || bytes[position] == 0x2D { position += 1 }
            let exponent = position
            position = endOfDigits(bytes, from: exponent, to: end)
            guard position > exponent, position < end else { return 0 }
        }
        return position
    }

    @inline(__always)
    private static func endOfDigits(_ bytes: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var position = start
        while position < end, ASCII.isDigit(bytes[position]) { position += 1 }
        return position
    }
}
