internal import CYAML

/// A place in a configuration file; both from 1.
public struct Position: Sendable, Equatable {
    public var file: String
    public var line: Int
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }
}

/// A YAML node with the place it was read at.
public final class YAMLNode: Sendable {
    public enum Value: Sendable {
        /// `isPlain` is false for quoted and block scalars, which are always strings.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    public let value: Value
    public let position: Position
    /// Characters before it in the text that was read.
    let offset: Int
    /// Whether it has an anchor or a tag.
    let hasProperties: Bool
    /// Whether neither it nor a node within it has an anchor or a tag, or is named by an alias: its text alone says what
    /// it is.
    let isClosed: Bool
    /// Levels of nodes within this one, those that aliases stand for counted.
    let height: Int

    init(_ value: Value, at position: Position, offset: Int, hasProperties: Bool) {
        self.value = value
        self.position = position
        self.offset = offset
        self.hasProperties = hasProperties
        var height = 0
        // What an alias stands for has an anchor.
        var isClosed = !hasProperties
        func hold(_ node: YAMLNode) {
            height = max(height, node.height + 1)
            isClosed = isClosed && node.isClosed
        }
        switch value {
        case .scalar: break
        case .sequence(let items):
            height = 1
            for item in items { hold(item) }
        case .mapping(let members):
            height = 1
            for member in members {
                hold(member.key)
                hold(member.value)
            }
        }
        self.height = height
        self.isClosed = isClosed
    }
}

/// Reads a YAML text with libyaml into nodes that know their lines. Aliases share the node they name, so that a
/// text cannot grow by them; merge keys (`<<`) are resolved by whoever reads a mapping.
public enum YAMLDocument {
    public struct Failure: Error {
        public let message: String
        public let position: Position
    }

    /// Lines of a file that are not in the text that is read of it.
    struct Gap {
        /// Characters of the text before the first node behind the gap.
        var offset: Int
        var lines: Int
    }

    /// The root of the only document in `bytes`; nil when the text is empty.
    ///
    /// `gaps`, in order, are counted into the lines of what stands behind them.
    static func read(_ bytes: [UInt8], file: String, gaps: [Gap] = []) throws(Failure) -> YAMLNode? {
        var parser = unsafe yaml_parser_t()
        guard unsafe yaml_parser_initialize(&parser) == 1 else {
            throw Failure(message: "out of memory", position: Position(file: file, line: 1, column: 1))
        }
        defer { unsafe yaml_parser_delete(&parser) }
        let result: Result<YAMLNode?, Failure> = unsafe bytes.withUnsafeBufferPointer { text in
            // libyaml keeps the pointer for as long as the parser lives, which is within this closure.
            unsafe yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
            unsafe yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            var reader = Reader(file: file, gaps: gaps)
            do throws(Failure) {
                return .success(try unsafe reader.document(&parser))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private struct Event {
        enum Kind { case scalar(String, isPlain: Bool), sequence, mapping, alias(String), end, streamEnd, other }

        let kind: Kind
        let position: Position
        let offset: Int
        let anchor: String?
        let hasProperties: Bool
    }

    private static func node(_ value: YAMLNode.Value, _ event: Event) -> YAMLNode {
        YAMLNode(value, at: event.position, offset: event.offset, hasProperties: event.hasProperties)
    }

    private struct Reader {
        /// Levels, so that whoever walks the nodes cannot run out of stack; an alias counts with what it stands for.
        static let deepest = 64

        let file: String
        let gaps: [Gap]
        var anchors: [String: YAMLNode] = [:]
        /// Gaps that have been passed, and their lines.
        private var passed = 0
        private var linesLeftOut = 0

        init(file: String, gaps: [Gap]) {
            self.file = file
            self.gaps = gaps
        }

        mutating func document(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Failure) -> YAMLNode? {
            var root: YAMLNode?
            while true {
                let event = try unsafe next(parser)
                switch event.kind {
                case .streamEnd: return root
                case .other, .end: continue
                case .scalar, .sequence, .mapping, .alias:
                    guard root == nil else {
                        throw Failure(message: "more than one YAML document in the file", position: event.position)
                    }
                    root = try unsafe node(event, parser, depth: 0)
                }
            }
        }

        private mutating func node(
            _ event: Event, _ parser: UnsafeMutablePointer<yaml_parser_t>, depth: Int
        ) throws(Failure) -> YAMLNode {
            guard depth < Self.deepest else { throw Failure(message: "nested too deeply", position: event.position) }
            let node: YAMLNode
            switch event.kind {
            case .scalar(let text, let isPlain):
                node = YAMLDocument.node(.scalar(text, isPlain: isPlain), event)
            case .alias(let name):
                guard let known = anchors[name] else {
                    throw Failure(message: "alias *\(name) names no anchor", position: event.position)
                }
                guard depth + known.height < Self.deepest else {
                    throw Failure(message: "nested too deeply", position: event.position)
                }
                return known
            case .sequence:
                var items: [YAMLNode] = []
                while true {
                    let item = try unsafe next(parser)
                    if case .end = item.kind { break }
                    items.append(try unsafe self.node(item, parser, depth: depth + 1))
                }
                node = YAMLDocument.node(.sequence(items), event)
            case .mapping:
                var members: [(key: YAMLNode, value: YAMLNode)] = []
                while true {
                    let key = try unsafe next(parser)
                    if case .end = key.kind { break }
                    let keyNode = try unsafe self.node(key, parser, depth: depth + 1)
                    let value = try unsafe next(parser)
                    members.append((keyNode, try unsafe self.node(value, parser, depth: depth + 1)))
                }
                node = YAMLDocument.node(.mapping(members), event)
            case .end, .streamEnd, .other:
                throw Failure(message: "the document ends too early", position: event.position)
            }
            if let anchor = event.anchor { anchors[anchor] = node }
            return node
        }

        private mutating func next(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Failure) -> Event {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else {
                let mark = unsafe parser.pointee.problem_mark
                let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "invalid YAML"
                throw Failure(
                    message: problem, position: Position(file: file, line: mark.line + 1, column: mark.column + 1))
            }
            defer { unsafe yaml_event_delete(&event) }
            let mark = unsafe event.start_mark
            while passed < gaps.count, mark.index >= gaps[passed].offset {
                linesLeftOut += gaps[passed].lines
                passed += 1
            }
            let line = mark.line + 1 + linesLeftOut
            let position = Position(file: file, line: line, column: mark.column + 1)
            func made(_ kind: Event.Kind, anchor: String? = nil, hasTag: Bool = false) -> Event {
                Event(
                    kind: kind, position: position, offset: mark.index, anchor: anchor,
                    hasProperties: hasTag || anchor != nil)
            }
            switch unsafe event.type {
            case YAML_SCALAR_EVENT:
                let scalar = unsafe event.data.scalar
                let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                let text = unsafe String(decoding: bytes, as: UTF8.self)
                let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
                return unsafe made(
                    .scalar(text, isPlain: isPlain), anchor: name(scalar.anchor), hasTag: scalar.tag != nil)
            case YAML_SEQUENCE_START_EVENT:
                let start = unsafe event.data.sequence_start
                return unsafe made(.sequence, anchor: name(start.anchor), hasTag: start.tag != nil)
            case YAML_MAPPING_START_EVENT:
                let start = unsafe event.data.mapping_start
                return unsafe made(.mapping, anchor: name(start.anchor), hasTag: start.tag != nil)
            case YAML_ALIAS_EVENT: return made(.alias(unsafe name(event.data.alias.anchor) ?? ""))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return made(.end)
            case YAML_STREAM_END_EVENT: return made(.streamEnd)
            default: return made(.other)
            }
        }

        private func name(_ anchor: UnsafeMutablePointer<yaml_char_t>?) -> String? {
            unsafe anchor.map { unsafe String(cString: $0) }
        }
    }
}
