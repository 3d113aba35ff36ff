import Testing

@testable import Shared

/// The configuration on its way to a worker.
@Suite struct ConfigurationCodingTests {
    /// Any configuration, with every setting drawn at random.
    private struct Drawing {
        var random: FastRandom

        mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        mutating func bool() -> Bool { Bool.random(using: &random) }

        mutating func text() -> String {
            let alphabet = Array("aZ0 \"\\é😀\n\u{0}*/:")
            return String((0..<int(0...12)).map { _ in alphabet[int(0...alphabet.count - 1)] })
        }

        mutating func number() -> Double {
            [0, -0.5, 1e300, 0.1, 3, .leastNonzeroMagnitude, .infinity][int(0...6)]
        }

        mutating func maybe<Value>(_ value: (inout Drawing) -> Value) -> Value? {
            bool() ? value(&self) : nil
        }

        mutating func list<Value>(_ value: (inout Drawing) -> Value) -> [Value] {
            (0..<int(0...3)).map { _ in value(&self) }
        }

        mutating func deployment() -> Deployment {
            var deployment = Deployment()
            deployment.modelName = text()
            deployment.id = text()
            deployment.model = text()
            deployment.upstreamModel = text()
            deployment.apiKey = maybe { Secret($0.text()) }
            deployment.apiBase = text()
            deployment.origin = Origin(isSecure: bool(), host: text(), port: UInt16(int(1...65535)))
            deployment.basePath = text()
            deployment.tags = list { $0.text() }
            deployment.tagPatterns = list { $0.text() }
            deployment.weight = maybe { $0.number() }
            deployment.rpm = maybe { $0.number() }
            deployment.tpm = maybe { $0.number() }
            deployment.order = maybe { $0.int(Int.min...Int.max) }
            deployment.timeout = maybe { $0.number() }
            deployment.streamTimeout = maybe { $0.number() }
            deployment.streamIdleTimeout = maybe { $0.number() }
            deployment.cooldownTime = maybe { $0.number() }
            deployment.inputCost = maybe { $0.number() }
            deployment.outputCost = maybe { $0.number() }
            deployment.boardSlot = int(-1...65_535)
            deployment.numRetries = maybe { $0.int(0...100) }
            deployment.mockResponse = maybe { $0.text() }
            deployment.extraHeaders = list { HeaderSetting(name: $0.text(), value: $0.text()) }
            deployment.defaults = list { DefaultParameter(name: $0.text(), json: $0.text()) }
            deployment.enableTagFiltering = maybe { $0.bool() }
            deployment.allowFailOpen = bool()
            deployment.unconfigured = maybe { $0.text() }
            deployment.parametersJSON = text()
            deployment.infoJSON = text()
            return deployment
        }

        mutating func policy() -> FailurePolicy {
            var policy = FailurePolicy()
            for failure in FailureClass.allCases { policy[failure] = maybe { $0.int(0...100) } }
            return policy
        }

        mutating func rules() -> [FallbackRule] {
            list { FallbackRule(group: $0.text(), targets: $0.list { $0.text() }) }
        }

        mutating func failureHandling(_ router: inout RouterSettings) {
            router.strategy = RoutingStrategy.allCases[int(0...RoutingStrategy.allCases.count - 1)]
            router.latencyBuffer = number()
            router.latencyLifetime = number()
            router.retries.count = maybe { $0.int(0...100) }
            router.retries.minimumWait = number()
            router.retries.policy = policy()
            router.retries.groupPolicies = list { .init(group: $0.text(), policy: $0.policy()) }
            router.cooldown.isDisabled = bool()
            router.cooldown.time = number()
            router.cooldown.allowedFails = maybe { $0.int(0...100) }
            router.cooldown.allowedFailsPolicy = policy()
            router.fallbacks.rules = rules()
            router.fallbacks.defaults = list { $0.text() }
            router.fallbacks.contextWindow = maybe { $0.rules() }
            router.fallbacks.contentPolicy = maybe { $0.rules() }
            router.fallbacks.maximumDepth = int(0...100)
        }

        mutating func configuration() -> Configuration {
            var configuration = Configuration()
            configuration.deployments = list { $0.deployment() }
            configuration.router.enableTagFiltering = bool()
            configuration.router.matchAny = bool()
            configuration.router.tagPrefix = text()
            configuration.router.semantics = TagSemantics.allCases[int(0...1)]
            failureHandling(&configuration.router)
            configuration.router.streamIdleTimeout = maybe { $0.number() }
            configuration.process.requestTimeout = number()
            configuration.router.timeout = maybe { $0.number() }
            configuration.router.streamTimeout = maybe { $0.number() }
            configuration.router.aliases = list {
                ModelAlias(name: $0.text(), target: $0.text(), isHidden: $0.bool())
            }
            configuration.general.masterKey = maybe { Secret($0.text()) }
            configuration.general.permitsWeakMasterKey = bool()
            configuration.general.metricsNeedKey = bool()
            configuration.tls.verification = [.system, .off, .authorities(text())][int(0...2)]
            configuration.process.workers = maybe { $0.int(1...64) }
            configuration.process.headerBytes = int(0...Int.max)
            configuration.process.bodyBytes = int(0...Int.max)
            configuration.process.clientIdle = number()
            configuration.process.clientHeader = number()
            configuration.process.clientBody = number()
            configuration.process.clientWrite = number()
            configuration.process.connectTimeout = number()
            configuration.process.drainTimeout = number()
            configuration.process.accessLog = bool()
            configuration.process.holdUntilContent = maybe { $0.bool() }
            configuration.process.watch = bool()
            configuration.process.httpsProxy = maybe { $0.text() }
            configuration.process.httpProxy = maybe { $0.text() }
            configuration.process.noProxy = maybe { $0.text() }
            configuration.leftOut = list { LeftOutGroup(modelName: $0.text(), reason: $0.text()) }
            return configuration
        }
    }

    @Test func everyConfigurationComesBackAsItWas() throws {
        for seed in 1...500 as ClosedRange<UInt64> {
            var drawing = Drawing(random: FastRandom(seed: seed))
            let configuration = drawing.configuration()
            let back = try Configuration(encoded: configuration.encoded())
            #expect(back == configuration, "seed \(seed)")
        }
    }

    @Test func everyCutIsRefused() {
        var drawing = Drawing(random: FastRandom(seed: 42))
        let bytes = drawing.configuration().encoded()
        for count in 0..<bytes.count {
            #expect(throws: Configuration.CodingError.self) { try Configuration(encoded: Array(bytes[..<count])) }
        }
        #expect(throws: Configuration.CodingError.self) { try Configuration(encoded: bytes + [0]) }
    }

    @Test func anotherVersionIsRefused() {
        var bytes = Configuration().encoded()
        bytes[0] &+= 1
        #expect(throws: Configuration.CodingError.self) { try Configuration(encoded: bytes) }
    }

    /// Whatever is changed, decoding ends, with a configuration or an error, and reserves nothing that is not there.
    @Test func changedBytesAreTakenWell() {
        var drawing = Drawing(random: FastRandom(seed: 9))
        let bytes = drawing.configuration().encoded()
        for position in bytes.indices {
            for value in [0, 1, 2, 0x7F, 0x80, 0xFF] as [UInt8] {
                var changed = bytes
                changed[position] = value
                _ = try? Configuration(encoded: changed)
            }
        }
    }
}
