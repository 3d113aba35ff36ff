/// Reads typed values out of YAML nodes and collects what is wrong with them. Pure.
struct ConfigurationReader {
    var environment: [String: String]
    private(set) var problems: [Problem] = []
    /// Mappings that were asked for, with their nodes, so that no other node takes their place in memory.
    private var resolved: [ObjectIdentifier: (node: YAMLNode, members: [(key: String, value: YAMLNode)]?)] = [:]
    /// Set while one deployment is read whose errors need not stop the others.
    var isConfined = false

    init(environment: [String: String]) {
        self.environment = environment
    }

    mutating func fail(
        _ position: Position, _ path: String, _ message: String, hint: String? = nil, isConfined: Bool = false
    ) {
        problems.append(
            Problem(
                severity: .error, position: position, path: path, message: message, hint: hint,
                isConfined: isConfined || self.isConfined))
    }

    mutating func warn(_ position: Position, _ path: String, _ message: String, hint: String? = nil) {
        problems.append(Problem(severity: .warning, position: position, path: path, message: message, hint: hint))
    }

    // MARK: Mappings

    /// The members of a mapping, merge keys resolved; of equal keys the last one counts, with a warning.
    ///
    /// Each mapping is resolved once, however often it is asked for or merged into others: merges of merges would
    /// multiply else, and so would warnings.
    mutating func mapping(_ node: YAMLNode, _ path: String) -> [(key: String, value: YAMLNode)]? {
        if let known = resolved[ObjectIdentifier(node)] { return known.members }
        let members = resolve(node, path)
        resolved[ObjectIdentifier(node)] = (node, members)
        return members
    }

    private mutating func resolve(_ node: YAMLNode, _ path: String) -> [(key: String, value: YAMLNode)]? {
        guard case .mapping(let members) = node.value else {
            if isNull(node) { return [] }
            fail(node.position, path, "expected a mapping (key: value)")
            return nil
        }
        var result: [(key: String, value: YAMLNode)] = []
        for (keyNode, value) in members {
            guard case .scalar(let key, let isPlain) = keyNode.value else {
                fail(keyNode.position, path, "a key has to be a string")
                continue
            }
            if key == "<<", isPlain {
                guard case .mapping = value.value else {
                    fail(keyNode.position, path, "a merge key needs a mapping", hint: "write <<: *anchor")
                    continue
                }
                for merged in mapping(value, path) ?? [] where !result.contains(where: { $0.key == merged.key }) {
                    result.append(merged)
                }
                continue
            }
            if let index = result.firstIndex(where: { $0.key == key }) {
                let isOwn = members.contains { other in
                    other.value === result[index].value
                }
                if isOwn {
                    warn(
                        keyNode.position, join(path, key), "given twice; the first is ignored",
                        hint: "the first is at line \(result[index].value.position.line)")
                }
                result[index].value = value
            } else {
                result.append((key, value))
            }
        }
        return result
    }

    /// The members of a section, with a warning for each key that is unknown or has no effect.
    mutating func section(_ node: YAMLNode, _ path: String, _ known: KnownKeys.Section) -> [String: YAMLNode]? {
        guard let members = mapping(node, path) else { return nil }
        var result: [String: YAMLNode] = [:]
        for (key, value) in members {
            result[key] = value
            if known.honoured.contains(key) { continue }
            let place = keyPosition(key, node) ?? value.position
            if known.ignored.contains(key) {
                warn(place, join(path, key), "known to LiteLLM, without effect in Tagway")
                continue
            }
            let nearest = NearestWord.of(key, among: known.honoured + known.ignored)
            if let nearest {
                warn(place, join(path, key), "unknown key", hint: "did you mean `\(nearest)`?")
            } else if !known.isOpen {
                warn(place, join(path, key), "unknown key, without effect")
            }
        }
        return result
    }

    private func keyPosition(_ key: String, _ node: YAMLNode) -> Position? {
        guard case .mapping(let members) = node.value else { return nil }
        for (keyNode, _) in members {
            if case .scalar(key, _) = keyNode.value { return keyNode.position }
        }
        return nil
    }

    private func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func isNull(_ node: YAMLNode) -> Bool {
        guard case .scalar(let text, true) = node.value else { return false }
        return YAMLScalar(text) == .null
    }

    // MARK: Scalars

    /// A string, `os.environ/NAME` replaced; nil when it is none, is null, or names an unset variable.
    mutating func text(
        _ node: YAMLNode, _ path: String, acceptingNumbers: Bool = false, unset: ((String) -> Void)? = nil
    ) -> String? {
        guard case .scalar(let text, let isPlain) = node.value else {
            fail(node.position, path, "expected a string")
            return nil
        }
        if isPlain {
            switch YAMLScalar(text) {
            case .null: return nil
            case .bool where !acceptingNumbers:
                fail(
                    node.position, path, "expected a string, found the YAML boolean \(text)", hint: "write \"\(text)\"")
                return nil
            case .int where !acceptingNumbers, .float where !acceptingNumbers:
                fail(node.position, path, "expected a string, found the number \(text)", hint: "write \"\(text)\"")
                return nil
            case .bool, .int, .float, .string: break
            }
        }
        guard text.hasPrefix("os.environ/") else { return text }
        let name = String(text.dropFirst("os.environ/".count))
        if let value = environment[name], !value.isEmpty { return value }
        warn(
            node.position, path, "the environment variable \(name) is not set",
            hint: "set it, or give it in environment_variables or --env-file")
        unset?(name)
        return nil
    }

    mutating func bool(_ node: YAMLNode, _ path: String) -> Bool? {
        if case .scalar(let text, let isPlain) = node.value {
            switch (YAMLScalar(text), isPlain) {
            case (.bool(let value), true): return value
            case (.null, true): return nil
            case (.bool, false):
                fail(node.position, path, "expected true or false, found a string", hint: "remove the quotes")
                return nil
            default: break
            }
        }
        fail(node.position, path, "expected true or false")
        return nil
    }

    mutating func number(_ node: YAMLNode, _ path: String, atLeast minimum: Double = 0) -> Double? {
        if case .scalar(let text, let isPlain) = node.value {
            var value: Double?
            switch (YAMLScalar(text), isPlain) {
            case (.null, true): return nil
            case (.int(let number), true): value = Double(number)
            case (.float(let number), true): value = number
            case (.int, false), (.float, false):
                fail(node.position, path, "expected a number, found a string", hint: "remove the quotes")
                return nil
            default: break
            }
            if let value {
                if value >= minimum, value.isFinite { return value }
                fail(node.position, path, "expected a number of at least \(YAMLScalar.format(minimum))")
                return nil
            }
        }
        fail(node.position, path, "expected a number")
        return nil
    }

    mutating func integer(_ node: YAMLNode, _ path: String, in range: ClosedRange<Int>) -> Int? {
        if isNull(node) { return nil }
        if case .scalar(let text, let isPlain) = node.value {
            switch (YAMLScalar(text), isPlain) {
            case (.int(let value), true) where range.contains(value): return value
            case (.int, true):
                let bounds = range.upperBound == .max ? "of at least \(range.lowerBound)" : "in \(range)"
                fail(node.position, path, "expected a whole number \(bounds)")
                return nil
            case (.int, false):
                fail(node.position, path, "expected a whole number, found a string", hint: "remove the quotes")
                return nil
            default: break
            }
        }
        fail(node.position, path, "expected a whole number")
        return nil
    }

    mutating func strings(_ node: YAMLNode, _ path: String) -> [String]? {
        if isNull(node) { return [] }
        guard case .sequence(let items) = node.value else {
            var hint: String?
            if case .scalar(let text, _) = node.value { hint = "write [\"\(text)\"]" }
            fail(node.position, path, "expected a list of strings", hint: hint)
            return nil
        }
        var result: [String] = []
        var isGood = true
        for (index, item) in items.enumerated() {
            let before = problems.count
            if let text = text(item, "\(path)[\(index)]") { result.append(text) }
            if problems[before...].contains(where: { $0.severity == .error }) { isGood = false }
        }
        return isGood ? result : nil
    }

    // MARK: Anything

    /// The members of a mapping that `isShown` allows as a JSON object; null for one that grows beyond a megabyte.
    mutating func json(_ node: YAMLNode, _ path: String, where isShown: (String) -> Bool) -> String {
        var out = "{"
        for (key, value) in mapping(node, path) ?? [] where isShown(key) {
            if out.utf8.count > 1 { out += "," }
            out += YAMLScalar.quoted(key) + ":"
            out += json(value, needsPlace(value, false) ? join(path, key) : "") ?? "null"
        }
        return out + "}"
    }

    /// The node as JSON, merge keys resolved; nil when it grows beyond a megabyte (aliases of aliases).
    ///
    /// What is shown keeps `os.environ/NAME` as it stands; what is sent has it replaced.
    mutating func json(_ node: YAMLNode, _ path: String, resolving: Bool = false) -> String? {
        var out = ""
        return write(node, path, resolving, &out) ? out : nil
    }

    /// Whether something could be said about it: a place is written out for each value of each deployment else.
    private func needsPlace(_ node: YAMLNode, _ resolving: Bool) -> Bool {
        if case .scalar = node.value { resolving } else { true }
    }

    private mutating func write(_ node: YAMLNode, _ path: String, _ resolving: Bool, _ out: inout String) -> Bool {
        guard out.utf8.count < 1 << 20 else { return false }
        switch node.value {
        case .scalar(let text, let isPlain):
            if resolving, text.hasPrefix("os.environ/") {
                out += self.text(node, path).map(YAMLScalar.quoted) ?? "null"
            } else {
                out += isPlain ? YAMLScalar(text).json(text) : YAMLScalar.quoted(text)
            }
        case .sequence(let items):
            out += "["
            for (index, item) in items.enumerated() {
                if index > 0 { out += "," }
                let place = needsPlace(item, resolving) ? "\(path)[\(index)]" : ""
                guard write(item, place, resolving, &out) else { return false }
            }
            out += "]"
        case .mapping:
            out += "{"
            for (index, member) in (mapping(node, path) ?? []).enumerated() {
                if index > 0 { out += "," }
                out += YAMLScalar.quoted(member.key) + ":"
                let place = needsPlace(member.value, resolving) ? join(path, member.key) : ""
                guard write(member.value, place, resolving, &out) else { return false }
            }
            out += "}"
        }
        return true
    }
}
