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
    /// Levels of nodes within this one, those that aliases stand for counted.
    let height: Int

    init(_ value: Value, at position: Position) {
        self.value = value
        self.position = position
        height =
            switch value {
            case .scalar: 0
            case .sequence(let items): 1 + items.reduce(0) { max($0, $1.height) }
            case .mapping(let members): 1 + members.reduce(0) { max($0, $1.key.height, $1.value.height) }
            }
    }
}

/// Reads a YAML text with libyaml into nodes that know their lines. Aliases share the node they name, so that a
/// text cannot grow by them; merge keys (`<<`) are resolved by whoever reads a mapping.
public enum YAMLDocument {
    public struct Failure: Error {
        public let message: String
        public let position: Position
    }

    /// The root of the only document in `bytes`; nil when the text is empty.
    public static func read(_ bytes: [UInt8], file: String) throws(Failure) -> YAMLNode? {
        var parser = unsafe yaml_parser_t()
        guard unsafe yaml_parser_initialize(&parser) == 1 else {
            throw Failure(message: "out of memory", position: Position(file: file, line: 1, column: 1))
        }
        defer { unsafe yaml_parser_delete(&parser) }
        let result: Result<YAMLNode?, Failure> = unsafe bytes.withUnsafeBufferPointer { text in
            // libyaml keeps the pointer for as long as the parser lives, which is within this closure.
            unsafe yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
            unsafe yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            var reader = Reader(file: file)
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

        var kind: Kind
        var anchor: String?
        var position: Position
    }

    private struct Reader {
        /// Levels, so that whoever walks the nodes cannot run out of stack; an alias counts with what it stands for.
        static let deepest = 64

        let file: String
        var anchors: [String: YAMLNode] = [:]

        init(file: String) {
            self.file = file
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
                node = YAMLNode(.scalar(text, isPlain: isPlain), at: event.position)
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
                node = YAMLNode(.sequence(items), at: event.position)
            case .mapping:
                var members: [(key: YAMLNode, value: YAMLNode)] = []
                while true {
                    let key = try unsafe next(parser)
                    if case .end = key.kind { break }
                    let keyNode = try unsafe self.node(key, parser, depth: depth + 1)
                    let value = try unsafe next(parser)
                    members.append((keyNode, try unsafe self.node(value, parser, depth: depth + 1)))
                }
                node = YAMLNode(.mapping(members), at: event.position)
            case .end, .streamEnd, .other:
                throw Failure(message: "the document ends too early", position: event.position)
            }
            if let anchor = event.anchor { anchors[anchor] = node }
            return node
        }

        private func next(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Failure) -> Event {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else {
                let mark = unsafe parser.pointee.problem_mark
                let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "invalid YAML"
                throw Failure(
                    message: problem, position: Position(file: file, line: mark.line + 1, column: mark.column + 1))
            }
            defer { unsafe yaml_event_delete(&event) }
            let mark = unsafe event.start_mark
            let position = Position(file: file, line: mark.line + 1, column: mark.column + 1)
            switch unsafe event.type {
            case YAML_SCALAR_EVENT:
                let scalar = unsafe event.data.scalar
                let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                let text = unsafe String(decoding: bytes, as: UTF8.self)
                let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
                return Event(
                    kind: .scalar(text, isPlain: isPlain), anchor: unsafe name(scalar.anchor), position: position)
            case YAML_SEQUENCE_START_EVENT:
                return Event(
                    kind: .sequence, anchor: unsafe name(event.data.sequence_start.anchor), position: position)
            case YAML_MAPPING_START_EVENT:
                return Event(kind: .mapping, anchor: unsafe name(event.data.mapping_start.anchor), position: position)
            case YAML_ALIAS_EVENT:
                let alias = unsafe name(event.data.alias.anchor) ?? ""
                return Event(kind: .alias(alias), anchor: nil, position: position)
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
                return Event(kind: .end, anchor: nil, position: position)
            case YAML_STREAM_END_EVENT:
                return Event(kind: .streamEnd, anchor: nil, position: position)
            default:
                return Event(kind: .other, anchor: nil, position: position)
            }
        }

        private func name(_ anchor: UnsafeMutablePointer<yaml_char_t>?) -> String? {
            unsafe anchor.map { unsafe String(cString: $0) }
        }
    }
}
