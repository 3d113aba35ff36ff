@testable import Shared
@testable import Worker

/// A configuration of up to three files, which a zero byte separates: `config.yaml`, `a.yaml`, `b.yaml`.
enum ConfigurationTarget {
    static let environment = ["KEY": "value", "HTTPS_PROXY": "http://proxy:3128"]

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false).map(Array.init)
        let names = ["/etc/config.yaml", "/etc/a.yaml", "/etc/b.yaml"]
        let read: ConfigurationDecoder.FileReader = { path in
            guard let index = names.firstIndex(of: path), index < parts.count else {
                return .failure(SystemError(call: "open", code: 2))
            }
            return .success(parts[index])
        }
        let decoded = ConfigurationDecoder.decode(path: names[0], environment: environment, readFile: read)
        var memory: ConfigurationMemory? = ConfigurationMemory()
        for _ in 0..<2 {
            let again = ConfigurationDecoder.decode(path: names[0], environment: environment, &memory, readFile: read)
            try claim(
                "a read that remembers says the same",
                again.configuration == decoded.configuration && again.problems == decoded.problems, "\(again.problems)")
        }
        for problem in decoded.problems {
            try claim(
                "problems have a place",
                problem.position.line >= 1 && problem.position.column >= 1
                    && names.contains(problem.position.file), "\(problem)")
            try claim("problems say something", !problem.message.isEmpty, "\(problem)")
        }
        guard decoded.isUsableAtStart(strict: false) else { return }
        let configuration = decoded.configuration
        let encoded = configuration.encoded()
        guard let back = try? Configuration(encoded: encoded) else {
            throw FuzzFailure(claim: "what is encoded can be decoded", seen: "\(configuration)")
        }
        try claim("coding keeps everything", back == configuration, "\(configuration) \(back)")
        let table = RoutingTable(configuration)
        for deployment in configuration.deployments {
            let name = Array(deployment.modelName.utf8)
            try claim("every group is found", table.resolve(name, 0..<name.count) != nil, deployment.modelName)
            for (json, about) in [(deployment.parametersJSON, "parameters"), (deployment.infoJSON, "info")]
            where !json.isEmpty {
                let json = Array(json.utf8)
                let isValid = ReferenceJSON.read(json, 0..<json.count, maximumDepth: 1000) != nil
                try claim("\(about) are valid JSON", isValid, text(json))
            }
            for parameter in deployment.defaults {
                let json = Array(parameter.json.utf8)
                let isValid = ReferenceJSON.read(json, 0..<json.count, maximumDepth: 1000) != nil
                try claim("defaults are valid JSON", isValid, text(json))
            }
        }
    }
}

/// The encoded configuration as a worker receives it: the bytes behind a leading zero, or else a real one with some
/// bytes changed, two for each change (where and what), so that inputs stay of use when the format grows.
enum CodingTarget {
    private static let real: [UInt8] = {
        var configuration = Configuration()
        configuration.deployments = RequestTarget.deployments
        configuration.deployments[0].apiKey = Secret("k")
        configuration.deployments[0].extraHeaders = [HeaderSetting(name: "x-a", value: "1")]
        configuration.deployments[1].tagPatterns = ["^User-Agent: curl"]
        configuration.deployments[1].unconfigured = "KEY is not set"
        configuration.router.aliases = [ModelAlias(name: "a", target: "gpt-4", isHidden: true)]
        configuration.general.masterKey = Secret("sk-1")
        configuration.tls.verification = .authorities("pem")
        configuration.leftOut = [LeftOutGroup(modelName: "gone", reason: "why")]
        return configuration.encoded()
    }()

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let first = bytes.first else { return }
        var input = Array(bytes.dropFirst())
        if first != 0 {
            let changes = input
            input = real
            for index in stride(from: 0, to: changes.count - 1, by: 2) {
                input[(Int(first) * 7 + Int(changes[index]) * 3) % input.count] = changes[index + 1]
            }
        }
        guard let configuration = try? Configuration(encoded: input) else { return }
        let encoded = configuration.encoded()
        guard let back = try? Configuration(encoded: encoded) else {
            throw FuzzFailure(claim: "what is encoded can be decoded", seen: "\(configuration)")
        }
        // Compared as bytes: a number that is none does not equal itself.
        try claim("decoding and encoding settle", back.encoded() == encoded, "\(configuration)")
    }
}

/// Base URLs.
enum URLTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let given = text(bytes)
        try readProxy(given)
        guard let (origin, path) = ConfigurationDecoder.url(given) else { return }
        let forbidden = origin.host.utf8.contains { $0 <= 0x20 || $0 >= 0x7F || [0x2F, 0x40, 0x5B, 0x5D].contains($0) }
        try claim("hosts are names or addresses", !origin.host.isEmpty && !forbidden, "\(given) → \(origin)")
        try claim("paths are absolute or empty", path.isEmpty || path.hasPrefix("/"), "\(given) → \(path)")
        try claim("paths fit a request line", path.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "\(given) → \(path)")
        try claim("no slash at the end", !path.hasSuffix("/"), "\(given) → \(path)")
        try claim("ports are ports", origin.port > 0, given)
        guard let again = ConfigurationDecoder.url("\(origin)\(path)") else {
            throw FuzzFailure(claim: "an origin can be read again", seen: "\(given) → \(origin)\(path)")
        }
        try claim("an origin reads as itself", again.0 == origin && again.1 == path, "\(given) → \(again)")
    }

    private static func readProxy(_ given: String) throws(FuzzFailure) {
        var settings = ProcessSettings()
        settings.httpProxy = given
        settings.noProxy = given
        let origin = Origin(isSecure: false, host: "up.example", port: 8080)
        guard let proxy = ProxyRules(settings).proxy(for: origin) else { return }
        let forbidden = proxy.origin.host.utf8.contains { $0 <= 0x20 || $0 >= 0x7F || [0x2F, 0x5B, 0x5D].contains($0) }
        try claim("proxies are hosts", !proxy.origin.host.isEmpty && !forbidden, "\(given) → \(proxy.origin)")
        try claim("proxies are plain", !proxy.origin.isSecure && proxy.origin.port > 0, "\(given) → \(proxy.origin)")
        let authorization = proxy.authorization ?? ""
        try claim("users fit a field", authorization.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }, authorization)
    }
}
