/// The whole configuration as values: decoded, checked, environment references resolved. Pure.
package struct Configuration: Sendable, Equatable {
    package var deployments: [Deployment] = []
    package var router = RouterSettings()
    package var general = GeneralSettings()
    package var tls = TLSSettings()
    package var process = ProcessSettings()
    package var supervision = SupervisionSettings()
    /// Groups whose deployments were all left out at load, and why (file, line, reason).
    package var leftOut: [LeftOutGroup] = []

    /// As many as the scoreboard has room for.
    package static let mostDeployments = 65_536

    package init() {}
}

package struct LeftOutGroup: Sendable, Equatable {
    package var modelName: String
    package var reason: String
}

/// One upstream model that serves a group.
package struct Deployment: Sendable, Equatable {
    package var modelName = ""
    package var id = ""
    /// As configured, with the provider: `openai/gpt-4o`.
    package var model = ""
    /// What the upstream is asked for: `gpt-4o`; `*` stands for what a wildcard name matched.
    package var upstreamModel = ""
    package var apiKey: Secret?
    /// What the header `x-litellm-model-api-base` says: the base as configured, query cut off.
    package var apiBase = ""
    package var origin = Origin()
    /// Path of the base without a trailing slash: `/v1`.
    package var basePath = ""
    package var tags: [String] = []
    package var tagPatterns: [String] = []
    package var weight: Double?
    package var rpm: Double?
    package var tpm: Double?
    package var order: Int?
    package var timeout: Double?
    package var streamTimeout: Double?
    /// The longest silence within a stream, in seconds.
    package var streamIdleTimeout: Double?
    package var numRetries: Int?
    /// Seconds; before the router's.
    package var cooldownTime: Double?
    /// Prices per token.
    package var inputCost: Double?
    package var outputCost: Double?
    /// Its place among the counters that all workers share; -1 before the supervisor has given it one.
    package var boardSlot = -1
    package var mockResponse: String?
    package var extraHeaders: [HeaderSetting] = []
    /// Other parameters, sent upstream where the request does not give them.
    package var defaults: [DefaultParameter] = []
    package var enableTagFiltering: Bool?
    package var allowFailOpen = false
    /// What the environment should have given and did not; such a deployment is never tried.
    package var unconfigured: String?
    /// The deployment's parameters and model_info as one JSON object each, without keys, for `/model/info`.
    package var parametersJSON = ""
    package var infoJSON = ""

    package init() {}
}

package struct HeaderSetting: Sendable, Equatable {
    package var name: String
    package var value: String
}

package struct DefaultParameter: Sendable, Equatable {
    package var name: String
    package var json: String
}

/// Scheme, host and port of an upstream.
package struct Origin: Sendable, Equatable, Hashable, CustomStringConvertible {
    package var isSecure = true
    /// Without brackets, in lower case.
    package var host = ""
    package var port: UInt16 = 443

    package init() {}

    package init(isSecure: Bool, host: String, port: UInt16) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// `host[:port]` as in the Host field: the port only where it is not the scheme's.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    package var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}

package enum TagSemantics: String, Sendable, Equatable, CaseIterable {
    /// As the reference: an untagged request may reach tagged deployments where the group has no default.
    case litellm
    /// An untagged request reaches `default` and untagged deployments only; a refusal is 403.
    case strict
}

package struct ModelAlias: Sendable, Equatable {
    package var name: String
    package var target: String
    package var isHidden: Bool
    /// Where it is configured, for problems; not part of what workers get.
    package var position = Position(file: "", line: 0, column: 0)

    package static func == (left: ModelAlias, right: ModelAlias) -> Bool {
        left.name == right.name && left.target == right.target && left.isHidden == right.isHidden
    }
}

package struct RouterSettings: Sendable, Equatable {
    package var enableTagFiltering = false
    package var matchAny = true
    package var tagPrefix = ""
    package var semantics = TagSemantics.litellm
    package var timeout: Double?
    package var streamTimeout: Double?
    /// The longest silence within a stream, in seconds.
    package var streamIdleTimeout: Double?
    package var aliases: [ModelAlias] = []
    package var strategy = RoutingStrategy.simpleShuffle
    /// How much slower than the fastest, as a share of its latency, a deployment may be and still be chosen.
    package var latencyBuffer = 0.0
    /// How long a measured latency counts, in seconds.
    package var latencyLifetime = 3600.0
    package var retries = RetrySettings()
    package var cooldown = CooldownSettings()
    package var fallbacks = FallbackSettings()

    package init() {}
}

package struct GeneralSettings: Sendable, Equatable {
    package var masterKey: Secret?
    package var permitsWeakMasterKey = false
    /// Whether `/metrics` asks for a key.
    package var metricsNeedKey = true
    /// Where `master_key` stands, or should, for problems; not part of what workers get.
    package var masterKeyPosition = Position(file: "", line: 0, column: 0)

    package init() {}

    package static func == (left: GeneralSettings, right: GeneralSettings) -> Bool {
        left.masterKey == right.masterKey && left.permitsWeakMasterKey == right.permitsWeakMasterKey
            && left.metricsNeedKey == right.metricsNeedKey
    }
}

package struct TLSSettings: Sendable, Equatable {
    package enum Verification: Sendable, Equatable {
        case system
        case off
        /// The PEM text of the authorities to trust.
        case authorities(String)
    }

    package var verification = Verification.system

    package init() {}
}

/// Tagway's own settings, under `tagway:`.
package struct ProcessSettings: Sendable, Equatable {
    /// Nil: one for each usable processor.
    package var workers: Int?
    package var headerBytes = 64 * 1024
    package var bodyBytes = 32 * 1024 * 1024
    package var clientIdle = 75.0
    package var clientHeader = 30.0
    package var clientBody = 60.0
    package var clientWrite = 60.0
    package var connectTimeout = 10.0
    /// The whole of a request, all attempts, waits and fallbacks included, until an answer begins.
    package var requestTimeout = 600.0
    package var drainTimeout = 300.0
    package var accessLog = true
    /// Where to listen, as `SocketAddress.listening` takes it; nil: what the command line says.
    package var listen: [String]?
    /// Whether a change of a file that was read is a reload.
    package var watch = false
    /// Proxy settings of the environment in force: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
    package var httpsProxy: String?
    package var httpProxy: String?
    package var noProxy: String?

    package init() {}
}
