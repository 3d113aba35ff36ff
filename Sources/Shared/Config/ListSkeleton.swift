/// The text of a file without those items of its model list that are remembered, for libyaml to read. Pure.
///
///     model_list:                      model_list:
///       - model_name: a    remembered    - model_name: a    stays, being the first
///       - model_name: b    remembered
///       - model_name: x    new           - model_name: x
///       - model_name: c    the last      - model_name: c    stays: what follows belongs to it
///
/// A text falls into pieces at the lines that could begin an item: so many blanks, a dash, a blank. An item was
/// remembered because libyaml found it from the beginning of a piece to that of the next one, where it found the next
/// item. What it knows at such a place is always the same: it is in a block sequence of that indentation, in no quotes,
/// no flow and no other scalar, and a line has just begun. So it reads the piece the same wherever it stands at such a
/// place. Whether it does is only known when the skeleton has been read, for an edit before may have opened a quote: where
/// something was left out, libyaml has to have found one more item at the beginning of the piece behind (`places`).
struct ListSkeleton {
    struct Piece {
        /// In the whole text.
        let range: Range<Int>
        /// What stands behind the dash, in characters of the skeleton; an item that is a comment at first begins elsewhere.
        let node: Int
        /// What was left out before it, of `taken`.
        let taken: Range<Int>
    }

    let indent: Int
    /// Those that libyaml reads.
    private(set) var pieces: [Piece] = []
    /// Numbers of the remembered items that are left out, in the order of the text.
    private(set) var taken: [Int] = []
    /// What libyaml reads.
    private(set) var bytes: [UInt8]

    /// The whole text in pieces.
    init(whole text: [UInt8], indent: Int) {
        self.init(text, indent, nil)
    }

    init(_ text: [UInt8], _ list: RememberedList) {
        self.init(text, list.indent, list)
    }

    private init(_ text: [UInt8], _ indent: Int, _ list: RememberedList?) {
        self.indent = indent
        bytes = []
        let splitter = PieceSplitter(text, indent: indent)
        var finder = list.map(RememberedItemFinder.init)
        var start = splitter.next(from: 0)
        var characters = splitter.characters(0..<start)
        // Of the text that is not copied yet.
        var copied = 0
        var takenBefore = 0
        var isFirst = true
        while start < text.count {
            var end = start
            if let found = finder?.find(at: start, in: splitter) {
                end = found.end
                if !isFirst {
                    bytes += text[copied..<start]
                    copied = end
                    taken.append(found.number)
                    start = end
                    continue
                }
                // With it the list has begun for sure.
                isFirst = false
            } else {
                end = splitter.next(from: start + 1)
            }
            let node = characters + splitter.node(of: start..<end)
            pieces.append(Piece(range: start..<end, node: node, taken: takenBefore..<taken.count))
            takenBefore = taken.count
            characters += splitter.characters(start..<end)
            start = end
        }
        if taken.isEmpty { bytes = text } else { bytes += text[copied...] }
    }

    /// What the lines of nodes have to be corrected by.
    func gaps(_ list: RememberedList) -> [YAMLDocument.Gap] {
        pieces.filter { !$0.taken.isEmpty }.map { piece in
            YAMLDocument.Gap(offset: piece.node, lines: lines(of: piece, list))
        }
    }

    /// How many lines were left out before `piece`.
    func lines(of piece: Piece, _ list: RememberedList) -> Int {
        piece.taken.reduce(0) { $0 + list.items[taken[$1]].lines }
    }

    /// The piece that each item of the list is found to begin with, by where libyaml found the items; nil for an item
    /// that begins within a piece.
    func places(of items: [YAMLNode]) -> [Int?] {
        var piece = 0
        return items.map { item in
            while piece < pieces.count, pieces[piece].node < item.offset { piece += 1 }
            return piece < pieces.count && pieces[piece].node == item.offset ? piece : nil
        }
    }
}

/// Where the pieces of a text begin and end. Pure.
struct PieceSplitter {
    let text: [UInt8]
    /// How a line begins that may begin an item.
    private let beginning: [UInt8]

    init(_ text: [UInt8], indent: Int) {
        self.text = text
        beginning = [UInt8](repeating: ASCII.space, count: indent) + [0x2D, ASCII.space]
    }

    /// Whether the line at `position` may begin an item.
    func isBeginning(_ position: Int) -> Bool {
        let dash = position + beginning.count - 2
        guard text.count - dash >= 2, text[dash] == 0x2D else { return false }
        return ByteSearch.commonLength(beginning, at: 0, text.span, at: position, upTo: beginning.count)
            == beginning.count
    }

    /// The first such line that begins at `position` or behind it; the end of the text if there is none.
    func next(from position: Int) -> Int {
        if position == 0, isBeginning(0) { return 0 }
        var line = max(0, position - 1)
        while let end = ByteSearch.first(0x0A, text, in: line..<text.count) {
            line = end + 1
            if isBeginning(line) { return line }
        }
        return text.count
    }

    /// How far behind the beginning of a piece its first text behind the dash is.
    func node(of piece: Range<Int>) -> Int {
        var position = piece.lowerBound + beginning.count
        while position < piece.upperBound, text[position] == ASCII.space { position += 1 }
        return position - piece.lowerBound
    }

    /// How many characters those bytes are: as many as do not continue one.
    func characters(_ range: Range<Int>) -> Int {
        let bytes = text.span
        var continuing = 0
        var position = range.lowerBound
        while position < range.upperBound {
            let count = min(8, range.upperBound - position)
            let word = ByteSearch.word(bytes, at: position, count: count)
            continuing += (word & ~(word << 1) & 0x8080_8080_8080_8080).nonzeroBitCount
            position += count
        }
        return range.count - continuing
    }
}

/// Finds remembered items in a text. Pure.
///
/// Mostly they come in the order in which they are remembered; where they do not, all of them are looked up by their text.
struct RememberedItemFinder {
    private let list: RememberedList
    /// The item that should come next.
    private var expected = 0
    private var numbers: ByteMap<Int>?

    init(_ list: RememberedList) {
        self.list = list
    }

    /// The item whose text is a piece at `start`, and where the next piece begins; nil at the last piece, for it may go
    /// on behind the list.
    mutating func find(at start: Int, in splitter: PieceSplitter) -> (number: Int, end: Int)? {
        if let end = end(of: expected, at: start, splitter) { return found(expected, end) }
        let end = splitter.next(from: start + 1)
        guard end < splitter.text.count else { return nil }
        if expected < list.items.count, self.end(of: expected, at: end, splitter) != nil {
            // Something new was put in between.
            return nil
        }
        if self.end(of: expected + 1, at: end, splitter) != nil {
            // The one that was expected has changed.
            expected += 1
            return nil
        }
        guard let number = known()[splitter.text, start..<end] else { return nil }
        return found(number, end)
    }

    private mutating func found(_ number: Int, _ end: Int) -> (number: Int, end: Int) {
        expected = number + 1
        return (number, end)
    }

    private func end(of number: Int, at start: Int, _ splitter: PieceSplitter) -> Int? {
        guard number < list.items.count else { return nil }
        let range = list.items[number].range
        guard range.count <= splitter.text.count - start,
            ByteSearch.commonLength(
                list.text, at: range.lowerBound, splitter.text.span, at: start, upTo: range.count) == range.count,
            splitter.isBeginning(start + range.count)
        else { return nil }
        return start + range.count
    }

    private mutating func known() -> ByteMap<Int> {
        if let numbers { return numbers }
        let numbers = ByteMap(list.items.enumerated().map { (Array(list.text[$1.range]), $0) })
        self.numbers = numbers
        return numbers
    }
}
