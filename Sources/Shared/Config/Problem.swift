/// Something in a configuration that somebody should know of: what, where, and what to do about it.
public struct Problem: Sendable, Equatable, CustomStringConvertible {
    public enum Severity: String, Sendable { case error, warning }

    public var severity: Severity
    public var position: Position
    /// `model_list[2].litellm_params.tags`; empty for the file as a whole.
    public var path: String
    public var message: String
    public var hint: String?
    /// An error that concerns one deployment only: a start may leave that one out and say so, a reload and
    /// `check` may not.
    public var isConfined = false

    public init(
        severity: Severity, position: Position, path: String, message: String, hint: String? = nil,
        isConfined: Bool = false
    ) {
        self.severity = severity
        self.position = position
        self.path = path
        self.message = message
        self.hint = hint
        self.isConfined = isConfined
    }

    /// `config.yaml:14:9: error: model_list[2].litellm_params.tags: expected a list of strings (write tags: ["x"])`
    public var description: String {
        let place = "\(position.file):\(position.line):\(position.column)"
        let about = path.isEmpty ? "" : "\(path): "
        return "\(place): \(severity.rawValue): \(about)\(message)\(hint.map { " (\($0))" } ?? "")"
    }
}

extension [Problem] {
    /// File by file, as they were first met, and within a file in the order of its text: as an editor shows them.
    public func inOrderOfText() -> [Problem] {
        var files: [String: Int] = [:]
        for problem in self where files[problem.position.file] == nil { files[problem.position.file] = files.count }
        func key(_ item: (offset: Int, element: Problem)) -> (Int, Int, Int, Int) {
            let position = item.element.position
            return (files[position.file] ?? 0, position.line, position.column, item.offset)
        }
        return enumerated().sorted { key($0) < key($1) }.map(\.element)
    }
}

/// The known word that is nearest to a mistyped one. Pure.
public enum NearestWord {
    /// Nil when nothing is near: more than a third of the letters differ. Of words that are equally near, the first by
    /// the alphabet: sets of them come in any order.
    public static func of(_ word: String, among known: some Sequence<String>) -> String? {
        let limit = max(1, min(3, word.utf8.count / 3))
        var best: (word: String, distance: Int)?
        for candidate in known {
            let distance = distance(Array(word.utf8), Array(candidate.utf8), limit: limit)
            guard distance <= limit else { continue }
            if let best, (best.distance, best.word) <= (distance, candidate) { continue }
            best = (candidate, distance)
        }
        return best?.word
    }

    /// Levenshtein's distance, with neighbours exchanged counting one; anything beyond `limit` may be more.
    private static func distance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int {
        guard abs(a.count - b.count) <= limit else { return limit + 1 }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
                row.append(cost)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
