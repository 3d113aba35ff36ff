import Testing

/// Who may know whom: the table of docs/architecture.md, which the compiler does not guard within a target.
///
/// Each rule is a function from sources to the places that break it, so that it can be shown a source that does.
struct LayeringRule: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// One line for each place that breaks the rule.
    let violations: @Sendable ([SourceFile]) -> [String]

    private init(_ description: String, _ violations: @escaping @Sendable ([SourceFile]) -> [String]) {
        testDescription = description
        self.violations = violations
    }

    static let all = [
        only(["Shared/Linux/"], mayImport: "Glibc"),
        only(["Shared/Linux/"], mayImport: "CLinux"),
        only(["Shared/Linux/SharedMemory.swift"], mayImport: "Synchronization"),
        only(["Worker/TLS/"], mayImport: "COpenSSL"),
        only(["Shared/Config/YAMLDocument.swift"], mayImport: "CYAML"),
        // Only these know that a supervisor's executable has workers in it: to enter their role, to spawn them, and to
        // ask what one would do.
        only(
            [
                "Supervisor/Main.swift", "Supervisor/Arguments.swift", "Supervisor/Fleet/",
                "Supervisor/Commands/Explain.swift",
                "Supervisor/Commands/ExplainReport.swift",
            ],
            mayImport: "Worker"),
        nowhereElse(than: ["CLinux", "COpenSSL", "CYAML", "Glibc", "Shared", "Synchronization", "Worker"]),
        only(
            [
                "Shared/Linux/", "Shared/Loop/", "Shared/Config/YAMLDocument.swift", "Worker/TLS/TLSContext.swift",
                "Worker/TLS/TLSStream.swift",
                // Hot, with their reasons in them.
                "Shared/Bytes/ByteCopy.swift", "Shared/Bytes/ByteSearch.swift", "Shared/Bytes/ByteWriter.swift",
            ], maySay: ["unsafe"]),
        only(["Shared/Loop/"], maySay: ["globalActor", "SerialExecutor", "TaskExecutor", "UnownedJob"]),
        only(["Shared/Loop/EventLoop.swift"], maySay: ["Task", "TaskGroup", "withTaskGroup"]),
        // References are counted without atomic operations: whoever makes a thread shares nothing counted with
        // it, or waits for its end.
        only(["Shared/Linux/NameLookup.swift", "Shared/Linux/PoliteThread.swift"], maySay: ["pthread_create"]),
        only([], maySay: ["Mutex"]),
        only(["Shared/Linux/SharedMemory.swift"], maySay: ["Atomic"]),
        only([], maySay: ["unchecked", "detached", "DispatchQueue", "NSLock", "fatalError", "print"]),
        noForcing,
        pureFoldersArePure,
        pureFilesArePure,
        knowledge,
    ]

    // MARK: Kinds of rules

    private static func only(_ places: [String], mayImport module: String) -> LayeringRule {
        LayeringRule("only \(places.joined(separator: ", ")) may import \(module)") { files in
            files.filter { $0.imports.contains(module) && !lies($0, in: places) }.map(\.path)
        }
    }

    private static func nowhereElse(than modules: Set<String>) -> LayeringRule {
        LayeringRule("nothing but \(modules.sorted().joined(separator: ", ")) is imported, above all no Foundation") {
            $0.flatMap { file in
                file.imports.filter { !modules.contains($0) }.map { "\(file.path) imports \($0)" }
            }
        }
    }

    private static func only(_ places: [String], maySay words: Set<String>) -> LayeringRule {
        let where_ = places.isEmpty ? "nobody" : places.joined(separator: ", ")
        return LayeringRule("only \(where_) may say \(words.sorted().joined(separator: ", "))") { files in
            files.filter { !lies($0, in: places) }.flatMap { file in
                file.words.intersection(words).sorted().map { "\(file.path) says \($0)" }
            }
        }
    }

    private static func lies(_ file: SourceFile, in places: [String]) -> Bool {
        places.contains { $0.hasSuffix("/") ? file.path.hasPrefix($0) : file.path == $0 }
    }

    /// Bytes from outside never trap.
    private static let noForcing = LayeringRule("nothing is forced: no try!, no as!") { files in
        files.filter { $0.code.contains(/\b(try|as)!/) }.map(\.path)
    }

    // MARK: Purity

    private static let pureFolders = ["Shared/Bytes", "Shared/HTTP", "Shared/JSON", "Shared/Router", "Shared/Config"]

    private static let impurities: Set<String> = [
        "FileDescriptor", "DescriptorBox", "Socket", "EventLoop", "Loop", "Waiter", "ByteStream", "Clock",
        "SystemRandom", "SystemRandomNumberGenerator", "CurrentProcess", "async", "await",
    ]

    private static let pureFoldersArePure = LayeringRule(
        "\(pureFolders.joined(separator: ", ")) import nothing and touch no descriptor, loop, clock or random source"
    ) { files in
        files.filter { pureFolders.contains($0.folder) }.flatMap { file in
            file.imports.filter { $0 != "CYAML" }.map { "\(file.path) imports \($0)" }
                + file.words.intersection(impurities).sorted().map { "\(file.path) says \($0)" }
        }
    }

    /// A file whose first comment says "Pure." keeps its word, wherever it lies.
    private static let pureFilesArePure = LayeringRule("a file that calls itself pure is pure") { files in
        files.filter { $0.header.contains(/\bPure\b[.:;,]/) }.flatMap { file in
            file.words.intersection(impurities).sorted().map { "\(file.path) says \($0)" }
        }
    }

    // MARK: Who knows whom

    /// Folders, and whose types they may name beside their own. Those not listed are free, within what the compiler
    /// lets them import.
    private static let mayKnow: [String: Set<String>] = [
        "Shared/Linux": ["Shared/Bytes"],
        "Shared/Bytes": [],
        "Shared/HTTP": ["Shared/Bytes"],
        "Shared/JSON": ["Shared/Bytes"],
        "Shared/Loop": ["Shared/Linux", "Shared/Bytes"],
        "Shared/Config": ["Shared/Bytes", "Shared/JSON", "Shared/Router", "Shared/Linux"],
        "Shared/Router": ["Shared/Bytes", "Shared/Config", "Shared/Linux"],
        "Shared/Control": ["Shared/Bytes", "Shared/JSON", "Shared/Linux", "Shared/Log"],
        "Shared/Log": ["Shared/Bytes", "Shared/JSON", "Shared/Linux"],
        "Worker/Listener": ["Shared/Bytes", "Shared/HTTP", "Shared/Linux", "Shared/Loop", "Shared"],
        "Worker/TLS": ["Shared/Bytes", "Shared/Config", "Shared/Linux", "Shared/Loop"],
        "Worker/Upstream": [
            "Shared/Bytes", "Shared/Config", "Shared/HTTP", "Shared/Linux", "Shared/Loop", "Worker/TLS",
        ],
    ]

    /// Of what a folder may know, the only types: values without a kernel behind them.
    private static let narrow: [String: [String: Set<String>]] = [
        "Shared/Router": ["Shared/Linux": ["Instant", "TimeSpan"]],
        "Shared/Config": ["Shared/Linux": ["SystemError", "SocketAddress"], "Shared/Router": ["TagPattern"]],
        // For the level that `ctl log-level` sets.
        "Shared/Control": ["Shared/Log": ["Log"]],
    ]

    private static let knowledge = LayeringRule("folders name only types of the folders below them") { files in
        var owners: [String: Set<String>] = [:]
        for file in files { for type in file.types { owners[type, default: []].insert(file.folder) } }
        // A name that also means something else, within another type, is not followed.
        let ambiguous = Set(files.flatMap(\.nestedTypes))
        var violations: [String] = []
        for file in files {
            guard let known = mayKnow[file.folder] else { continue }
            for word in file.words.sorted() where !ambiguous.contains(word) {
                guard let owner = owners[word], owner.count == 1, let folder = owner.first, folder != file.folder
                else { continue }
                let isKnown = known.contains(folder)
                if !isKnown || narrow[file.folder]?[folder]?.contains(word) == false {
                    violations.append("\(file.path) names \(word) of \(folder)")
                }
            }
        }
        return violations
    }
}
