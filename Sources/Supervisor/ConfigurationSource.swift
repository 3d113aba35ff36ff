internal import Shared

/// Where the configuration comes from: read the same way at start, at reload and by `check`.
struct ConfigurationSource {
    let path: String
    let environmentFile: String?
    /// Whether a warning counts as an error.
    let isStrict: Bool

    struct Loaded {
        var decoded: DecodedConfiguration
        /// What `os.environ/NAME` referred to.
        var environment: [String: String]
    }

    /// Reads everything anew. What is wrong is among the problems; nothing is thrown.
    func load(_ environment: [String: String] = CurrentProcess.environment()) -> Loaded {
        var environment = environment
        var problems: [Problem] = []
        if let environmentFile {
            problems = Self.read(environmentFile, into: &environment)
        }
        var decoded = ConfigurationDecoder.decode(path: path, environment: environment) { File.read($0) }
        decoded.problems = problems + decoded.problems
        return Loaded(decoded: decoded, environment: environment)
    }

    /// What the file says counts before what was there: it is what can be edited while we run.
    private static func read(_ path: String, into environment: inout [String: String]) -> [Problem] {
        switch File.read(path, limit: 1 << 20) {
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
