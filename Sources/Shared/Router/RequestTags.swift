/// The tags of one request, from all places it may carry them, told apart: wanted, required (`&x`), excluded (`!x`).
///
/// Pure, reused from request to request. Tags are compared exactly, or with a deployment's `team-*`; empty ones and lone
/// marks count as absent. A class, so that passing them on counts no references of what they hold.
public final class RequestTags {
    enum Kind: Sendable { case wanted, required, excluded }

    struct Tag: Sendable {
        var kind: Kind
        /// Its number in the table; -1 when no deployment carries it literally.
        var number: Int32
        /// Numbers of the tags with a `*` that it matches, a range of `globs`.
        var globs: Range<Int32>
        /// Whether the routing prefix marks it as a wish, which does not fall to the default when unknown.
        var isWish: Bool
        /// As the caller wrote it, in `texts`.
        var text: Range<Int>
    }

    private(set) var tags: [Tag] = []
    private(set) var globs: [Int32] = []
    private let text = ByteBuffer(capacity: 64)
    /// The bytes of all tags, and room behind them; see `first` and `forEachText`.
    public var texts: [UInt8] { text.storage }

    public init() {}

    public var isEmpty: Bool { tags.isEmpty }

    public func removeAll() {
        tags.empty()
        globs.empty()
        text.removeAll()
    }

    /// Adds `bytes[range]`, once.
    public func add(_ bytes: [UInt8], _ range: Range<Int>, _ table: RoutingTable) {
        guard !range.isEmpty else { return }
        for tag in tags where texts[tag.text].elementsEqual(bytes[range]) { return }
        var name = range
        var isWish = false
        if !table.tagPrefix.isEmpty, bytes[range].starts(with: table.tagPrefix) {
            isWish = true
            name = range.lowerBound + table.tagPrefix.count..<range.upperBound
        }
        var kind = Kind.wanted
        if let first = bytes[name].first, first == 0x21 || first == 0x26 {
            kind = first == 0x21 ? .excluded : .required
            name = name.lowerBound + 1..<name.upperBound
        }
        let place = text.end..<text.end + range.count
        text.append(bytes, range)
        guard !name.isEmpty else { return }
        let firstGlob = Int32(globs.count)
        table.addGlobs(bytes, name, to: &globs)
        tags.append(
            Tag(
                kind: kind, number: table.tagNumber(bytes, name) ?? -1, globs: firstGlob..<Int32(globs.count),
                isWish: isWish, text: place))
    }

    /// Adds the comma-separated tags of a header value, blanks around each trimmed.
    public func add(list bytes: [UInt8], _ range: Range<Int>, _ table: RoutingTable) {
        var start = range.lowerBound
        for position in range where bytes[position] == ASCII.comma {
            add(bytes, ASCII.trimmed(bytes, start..<position), table)
            start = position + 1
        }
        add(bytes, ASCII.trimmed(bytes, start..<range.upperBound), table)
    }

    /// Whether a deployment carries the tag, literally or by a `*`.
    @inline(__always)
    func isCarried(_ tag: Tag, by candidate: RoutingTable.Candidate, _ table: RoutingTable) -> Bool {
        if table.carries(candidate, tag.number) { return true }
        for index in tag.globs where table.carries(candidate, globs[Int(index)]) { return true }
        return false
    }

    /// Whether a deployment of `group` carries the tag.
    func isKnown(_ tag: Tag, to group: RoutingTable.Group, _ table: RoutingTable) -> Bool {
        table.members(of: group).contains { isCarried(tag, by: table.candidates[Int($0)], table) }
    }

    /// The first tag as the caller wrote it; empty without any.
    public var firstText: ArraySlice<UInt8> { texts[first] }

    /// Where in `texts` the first tag lies.
    public var first: Range<Int> { tags.first?.text ?? 0..<0 }

    /// Calls `body` with where in `texts` each tag lies as the caller wrote it.
    public func forEachText(_ body: (Range<Int>) -> Void) {
        for tag in tags { body(tag.text) }
    }

    /// `['a', 'b']`, as the reference writes them in a refusal.
    public var description: String {
        "[\(tags.map { "'\(String(decoding: texts[$0.text], as: UTF8.self))'" }.joined(separator: ", "))]"
    }
}
