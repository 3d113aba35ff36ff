/// A name with one `*`, which stands for any text: wildcard model names, tags of deployments like `team-*`. Pure.
public struct Glob: Sendable, Equatable {
    public let prefix: [UInt8]
    public let suffix: [UInt8]

    /// Of several stars the first one counts; the others stand for themselves.
    public init(_ pattern: String) {
        let bytes = Array(pattern.utf8)
        let star = bytes.firstIndex(of: 0x2A) ?? bytes.endIndex
        prefix = Array(bytes[..<star])
        suffix = Array(bytes[min(star + 1, bytes.endIndex)...])
    }

    /// How much of a name it fixes: of several that match, the most specific one counts.
    public var specificity: Int { prefix.count + suffix.count }

    /// What the star stands for in `bytes[name]`; nil where the pattern does not match.
    public func capture(_ bytes: [UInt8], _ name: Range<Int>) -> Range<Int>? {
        guard name.count >= prefix.count + suffix.count, bytes[name].starts(with: prefix),
            bytes[name].suffix(suffix.count).elementsEqual(suffix)
        else { return nil }
        return name.lowerBound + prefix.count..<name.upperBound - suffix.count
    }

    public func matches(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        return capture(bytes, 0..<bytes.count) != nil
    }
}
