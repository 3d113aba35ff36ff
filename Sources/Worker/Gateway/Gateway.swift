package import Shared

/// Answers requests with the generation in force: tells endpoints apart and gives each request to who answers it.
@Loop package final class Gateway: RequestHandler {
    /// Nil until the first commit.
    package private(set) var generation: Generation?
    /// False while the process should not get new work: the readiness probe then answers 503.
    package var isReady = true
    /// Where requests under way are entered; nil where nobody watches.
    package var board: WorkerBoard?
    /// Where the state of deployments is shared with other workers; nil where nobody else is.
    package var deployments: DeploymentBoard?
    /// Where access lines go; nil for none.
    package var accessLines: LineSink?

    /// Where cooldowns are told; nil for nowhere.
    package var log: Log?

    let pools = UpstreamPools()
    let accessLog = AccessLog()
    /// Memory for requests on their way to upstreams.
    let requests = BufferPool(size: 2048)
    /// Memory for events and answers on their way to clients; what an upstream sends at once fits a piece.
    let answers = BufferPool(size: 20 * 1024)
    let scratch = Scratch()
    var random = FastRandom(seed: SystemRandom.seed())
    /// The settings that the connections in use were made with; nil while none had to be encrypted.
    private var tlsInForce: TLSSettings?
    private var idle: [Exchange] = []

    package init() {}

    /// Builds a generation from published bytes beside the one in force, with turns of the loop in between, so that
    /// requests hardly notice. Throws a reason for the operator; nil when `isWanted` has become false meanwhile.
    package func prepare(
        _ number: UInt64, _ file: DescriptorBox, isWanted: () -> Bool
    ) async throws(GenerationRefused) -> Generation? {
        var builder = try GenerationBuilder(number, file, deployments)
        var pauseAt = Clock.now() + Self.slice
        while !builder.isComplete {
            try builder.go()
            guard Clock.now() >= pauseAt else { continue }
            await EventLoop.shared.turn()
            guard isWanted() else { return nil }
            pauseAt = Clock.now() + Self.slice
        }
        return try withTLS(builder.finish())
    }

    /// How long requests may wait for what is done beside them.
    private static let slice = TimeSpan(nanoseconds: 300_000)

    private func withTLS(_ next: Generation) throws(GenerationRefused) -> Generation {
        let settings = next.settings.tls
        // Reading the system's trust store takes tens of milliseconds, in which nothing else is served, and
        // megabytes: once, and only for somebody who has to be trusted.
        guard settings != tlsInForce else { return next }
        if settings.verification == .system, !next.hasSecureOrigins { return next }
        do throws(StreamFailure) {
            next.tls = try TLSContext(settings)
        } catch {
            throw GenerationRefused(reason: "TLS cannot be set up: \(error)")
        }
        return next
    }

    /// Requests that begin from now on are answered by `generation`.
    package func commit(_ generation: Generation) {
        if let tls = generation.tls {
            pools.apply(tls)
            tlsInForce = generation.settings.tls
        }
        generation.connect(pools)
        self.generation = generation
    }

    @inline(__always)
    package func answer(_ client: ClientConnection) async {
        let exchange = takeExchange()
        await exchange.answer(client)
        idle.append(exchange)
    }

    package func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async {
        let exchange = takeExchange()
        await exchange.refuse(client, refusal)
        idle.append(exchange)
    }

    private func takeExchange() -> Exchange { idle.popLast() ?? Exchange(self) }
}
