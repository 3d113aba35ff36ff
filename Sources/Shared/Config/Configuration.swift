/// The whole configuration as values: decoded, checked, environment references resolved. Pure.
public struct Configuration: Sendable, Equatable {
    public var deployments: [Deployment] = []
    public var router = RouterSettings()
    public var general = GeneralSettings()
    public var tls = TLSSettings()
    public var process = ProcessSettings()
    public var supervision = SupervisionSettings()
    /// Groups whose deployments were all left out at load, and why (file, line, reason).
    public var leftOut: [LeftOutGroup] = []

    /// As many as the scoreboard has room for.
    public static let mostDeployments = 65_536

    public init() {}
}

public struct LeftOutGroup: Sendable, Equatable {
    public var modelName: String
    public var reason: String
}

/// One upstream model that serves a group.
public struct Deployment: Sendable, Equatable {
    public var modelName = ""
    public var id = ""
    /// As configured, with the provider: `openai/gpt-4o`.
    public var model = ""
    /// What the upstream is asked for: `gpt-4o`; `*` stands for what a wildcard name matched.
    public var upstreamModel = ""
    public var apiKey: Secret?
    /// What the header `x-litellm-model-api-base` says: the base as configured, query cut off.
    public var apiBase = ""
    public var origin = Origin()
    /// Path of the base without a trailing slash: `/v1`.
    public var basePath = ""
    public var tags: [String] = []
    public var tagPatterns: [String] = []
    public var weight: Double?
    public var rpm: Double?
    public var tpm: Double?
    public var order: Int?
    public var timeout: Double?
    public var streamTimeout: Double?
    /// The longest silence within a stream, in seconds.
    public var streamIdleTimeout: Double?
    public var numRetries: Int?
    /// Seconds; before the router's.
    public var cooldownTime: Double?
    /// Prices per token.
    public var inputCost: Double?
    public var outputCost: Double?
    /// Its place among the counters that all workers share; -1 before the supervisor has given it one.
    public var boardSlot = -1
    public var mockResponse: String?
    public var extraHeaders: [HeaderSetting] = []
    /// Other parameters, sent upstream where the request does not give them.
    public var defaults: [DefaultParameter] = []
    public var enableTagFiltering: Bool?
    public var allowFailOpen = false
    /// What the environment should have given and did not; such a deployment is never tried.
    public var unconfigured: String?
    /// The deployment's parameters and model_info as one JSON object each, without keys, for `/model/info`.
    public var parametersJSON = ""
    public var infoJSON = ""

    public init() {}
}

public struct HeaderSetting: Sendable, Equatable {
    public var name: String
    public var value: String
}

public struct DefaultParameter: Sendable, Equatable {
    public var name: String
    public var json: String
}

/// Scheme, host and port of an upstream.
public struct Origin: Sendable, Equatable, Hashable, CustomStringConvertible {
    public var isSecure = true
    /// Without brackets, in lower case.
    public var host = ""
    public var port: UInt16 = 443

    public init() {}

    public init(isSecure: Bool, host: String, port: UInt16) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// `host[:port]` as in the Host field: the port only where it is not the scheme's.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}

public enum TagSemantics: String, Sendable, Equatable, CaseIterable {
    /// As the reference: an untagged request may reach tagged deployments where the group has no default.
    case litellm
    /// An untagged request reaches `default` and untagged deployments only; a refusal is 403.
    case strict
}

public struct ModelAlias: Sendable, Equatable {
    public var name: String
    public var target: String
    public var isHidden: Bool
    /// Where it is configured, for problems; not part of what workers get.
    public var position = Position(file: "", line: 0, column: 0)

    public static func == (left: ModelAlias, right: ModelAlias) -> Bool {
        left.name == right.name && left.target == right.target && left.isHidden == right.isHidden
    }
}

public struct RouterSettings: Sendable, Equatable {
    public var enableTagFiltering = false
    public var matchAny = true
    public var tagPrefix = ""
    public var semantics = TagSemantics.litellm
    public var timeout: Double?
    public var streamTimeout: Double?
    /// The longest silence within a stream, in seconds.
    public var streamIdleTimeout: Double?
    public var aliases: [ModelAlias] = []
    public var strategy = RoutingStrategy.simpleShuffle
    /// How much slower than the fastest, as a share of its latency, a deployment may be and still be chosen.
    public var latencyBuffer = 0.0
    /// How long a measured latency counts, in seconds.
    public var latencyLifetime = 3600.0
    public var retries = RetrySettings()
    public var cooldown = CooldownSettings()
    public var fallbacks = FallbackSettings()

    public init() {}
}

public struct GeneralSettings: Sendable, Equatable {
    public var masterKey: Secret?
    public var permitsWeakMasterKey = false
    /// Whether `/metrics` asks for a key.
    public var metricsNeedKey = true
    /// Where `master_key` stands, or should, for problems; not part of what workers get.
    public var masterKeyPosition = Position(file: "", line: 0, column: 0)

    public init() {}

    public static func == (left: GeneralSettings, right: GeneralSettings) -> Bool {
        left.masterKey == right.masterKey && left.permitsWeakMasterKey == right.permitsWeakMasterKey
            && left.metricsNeedKey == right.metricsNeedKey
    }
}

public struct TLSSettings: Sendable, Equatable {
    public enum Verification: Sendable, Equatable {
        case system
        case off
        /// The PEM text of the authorities to trust.
        case authorities(String)
    }

    public var verification = Verification.system

    public init() {}
}

/// Tagway's own settings, under `tagway:`.
public struct ProcessSettings: Sendable, Equatable {
    /// Nil: one for each usable processor.
    public var workers: Int?
    public var headerBytes = 64 * 1024
    public var bodyBytes = 32 * 1024 * 1024
    public var clientIdle = 75.0
    public var clientHeader = 30.0
    public var clientBody = 60.0
    public var clientWrite = 60.0
    public var connectTimeout = 10.0
    /// The whole of a request, all attempts, waits and fallbacks included, until an answer begins.
    public var requestTimeout = 600.0
    public var drainTimeout = 300.0
    public var accessLog = true
    /// Whether a stream waits for its first event with content, so that until then another attempt may answer; nil: where
    /// the configuration or the request arranges for one.
    public var holdUntilContent: Bool?
    /// Where to listen, as `SocketAddress.listening` takes it; nil: what the command line says.
    public var listen: [String]?
    /// Whether a change of a file that was read is a reload.
    public var watch = false
    /// Proxy settings of the environment in force: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
    public var httpsProxy: String?
    public var httpProxy: String?
    public var noProxy: String?

    public init() {}
}
