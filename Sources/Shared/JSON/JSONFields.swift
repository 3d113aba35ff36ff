/// The members of one small JSON object, asked for by name: messages between processes, not requests. Pure.
public struct JSONFields {
    private let bytes: [UInt8]
    private let members: [JSONScanner.Member]

    /// Throws for anything that is not one valid JSON object.
    public init(_ bytes: [UInt8]) throws(JSONError) {
        var scanner = JSONScanner(maximumDepth: 16)
        try scanner.scanAll(bytes, 0..<bytes.count)
        self.bytes = bytes
        members = scanner.kind == .object ? scanner.members : []
    }

    public func text(_ name: String) -> String? {
        guard let member = member(name), member.kind == .string else { return nil }
        var plain: [UInt8] = []
        JSONWalker.unescape(bytes, member.value.lowerBound + 1..<member.value.upperBound - 1, into: &plain)
        return String(decoding: plain, as: UTF8.self)
    }

    public func integer(_ name: String) -> Int? {
        guard let member = member(name), member.kind == .number else { return nil }
        return Int(String(decoding: bytes[member.value], as: UTF8.self))
    }

    public func bool(_ name: String) -> Bool? {
        switch member(name)?.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The elements of an array of strings.
    public func texts(_ name: String) -> [String]? {
        guard let member = member(name), member.kind == .array else { return nil }
        var texts: [String] = []
        JSONWalker.elements(of: member.value, bytes) { element in
            guard element.kind == .string else { return true }
            var plain: [UInt8] = []
            JSONWalker.unescape(bytes, element.text, into: &plain)
            texts.append(String(decoding: plain, as: UTF8.self))
            return true
        }
        return texts
    }

    /// The last of that name. Names with escapes are not looked into: nobody here writes such.
    private func member(_ name: String) -> JSONScanner.Member? {
        members.last { !$0.keyIsEscaped && bytes[$0.key].elementsEqual(name.utf8) }
    }
}
