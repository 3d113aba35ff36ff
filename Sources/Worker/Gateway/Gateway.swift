package import Shared

/// Answers requests with the generation in force: tells endpoints apart and gives each request to who answers it.
@Loop package final class Gateway: RequestHandler {
    /// Nil until the first commit.
    package private(set) var generation: Generation?
    /// False while the process should not get new work: the readiness probe then answers 503.
    package var isReady = true
    /// Where requests under way are entered; nil where nobody watches.
    package var board: WorkerBoard?
    /// Where access lines go; nil for none.
    package var accessLines: LineSink?

    let pools = UpstreamPools()
    let accessLog = AccessLog()
    var random = FastRandom(seed: SystemRandom.seed())
    private var idle: [Exchange] = []

    package init() {}

    /// Builds a generation beside the one in force, without an effect on traffic. Throws a reason for the operator.
    package func prepare(_ number: UInt64, _ configuration: Configuration) throws(GenerationRefused) -> Generation {
        do throws(StreamFailure) {
            // Reading the trust store takes tens of milliseconds, in which nothing else is served.
            if configuration.tls != generation?.configuration.tls { _ = try TLSContext(configuration.tls) }
        } catch {
            throw GenerationRefused(reason: "TLS cannot be set up: \(error)")
        }
        return Generation(number, configuration)
    }

    /// Requests that begin from now on are answered by `generation`.
    package func commit(_ generation: Generation) {
        // What `prepare` tried succeeds again; should it not, connections keep the settings they had.
        try? pools.apply(generation.configuration.tls)
        generation.connect(pools)
        self.generation = generation
    }

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
