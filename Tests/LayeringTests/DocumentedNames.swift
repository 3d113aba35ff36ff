import Testing

/// Everything that a user can see and the documents have to name, found in the sources. Each kind has one document.
struct DocumentedNames: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// Below `docs/`.
    let document: String
    /// The names, as they stand in the sources that are given.
    let names: @Sendable ([SourceFile]) -> Set<String>
    /// Whether a document with this text names one.
    let isNamed: @Sendable (_ text: String) -> (_ name: String) -> Bool

    /// What the document lacks.
    func missing(_ sources: [SourceFile], _ text: String) -> [String] {
        let isNamed = isNamed(text)
        return names(sources).filter { !isNamed($0) }.sorted()
    }

    private init(
        _ description: String, in document: String, isNamed: @escaping @Sendable (String) -> (String) -> Bool = isCode,
        names: @escaping @Sendable ([SourceFile]) -> Set<String>
    ) {
        testDescription = description
        self.document = document
        self.isNamed = isNamed
        self.names = names
    }

    static let all = [
        DocumentedNames("flags of the command line", in: "configuration.md") { files in
            // What `case` takes apart; what a worker is given by its supervisor is no concern of users.
            text(files, "Supervisor/Arguments.swift").flatMap { text in
                text.matches(of: /case ("-[^:]*):/).flatMap { literals(String($0.output.1)) }
            }.filter { $0.hasPrefix("--") }.reduce(into: []) { $0.insert($1) }
        },
        DocumentedNames("configuration keys", in: "configuration.md") { files in
            text(files, "Shared/Config/KnownKeys.swift").flatMap { text in
                text.matches(of: /honoured: \[([^\]]*)\]/).flatMap { literals(String($0.output.1)) }
            }.reduce(into: []) { $0.insert($1) }
        },
        DocumentedNames("events of the log", in: "operations.md") { files in
            files.flatMap { file in
                file.text.matches(of: /\.event\([^"\n]*, "([a-z-]+)"\)/).map { String($0.output.1) }
            }.reduce(into: []) { $0.insert($1) }
        },
        DocumentedNames("exit statuses", in: "operations.md", isNamed: isNumber) { files in
            (text(files, "Supervisor/ExitCode.swift") + text(files, "Worker/WorkerMain.swift")).flatMap { text in
                text.matches(of: /static let \w+: Int32 = (\d+)/).map { String($0.output.1) }
            }.reduce(into: []) { $0.insert($1) }
        },
        DocumentedNames("endpoints", in: "operations.md", isNamed: { text in { text.contains($0) } }) { files in
            text(files, "Worker/Gateway/Endpoint.swift").flatMap(literals).filter { $0.hasPrefix("/") && $0.count > 1 }
                .reduce(into: []) { $0.insert($1) }
        },
        DocumentedNames("metrics", in: "operations.md") { files in
            files.filter { $0.path.contains("Metric") }.flatMap { literals($0.text) }
                .filter { $0.hasPrefix("gateway_") || $0.hasPrefix("litellm_") }
                .map { String($0.prefix { $0.isLetter || $0.isNumber || $0 == "_" }) }.reduce(into: []) {
                    $0.insert($1)
                }
        },
        DocumentedNames("environment variables", in: "operations.md") { files in
            files.flatMap { file in
                file.text.matches(of: /environment\["([A-Z_]+)"\]/).map { String($0.output.1) }
            }.reduce(into: []) { $0.insert($1) }
        },
    ]

    private static func text(_ files: [SourceFile], _ path: String) -> [String] {
        files.filter { $0.path == path }.map(\.text)
    }

    private static func literals(_ text: String) -> [String] {
        text.matches(of: /"([^"\\\n]*)"/).map { String($0.output.1) }
    }

    /// In a code span, or in a block of commands or of configuration; as a word of its own.
    private static func isCode(_ text: String) -> (String) -> Bool {
        let code =
            text.matches(of: /`([^`\n]+)`/).map(\.output.1) + text.matches(of: /(?s)```.*?```/).map(\.output)
        let words = Set(
            code.flatMap { $0.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") } }.map(String.init))
        return words.contains
    }

    /// In a table of its own, or, where it has more than one digit, anywhere.
    private static func isNumber(_ text: String) -> (String) -> Bool {
        let numbers = Set(text.split { !$0.isNumber }.map(String.init))
        return { text.contains("| \($0) |") || $0.count > 1 && numbers.contains($0) }
    }
}
