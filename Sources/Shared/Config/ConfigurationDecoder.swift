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
    /// Where each deployment has its id from, and where the one that is being read has it.
    var ids: [IDOrigin] = []
    var idPosition: Position?
    /// Names of parameters, and whether they may hold a key.
    var secretNames: [String: Bool] = [:]
    /// Base URLs as given, and as they were understood.
    var bases: [String: (shown: String, origin: Origin, path: String)] = [:]
    /// Names of model groups that settings mention, and where.
    var mentioned: [(name: String, position: Position, path: String)] = []

    /// What earlier reads have left; nil when nothing is to be taken from there, or left.
    var memory: ConfigurationMemory?
    /// What this one leaves.
    var remembered = ConfigurationMemory()
    /// Items that were left out of what libyaml has read, and are not in their places yet.
    var itemsLeftOut = 0

    private init(
        _ environment: [String: String], _ memory: ConfigurationMemory?, _ readFile: @escaping FileReader
    ) {
        self.readFile = readFile
        self.memory = memory
        reader = ConfigurationReader(environment: environment)
    }

    public static func decode(
        path: String, environment: [String: String], readFile: @escaping FileReader
    ) -> DecodedConfiguration {
        var memory: ConfigurationMemory?
        return decode(path: path, environment: environment, &memory, readFile: readFile)
    }

    /// The same, with deployments of the read before taken over where their text is what it was; nil: from nothing, and
    /// for nobody.
    public static func decode(
        path: String, environment: [String: String], _ memory: inout ConfigurationMemory?,
        readFile: @escaping FileReader
    ) -> DecodedConfiguration {
        var contents: [String: Result<[UInt8], SystemError>] = [:]
        let read: FileReader = { path in
            if let content = contents[path] { return content }
            let content = readFile(path)
            contents[path] = content
            return content
        }
        var decoder = ConfigurationDecoder(environment, memory, read)
        decoder.decode(path)
        if decoder.itemsLeftOut > 0 {
            // What was remembered does not hold here, or something is wrong elsewhere: everything is read.
            decoder = ConfigurationDecoder(environment, ConfigurationMemory(), read)
            decoder.decode(path)
        }
        if let former = memory {
            if decoder.reader.problems.contains(where: { $0.severity == .error }) {
                // A file that could not be read, and those that it names, may come back as they were.
                decoder.remembered.lists.merge(former.lists) { read, _ in read }
            }
            memory = decoder.remembered
        }
        return DecodedConfiguration(
            configuration: decoder.configuration, problems: decoder.reader.problems.inOrderOfText(),
            files: decoder.files)
    }

    private mutating func decode(_ path: String) {
        let start = Position(file: path, line: 1, column: 1)
        configuration.general.masterKeyPosition = start
        guard let file = load(path, from: start, pathInFile: "") else { return }
        let root = file.root
        guard let members = reader.section(root, "", KnownKeys.top) else { return }
        // First, so that every reference in every file sees them.
        if let node = members["environment_variables"] { applyEnvironment(node) }
        if let node = members["general_settings"] { decodeGeneral(node) }
        if let node = members["litellm_settings"] { decodeLiteLLM(node) }
        if let node = members["router_settings"] { decodeRouter(node) }
        if let node = members["tagway"] { decodeTagway(node) }
        if let node = members["model_list"] { decodeModels(node, of: file) }
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
    private mutating func load(_ path: String, from place: Position, pathInFile: String) -> ReadFile? {
        switch readFile(path) {
        case .failure(let error):
            reader.fail(place, pathInFile, "cannot read \(path): \(error.reason)")
            return nil
        case .success(let bytes):
            files.append(.init(path: path, bytes: bytes))
            do throws(YAMLDocument.Failure) {
                let known = memory?.lists[path]
                let skeleton = known.map { ListSkeleton(bytes, $0) }
                itemsLeftOut += skeleton?.taken.count ?? 0
                let root = try YAMLDocument.read(
                    skeleton?.bytes ?? bytes, file: path, gaps: known.flatMap { skeleton?.gaps($0) } ?? [])
                if let root { return ReadFile(path: path, text: bytes, root: root, skeleton: skeleton) }
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
            guard let file = load(full, from: node.position, pathInFile: key),
                let members = reader.section(file.root, "", KnownKeys.top)
            else { continue }
            if let models = members["model_list"] { decodeModels(models, of: file) }
            for other in members where other.key != "model_list" {
                reader.warn(
                    other.value.position, other.key, "has no effect in an included file",
                    hint: "only model_list is taken from there")
            }
        }
    }
}
