@testable import Shared

/// The scanner against the reference reader, whole and in pieces; the walker and the writer on what is valid; the
/// walker on anything, since it must never trap.
enum JSONTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let range = 0..<bytes.count
        let whole = scan(bytes, [bytes.count])
        var cuts = Cuts(bytes)
        try claim("pieces are read as the whole", scan(bytes, cuts.ends(of: range)) == whole, "\(whole)")
        try claim("a scanner may be used again", scanAgain(bytes) == whole, "\(whole)")
        let reference = ReferenceJSON.read(bytes, range)
        try claim(
            "the scanner and the reference agree on what is valid", (whole.error == nil) == (reference != nil),
            "\(whole)")
        walk(bytes, range)
        guard let reference else { return }
        try compare(bytes, whole, reference)
        try compact(bytes, reference)
    }

    struct Outcome: Equatable {
        var error: JSONError?
        var kind = JSONScanner.Kind.null
        var members: [JSONScanner.Member] = []
    }

    static func scan(_ bytes: [UInt8], _ ends: [Int]) -> Outcome {
        var scanner = JSONScanner()
        var outcome = Outcome()
        do throws(JSONError) {
            var start = 0
            for end in ends {
                try scanner.scan(bytes, start..<end)
                start = end
            }
            try scanner.finish(at: bytes.count)
            outcome.kind = scanner.kind
            outcome.members = scanner.members
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// With a scanner that has read the first half as a text of its own before.
    private static func scanAgain(_ bytes: [UInt8]) -> Outcome {
        var scanner = JSONScanner()
        try? scanner.scanAll(bytes, 0..<bytes.count / 2)
        var outcome = Outcome()
        do throws(JSONError) {
            try scanner.scanAll(bytes, 0..<bytes.count)
            outcome.kind = scanner.kind
            outcome.members = scanner.members
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private static func compare(
        _ bytes: [UInt8], _ outcome: Outcome, _ reference: ReferenceJSON.Element
    ) throws(FuzzFailure) {
        guard case .object(let members) = reference.value else {
            try claim("only objects have members", outcome.members.isEmpty, "\(outcome)")
            return
        }
        try claim("as many members", outcome.members.count == members.count, "\(outcome)")
        for (found, expected) in zip(outcome.members, members) {
            let hasEscapes = bytes[expected.key].contains(0x5C)
            try claim(
                "the same members",
                found.key == expected.key && found.value == expected.range && found.keyIsEscaped == hasEscapes
                    && found.kind == expected.value.kind, "\(found) \(expected)")
            if expected.value == .string {
                let inside = expected.range.lowerBound + 1..<expected.range.upperBound - 1
                try claim("escaped values are noted", found.valueIsEscaped == bytes[inside].contains(0x5C), "\(found)")
                var plain: [UInt8] = []
                JSONWalker.unescape(bytes, inside, into: &plain)
                try claim("strings are unescaped", plain == ReferenceJSON.unescaped(bytes, inside), "\(plain)")
            }
        }
        let named = members.last { ReferenceJSON.unescaped(bytes, $0.key) == Array("model".utf8) }
        let walked = JSONWalker.member("model", of: reference.range, bytes)
        try claim("the walker finds the last of a name", walked?.range == named?.range, "\(String(describing: walked))")
        for member in members {
            guard case .array(let elements) = member.value else { continue }
            var found: [Range<Int>] = []
            JSONWalker.elements(of: member.range, bytes) { element in
                found.append(element.range)
                return true
            }
            try claim("the walker finds all elements", found == elements.map(\.range), "\(found)")
        }
    }

    private static func compact(_ bytes: [UInt8], _ reference: ReferenceJSON.Element) throws(FuzzFailure) {
        let buffer = ByteBuffer(capacity: 16)
        buffer.append(compacting: bytes, 0..<bytes.count)
        let compacted = Array(buffer.storage[buffer.readable])
        guard let again = ReferenceJSON.read(compacted, 0..<compacted.count) else {
            throw FuzzFailure(claim: "a compacted text is valid", seen: text(compacted))
        }
        try claim(
            "compacting keeps the tokens",
            again.value.tokens(compacted, again.range) == reference.value.tokens(bytes, reference.range))
        var scanner = JSONScanner()
        try? scanner.scanAll(compacted, 0..<compacted.count)
        try claim("compacting leaves no white space", !scanner.hasWhiteSpace, text(compacted))
    }

    private static func walk(_ bytes: [UInt8], _ range: Range<Int>) {
        guard !bytes.isEmpty else { return }
        _ = JSONWalker.member("model", of: range, bytes)
        JSONWalker.elements(of: range, bytes) { element in
            if element.kind == .string { _ = JSONWalker.isText(bytes, element.text, "free") }
            return true
        }
        var plain: [UInt8] = []
        JSONWalker.unescape(bytes, range, into: &plain)
    }
}

extension ReferenceJSON.Value {
    var kind: JSONScanner.Kind {
        switch self {
        case .object: .object
        case .array: .array
        case .string: .string
        case .number: .number
        case .true: .true
        case .false: .false
        case .null: .null
        }
    }

    /// Keys and scalars in order, brackets around them: the text without its white space.
    func tokens(_ bytes: [UInt8], _ range: Range<Int>) -> [[UInt8]] {
        switch self {
        case .object(let members):
            [[0x7B]] + members.flatMap { [Array(bytes[$0.key])] + $0.value.tokens(bytes, $0.range) } + [[0x7D]]
        case .array(let elements): [[0x5B]] + elements.flatMap { $0.value.tokens(bytes, $0.range) } + [[0x5D]]
        case .string, .number, .true, .false, .null: [Array(bytes[range])]
        }
    }
}
