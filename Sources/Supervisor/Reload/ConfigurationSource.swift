internal import Shared

/// Where the configuration comes from: read the same way at start, at reload and by `check`.
struct ConfigurationSource {
    let path: String
    let environmentFile: String?
    /// Whether a warning counts as an error.
    let isStrict: Bool
    /// What each read leaves to the next; nil where there is only one.
    var memory: ConfigurationMemory?

    /// What `tagway check` has to be told to read the same.
    var checkArguments: [String] {
        [path] + (environmentFile.map { ["--env-file", $0] } ?? []) + (isStrict ? ["--strict-config"] : [])
    }

    struct Loaded {
        var decoded: DecodedConfiguration
        /// What `os.environ/NAME` referred to.
        var environment: [String: String]
        /// Every file that was looked for, by path as given.
        var files: [String: FileState] = [:]
    }

    /// What was found at a path.
    enum FileState: Equatable {
        case bytes([UInt8])
        case unreadable(SystemError)

        init(_ result: Result<[UInt8], SystemError>) {
            switch result {
            case .success(let bytes): self = .bytes(bytes)
            case .failure(let error): self = .unreadable(error)
            }
        }
    }

    /// Reads everything anew. What is wrong is among the problems; nothing is thrown.
    ///
    /// `kept`: the files as they were then; the environment is that of now all the same.
    mutating func load(
        _ environment: [String: String] = CurrentProcess.environment(), from kept: LastGood.Record? = nil
    ) -> Loaded {
        var environment = environment
        var problems: [Problem] = []
        var files: [String: FileState] = [:]
        if let environmentFile {
            let content = Self.readEnvironment(environmentFile)
            files[environmentFile] = FileState(content)
            problems = Self.apply(content, of: environmentFile, to: &environment)
        }
        var decoded = ConfigurationDecoder.decode(path: path, environment: environment, &memory) { path in
            let content = kept?.content(of: path) ?? File.read(path)
            files[path] = FileState(content)
            return content
        }
        decoded.problems = problems + decoded.problems
        return Loaded(decoded: decoded, environment: environment, files: files)
    }

    /// What is at `path` now, read as `load` reads it.
    func state(of path: String) -> FileState {
        FileState(path == environmentFile ? Self.readEnvironment(path) : File.read(path))
    }

    private static func readEnvironment(_ path: String) -> Result<[UInt8], SystemError> {
        File.read(path, limit: 1 << 20)
    }

    /// What the file says counts before what was there: it is what can be edited while we run.
    private static func apply(
        _ content: Result<[UInt8], SystemError>, of path: String, to environment: inout [String: String]
    ) -> [Problem] {
        switch content {
        case .failure(let error):
            let place = Position(file: path, line: 1, column: 1)
            return [
                Problem(
                    severity: .error, position: place, path: "", message: "cannot read it: \(error.reason)",
                    hint: "this is the --env-file")
            ]
        case .success(let bytes):
            let (values, badLines) = EnvironmentFile.parse(String(decoding: bytes, as: UTF8.self))
            environment.merge(values) { $1 }
            return badLines.map { line in
                Problem(
                    severity: .warning, position: Position(file: path, line: line, column: 1), path: "",
                    message: "not a NAME=value line; ignored")
            }
        }
    }
}
