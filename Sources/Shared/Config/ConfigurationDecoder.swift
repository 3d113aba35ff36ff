/// What a configuration file turned out to be.
public struct DecodedConfiguration: Sendable {
    public var configuration: Configuration
    /// Every problem of every file, in the order of the text.
    public var problems: [Problem]
    /// Every file that was read, for the comparison with the next reload.
    public var files: [FileContent]

    public struct FileContent: Sendable, Equatable {
        public var path: String
        public var bytes: [UInt8]
    }

    /// Whether a reload may take it, and `check` be content.
    public func isAcceptable(strict: Bool) -> Bool {
        strict ? problems.isEmpty : !problems.contains { $0.severity == .error }
    }

    /// Whether a start may take it: single deployments may be left out, and that is said.
    public func isUsableAtStart(strict: Bool) -> Bool {
        strict ? problems.isEmpty : !problems.contains { $0.severity == .error && !$0.isConfined }
    }
}

/// YAML → `Configuration`, for `check`, start and reload alike. Collects every problem instead of stopping at the
/// first.
///
/// Pure: files and environment are asked of the caller. Sections have files of their own
/// (`ConfigurationDecoder+…`); reading typed values is in `ConfigurationReader`.
public struct ConfigurationDecoder {
    public typealias FileReader = (String) -> Result<[UInt8], SystemError>

    private let readFile: FileReader
    var reader: ConfigurationReader
    var configuration = Configuration()
    private(set) var files: [DecodedConfiguration.FileContent] = []
    /// Where ids are given, by the number of their deployment.
    var idPlaces: [Int: (position: Position, path: String)] = [:]
    /// Names of parameters, and whether they may hold a key.
    var secretNames: [String: Bool] = [:]
    /// The latest base URL, as given and as it was understood.
    var lastBase: (text: String, shown: String, origin: Origin, path: String)?
    /// Names of model groups that settings mention, and where.
    var mentioned: [(name: String, position: Position, path: String)] = []

    private init(environment: [String: String], readFile: @escaping FileReader) {
        self.readFile = readFile
        reader = ConfigurationReader(environment: environment)
    }

    public static func decode(
        path: String, environment: [String: String], readFile: @escaping FileReader
    ) -> DecodedConfiguration {
        var decoder = ConfigurationDecoder(environment: environment, readFile: readFile)
        decoder.decode(path)
        return DecodedConfiguration(
            configuration: decoder.configuration, problems: decoder.reader.problems.inOrderOfText(),
            files: decoder.files)
    }

    private mutating func decode(_ path: String) {
        let start = Position(file: path, line: 1, column: 1)
        configuration.general.masterKeyPosition = start
        guard let root = load(path, from: start, pathInFile: "") else { return }
        guard let members = reader.section(root, "", KnownKeys.top) else { return }
        // First, so that every reference in every file sees them.
        if let node = members["environment_variables"] { applyEnvironment(node) }
        if let node = members["general_settings"] { decodeGeneral(node) }
        if let node = members["litellm_settings"] { decodeLiteLLM(node) }
        if let node = members["router_settings"] { decodeRouter(node) }
        if let node = members["tagway"] { decodeTagway(node) }
        if let node = members["model_list"] { decodeModels(node) }
        if let node = members["include"] { include(node, in: path) }
        if members["model_list"] == nil, members["include"] == nil {
            reader.warn(root.position, "model_list", "no models are configured", hint: "every request is refused")
        }
        finishModels()
        for name in ["https_proxy", "http_proxy", "no_proxy"] {
            let value = reader.environment[name.uppercased()] ?? reader.environment[name]
            guard let value, !value.isEmpty else { continue }
            if name != "no_proxy", ProxyURL(value) == nil {
                // Its value may hold a password.
                reader.warn(
                    root.position, "", "the environment variable \(name.uppercased()) names no proxy that can be used",
                    hint: "write http://host:port; upstreams are reached without it")
            }
            switch name {
            case "https_proxy": configuration.process.httpsProxy = value
            case "http_proxy": configuration.process.httpProxy = value
            default: configuration.process.noProxy = value
            }
        }
    }

    /// Reads and parses a file; nil when it cannot be used, which has then been said.
    private mutating func load(_ path: String, from place: Position, pathInFile: String) -> YAMLNode? {
        switch readFile(path) {
        case .failure(let error):
            reader.fail(place, pathInFile, "cannot read \(path): \(error.reason)")
            return nil
        case .success(let bytes):
            files.append(.init(path: path, bytes: bytes))
            do throws(YAMLDocument.Failure) {
                if let root = try YAMLDocument.read(bytes, file: path) { return root }
                reader.fail(Position(file: path, line: 1, column: 1), "", "the file is empty")
            } catch {
                reader.fail(error.position, "", error.message, hint: "this is not valid YAML")
            }
            return nil
        }
    }

    /// The bytes of a file that the configuration names: a list of certificate authorities.
    mutating func text(of path: String, _ place: Position, _ key: String) -> String? {
        switch readFile(path) {
        case .failure(let error):
            reader.fail(place, key, "cannot read \(path): \(error.reason)")
            return nil
        case .success(let bytes):
            files.append(.init(path: path, bytes: bytes))
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    private mutating func applyEnvironment(_ node: YAMLNode) {
        guard let members = reader.mapping(node, "environment_variables") else { return }
        for (name, value) in members {
            if let text = reader.text(value, "environment_variables.\(name)", acceptingNumbers: true) {
                reader.environment[name] = text
            }
        }
    }

    /// The `model_list` of other files, relative to the one that names them, is appended.
    private mutating func include(_ node: YAMLNode, in path: String) {
        guard let names = reader.strings(node, "include") else { return }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        for (index, name) in names.enumerated() {
            let key = "include[\(index)]"
            let full = name.hasPrefix("/") ? name : folder + name
            if files.contains(where: { $0.path == full }) {
                reader.fail(node.position, key, "\(full) is included twice, or includes itself")
                continue
            }
            guard let root = load(full, from: node.position, pathInFile: key),
                let members = reader.section(root, "", KnownKeys.top)
            else { continue }
            if let models = members["model_list"] { decodeModels(models) }
            for other in members where other.key != "model_list" {
                reader.warn(
                    other.value.position, other.key, "has no effect in an included file",
                    hint: "only model_list is taken from there")
            }
        }
    }
}
