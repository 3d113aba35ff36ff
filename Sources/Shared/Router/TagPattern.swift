/// A regular expression of `tag_regex`, searched for in `User-Agent: <value>`.
///
/// Pure. The syntax is the part of Python's `re` that can be matched in linear time: a caller chooses the text that
/// is searched, so a pattern must not be able to take long. Backreferences and lookaround are refused at load.
/// Matching follows all possibilities at once (Thompson's construction): time is text times pattern, whatever either
/// looks like.
public struct TagPattern: Sendable {
    public struct SyntaxError: Error, Equatable, Sendable {
        public let reason: String
        public let offset: Int
    }

    /// Sets of bytes are four words of bits. Texts are matched byte by byte; a character beyond ASCII in a pattern is
    /// the sequence of its bytes, and has no place in a class.
    private struct ByteSet: Sendable {
        var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

        mutating func insert(_ byte: UInt8) {
            let bit = UInt64(1) << UInt64(byte & 63)
            switch byte >> 6 {
            case 0: bits.0 |= bit
            case 1: bits.1 |= bit
            case 2: bits.2 |= bit
            default: bits.3 |= bit
            }
        }

        func contains(_ byte: UInt8) -> Bool {
            let word =
                switch byte >> 6 {
                case 0: bits.0
                case 1: bits.1
                case 2: bits.2
                default: bits.3
                }
            return word >> UInt64(byte & 63) & 1 == 1
        }

        mutating func formUnion(_ other: ByteSet) {
            bits = (bits.0 | other.bits.0, bits.1 | other.bits.1, bits.2 | other.bits.2, bits.3 | other.bits.3)
        }

        var inverted: ByteSet {
            ByteSet(bits: (~bits.0, ~bits.1, ~bits.2, ~bits.3))
        }

        init(bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)) {
            self.bits = bits
        }

        init(where isMember: (UInt8) -> Bool) {
            for byte in UInt8.min...UInt8.max where isMember(byte) { insert(byte) }
        }
    }

    private enum Step: Sendable {
        case byte(ByteSet)
        /// Goes on at both.
        case split(Int, Int)
        case jump(Int)
        case textStart, textEnd, wordBoundary, noWordBoundary
        case match
    }

    private indirect enum Tree {
        case empty
        case bytes(ByteSet)
        case sequence([Tree])
        case choice([Tree])
        case repetition(Tree, Int, Int?)
        case anchor(Step)
    }

    private var steps: [Step] = []

    /// The longest program; repetition counts multiply.
    private static let limit = 5000

    public init(_ text: String) throws(SyntaxError) {
        var parser = Parser(Array(text.utf8))
        let tree = try parser.parse()
        compile(tree)
        steps.append(.match)
        guard steps.count <= Self.limit else { throw SyntaxError(reason: "the pattern is too large", offset: 0) }
    }

    private mutating func compile(_ tree: Tree) {
        guard steps.count <= Self.limit else { return }
        switch tree {
        case .empty: break
        case .bytes(let set): steps.append(.byte(set))
        case .anchor(let step): steps.append(step)
        case .sequence(let parts): for part in parts { compile(part) }
        case .choice(let parts):
            var ends: [Int] = []
            for (index, part) in parts.enumerated() {
                guard index < parts.count - 1 else {
                    compile(part)
                    break
                }
                let split = steps.count
                steps.append(.match)
                compile(part)
                ends.append(steps.count)
                steps.append(.match)
                steps[split] = .split(split + 1, steps.count)
            }
            for end in ends { steps[end] = .jump(steps.count) }
        case .repetition(let part, let least, let most):
            for _ in 0..<least { compile(part) }
            if let most {
                var splits: [Int] = []
                for _ in least..<max(least, most) {
                    splits.append(steps.count)
                    steps.append(.match)
                    compile(part)
                    guard steps.count <= Self.limit else { return }
                }
                for split in splits { steps[split] = .split(split + 1, steps.count) }
            } else {
                let split = steps.count
                steps.append(.match)
                compile(part)
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
            }
        }
    }

    /// Whether the pattern is found anywhere in `text`.
    public func isFound(in text: [UInt8]) -> Bool {
        var current: [Int] = []
        var next: [Int] = []
        var marks = [Int](repeating: -1, count: steps.count)
        for position in 0...text.count {
            if follow(0, text, position, &current, &marks) { return true }
            guard position < text.count else { break }
            next.removeAll(keepingCapacity: true)
            for index in current {
                if case .byte(let set) = steps[index], set.contains(text[position]) {
                    if follow(index + 1, text, position + 1, &next, &marks) { return true }
                }
            }
            swap(&current, &next)
        }
        return false
    }

    /// Adds every step that can be reached from `start` without a byte; true when the match is among them.
    private func follow(_ start: Int, _ text: [UInt8], _ position: Int, _ list: inout [Int], _ marks: inout [Int])
        -> Bool
    {
        var pending = [start]
        while let index = pending.popLast() {
            if marks[index] == position { continue }
            marks[index] = position
            switch steps[index] {
            case .match: return true
            case .byte: list.append(index)
            case .jump(let target): pending.append(target)
            case .split(let left, let right):
                pending.append(right)
                pending.append(left)
            case .textStart: if position == 0 { pending.append(index + 1) }
            case .textEnd:
                // Python's `$` also matches before a line feed at the end, which no header can have.
                if position == text.count { pending.append(index + 1) }
            case .wordBoundary: if isBoundary(text, position) { pending.append(index + 1) }
            case .noWordBoundary: if !isBoundary(text, position) { pending.append(index + 1) }
            }
        }
        return false
    }

    private func isBoundary(_ text: [UInt8], _ position: Int) -> Bool {
        let before = position > 0 && Parser.word.contains(text[position - 1])
        let after = position < text.count && Parser.word.contains(text[position])
        return before != after
    }

    private struct Parser {
        let text: [UInt8]
        var position = 0
        var ignoresCase = false
        var depth = 0
        var names: Set<ArraySlice<UInt8>> = []

        static let digit = ByteSet { ASCII.isDigit($0) }
        static let word = ByteSet { ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 || $0 == 0x5F }
        static let space = ByteSet { $0 == 0x20 || (0x09...0x0D).contains($0) }

        init(_ text: [UInt8]) {
            self.text = text
        }

        func error(_ reason: String) -> SyntaxError { SyntaxError(reason: reason, offset: position) }

        mutating func parse() throws(SyntaxError) -> Tree {
            if text.starts(with: "(?i)".utf8) {
                ignoresCase = true
                position = 4
            }
            let tree = try choice()
            guard position == text.count else { throw error("an unmatched )") }
            return tree
        }

        var next: UInt8? { position < text.count ? text[position] : nil }

        mutating func accept(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            position += 1
            return true
        }

        mutating func choice() throws(SyntaxError) -> Tree {
            depth += 1
            defer { depth -= 1 }
            guard depth < 50 else { throw error("too many levels of groups") }
            var parts = [try sequence()]
            while accept(0x7C) { parts.append(try sequence()) }
            return parts.count == 1 ? parts[0] : .choice(parts)
        }

        mutating func sequence() throws(SyntaxError) -> Tree {
            var parts: [Tree] = []
            while let byte = next, byte != 0x7C, byte != 0x29 {
                let atom = try atom()
                parts.append(try repetitions(of: atom))
            }
            return parts.isEmpty ? .empty : .sequence(parts)
        }

        /// Whether a repetition begins at the position; a brace that counts nothing is just a brace.
        var isAtRepetition: Bool {
            switch next {
            case 0x2A, 0x2B, 0x3F: true
            case 0x7B: count() != nil
            default: false
            }
        }

        mutating func repetitions(of atom: Tree) throws(SyntaxError) -> Tree {
            if case .anchor = atom, isAtRepetition { throw error("nothing to repeat") }
            let result: Tree
            switch next {
            case 0x2A: result = .repetition(atom, 0, nil)
            case 0x2B: result = .repetition(atom, 1, nil)
            case 0x3F: result = .repetition(atom, 0, 1)
            case 0x7B:
                guard let (least, most, length) = count() else { return atom }
                if let most, most < least { throw error("a repetition whose maximum is below its minimum") }
                guard least <= 1000, most ?? 0 <= 1000 else { throw error("a repetition of more than 1000") }
                position += length
                return try single(.repetition(atom, least, most))
            default: return atom
            }
            position += 1
            return try single(result)
        }

        /// A repetition may be marked lazy, which changes nothing about whether it matches, but not repeated again.
        mutating func single(_ tree: Tree) throws(SyntaxError) -> Tree {
            _ = accept(0x3F)
            if isAtRepetition { throw error("a repetition of a repetition") }
            return tree
        }

        /// `{m}`, `{m,}`, `{,n}`, `{m,n}` or `{,}` at the position; nil when the brace is just a brace.
        func count() -> (Int, Int?, Int)? {
            guard let close = text[position...].firstIndex(of: 0x7D) else { return nil }
            let inside = position + 1..<close
            let length = close + 1 - position
            if let comma = text[inside].firstIndex(of: ASCII.comma) {
                let left = inside.lowerBound..<comma
                let right = comma + 1..<inside.upperBound
                let least = left.isEmpty ? 0 : ASCII.decimal(text, left)
                guard let least else { return nil }
                if right.isEmpty { return (least, nil, length) }
                return ASCII.decimal(text, right).map { (least, $0, length) }
            }
            return ASCII.decimal(text, inside).map { ($0, $0, length) }
        }

        mutating func atom() throws(SyntaxError) -> Tree {
            if isAtRepetition { throw error("nothing to repeat") }
            let byte = text[position]
            switch byte {
            case 0x28: return try group()
            case 0x5B: return .bytes(try byteClass())
            case 0x2E:
                position += 1
                return .bytes(ByteSet { $0 != 0x0A })
            case 0x5E:
                position += 1
                return .anchor(.textStart)
            case 0x24:
                position += 1
                return .anchor(.textEnd)
            case 0x5C: return try escape()
            case 0x80...: return character()
            default:
                position += 1
                return .bytes(literal(byte))
            }
        }

        func literal(_ byte: UInt8) -> ByteSet {
            ByteSet { $0 == byte || ignoresCase && ASCII.lowercased($0) == ASCII.lowercased(byte) }
        }

        /// A character of several bytes, which a repetition behind it repeats as a whole. Case is not ignored in it.
        mutating func character() -> Tree {
            var bytes: [Tree] = []
            repeat {
                bytes.append(.bytes(ByteSet { $0 == text[position] }))
                position += 1
            } while next.map { $0 & 0xC0 == 0x80 } ?? false
            return .sequence(bytes)
        }

        mutating func group() throws(SyntaxError) -> Tree {
            position += 1
            if accept(0x3F) {
                if accept(0x3A) {
                    // A group without a name or a number.
                } else if position + 1 < text.count, text[position] == 0x50, text[position + 1] == 0x3C,
                    let close = text[position...].firstIndex(of: 0x3E)
                {
                    try name(position + 2..<close)
                    position = close + 1
                } else {
                    throw error("lookaround, backreferences and flags within a pattern are not supported")
                }
            }
            let tree = try choice()
            guard accept(0x29) else { throw error("a missing )") }
            return tree
        }

        /// The name of a group: an identifier that no other has.
        mutating func name(_ range: Range<Int>) throws(SyntaxError) {
            let name = text[range]
            guard let first = name.first, !ASCII.isDigit(first), name.allSatisfy(Self.word.contains) else {
                throw error("a group name that is no identifier")
            }
            guard names.insert(name).inserted else { throw error("a group name that another has") }
        }

        mutating func escape() throws(SyntaxError) -> Tree {
            position += 1
            guard let byte = next else { throw error("a backslash at the end") }
            switch byte {
            case 0x62, 0x42, 0x41, 0x5A:
                position += 1
                return .anchor(
                    byte == 0x62 ? .wordBoundary : byte == 0x42 ? .noWordBoundary : byte == 0x41 ? .textStart : .textEnd
                )
            default: return .bytes(try escapedSet())
            }
        }

        /// The set that the escape at the position, behind its backslash, stands for.
        mutating func escapedSet() throws(SyntaxError) -> ByteSet {
            guard let byte = next else { throw error("a backslash at the end") }
            position += 1
            switch byte {
            case 0x64: return Self.digit
            case 0x44: return Self.digit.inverted
            case 0x77: return Self.word
            case 0x57: return Self.word.inverted
            case 0x73: return Self.space
            case 0x53: return Self.space.inverted
            case 0x6E: return literal(0x0A)
            case 0x72: return literal(0x0D)
            case 0x74: return literal(0x09)
            case 0x66: return literal(0x0C)
            case 0x76: return literal(0x0B)
            case 0x78:
                guard position + 1 < text.count, let high = ASCII.hexValue(text[position]),
                    let low = ASCII.hexValue(text[position + 1])
                else { throw error("\\x needs two hexadecimal digits") }
                position += 2
                return literal(high << 4 | low)
            default:
                let isLetter = ASCII.lowercased(byte) &- 0x61 < 26
                guard !isLetter, !ASCII.isDigit(byte) else {
                    position -= 1
                    throw error("an unknown escape, or a backreference")
                }
                return literal(byte)
            }
        }

        mutating func byteClass() throws(SyntaxError) -> ByteSet {
            position += 1
            let isNegated = accept(0x5E)
            var set = ByteSet()
            var isFirst = true
            while true {
                guard let byte = next else { throw error("a missing ]") }
                if byte == 0x5D, !isFirst { break }
                isFirst = false
                guard let low = try member(&set) else {
                    if next == 0x2D, position + 1 < text.count, text[position + 1] != 0x5D {
                        throw error("a range that begins with a class")
                    }
                    continue
                }
                guard next == 0x2D, position + 1 < text.count, text[position + 1] != 0x5D else {
                    set.formUnion(literal(low))
                    continue
                }
                position += 1
                guard let high = try member(&set), high >= low else { throw error("a range that runs backwards") }
                for byte in low...high { set.formUnion(literal(byte)) }
            }
            position += 1
            return isNegated ? set.inverted : set
        }

        /// One member of a class: its byte, or nil when it was a set of its own (`\d`), which is added at once.
        mutating func member(_ set: inout ByteSet) throws(SyntaxError) -> UInt8? {
            guard let byte = next else { throw error("a missing ]") }
            guard byte < 0x80 else { throw error("a character beyond ASCII in a class: write a choice, (a|b)") }
            guard byte == 0x5C else {
                position += 1
                return byte
            }
            position += 1
            let escaped = try escapedSet()
            var found: UInt8?
            for byte in UInt8.min...UInt8.max where escaped.contains(byte) {
                if let first = found, ASCII.lowercased(first) != ASCII.lowercased(byte) {
                    set.formUnion(escaped)
                    return nil
                }
                found = found ?? byte
            }
            return found
        }
    }
}
