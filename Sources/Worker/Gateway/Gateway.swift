public import Shared

/// Answers requests with the generation in force: tells endpoints apart and gives each request to who answers it.
@Loop public final class Gateway: RequestHandler {
    /// Nil until the first commit.
    public private(set) var generation: Generation?
    /// False while the process should not get new work: the readiness probe then answers 503.
    public var isReady = true
    /// Where requests under way are entered; nil where nobody watches.
    public var board: WorkerBoard?
    /// Where the state of deployments is shared with other workers; nil where nobody else is.
    public var deployments: DeploymentBoard?
    /// Where access lines go; nil for none.
    public var accessLines: LineSink?

    /// Where cooldowns are told; nil for nowhere.
    public var log: Log?

    let pools = UpstreamPools()
    let accessLog = AccessLog()
    /// Memory for requests on their way to upstreams.
    let requests = BufferPool(size: 2048)
    /// Memory for events and answers on their way to clients; what an upstream sends at once fits a piece.
    let answers = BufferPool(size: 20 * 1024)
    let scratch = Scratch()
    let requestTemplates = RequestTemplates()
    var random = FastRandom(seed: SystemRandom.seed())
    /// The settings that the connections in use were made with; nil while none had to be encrypted.
    private var tlsInForce: TLSSettings?
    private var idle: [Exchange] = []
    /// The fewest that were idle since `releaseUnused`.
    private var leastIdle = 0

    public init() {}

    /// Builds a generation from published bytes beside the one in force, with turns of the loop in between, so that
    /// requests hardly notice. Throws a reason for the operator; nil when `isWanted` has become false meanwhile.
    public func prepare(
        _ number: UInt64, _ file: DescriptorBox, isWanted: () -> Bool
    ) async throws(GenerationRefused) -> Generation? {
        var builder = try GenerationBuilder(number, file, deployments)
        var pauseAt = Clock.now() + Self.slice
        while !builder.isComplete {
            try builder.go()
            await pause(&pauseAt)
            guard isWanted() else { return nil }
        }
        let next = builder.finish()
        await pause(&pauseAt)
        try setUpTLS(of: next)
        while next.tls?.trustMore() ?? false {
            await pause(&pauseAt)
            guard isWanted() else { return nil }
        }
        return next
    }

    /// Lets requests go first when it is time for that.
    private func pause(_ time: inout Instant) async {
        guard Clock.now() >= time else { return }
        if isServing {
            await EventLoop.shared.sleep(until: Clock.now() + Self.pause)
        } else {
            // Nobody wants the processor now: the loop only turns, which takes no millisecond.
            await EventLoop.shared.turn()
        }
        time = Clock.now() + Self.slice
    }

    /// Whether there are requests, or were a moment ago: then the next one is near.
    private var isServing: Bool {
        guard let board else { return generation != nil }
        return board.inFlight > 0 || EventLoop.now - board.latestBegin < Self.quiet
    }

    /// How long requests may wait for what is done beside them, and how much time they have then: a worker that is busy
    /// without a pause takes the processor from clients and upstreams of the same machine, too. Between requests as well:
    /// the next client has to get it first.
    private static let slice = TimeSpan(nanoseconds: 300_000)
    private static let pause = TimeSpan.milliseconds(1)
    private static let quiet = TimeSpan.milliseconds(20)

    private func setUpTLS(of next: Generation) throws(GenerationRefused) {
        let settings = next.settings.tls
        // The system's trust store takes tens of milliseconds and megabytes: once, and only for somebody who has to be
        // trusted.
        guard settings != tlsInForce else { return }
        if settings.verification == .system, !next.hasSecureOrigins { return }
        do throws(StreamFailure) {
            next.tls = try TLSContext(settings)
        } catch {
            throw GenerationRefused(reason: "TLS cannot be set up: \(error)")
        }
    }

    /// Requests that begin from now on are answered by `generation`.
    public func commit(_ generation: Generation) {
        if let tls = generation.tls {
            pools.apply(tls)
            tlsInForce = generation.settings.tls
        }
        generation.connect(pools)
        self.generation = generation
    }

    public func answer(_ client: ClientConnection) -> Progress {
        takeExchange().answer(client)
    }

    public func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async {
        let exchange = takeExchange()
        await exchange.refuse(client, refusal)
        giveBack(exchange)
    }

    /// The request of an exchange is answered.
    func giveBack(_ exchange: Exchange) {
        idle.append(exchange)
    }

    private func takeExchange() -> Exchange {
        guard let exchange = idle.popLast() else { return Exchange(self) }
        leastIdle = min(leastIdle, idle.count)
        return exchange
    }

    /// Lets go of memory that nobody has needed since the last call.
    public func releaseUnused() {
        // Of exchanges so many at once as take no time.
        idle.removeFirst(min(leastIdle, 256))
        leastIdle = idle.count
        for pool in [requests, answers] { pool.releaseUnused() }
        pools.releaseUnused()
    }
}
