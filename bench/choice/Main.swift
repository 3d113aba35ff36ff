import Glibc
import Shared
import Worker

/// What choosing a deployment costs: a request's tags read, the group filtered, a deployment picked and admitted, on the
/// scoreboard that workers share, and all of it given back.
///
///     tagway-choice STRATEGY DEPLOYMENTS WORKERS ROUNDS
///
/// prints the nanoseconds of processor time that one choice takes, the best of five.
@main struct Main {
    static func main() throws {
        let arguments = CommandLine.arguments
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }.filter { $0 > 0 }
        guard arguments.count == 5, let strategy = RoutingStrategy.named(arguments[1]), numbers.count == 3 else {
            print("usage: tagway-choice STRATEGY DEPLOYMENTS WORKERS ROUNDS")
            exit(64)
        }
        let rounds = numbers[2]
        var choice = try Choice(strategy, deployments: numbers[0], workers: numbers[1])
        // Nothing is to be grown for the first time while it counts.
        choice.run(rounds: 100)
        var best = UInt64.max
        for _ in 0..<5 {
            let begun = processorTime()
            choice.run(rounds: rounds)
            best = min(best, processorTime() - begun)
        }
        print(best / UInt64(rounds))
    }

    /// Nanoseconds of this process; clock_gettime(2).
    private static func processorTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A group in which every deployment may serve the request, and is known to the strategy.
private struct Choice {
    private let table: RoutingTable
    private let health: DeploymentHealth
    private let group: RoutingTable.Resolution
    private let header = Array("eu, free, !beta".utf8)
    private let now = Clock.now()
    private let tags = RequestTags()
    private var allowed: [Int32] = []
    private var plan = AttemptPlan()
    private var random = FastRandom(seed: 1)

    init(_ strategy: RoutingStrategy, deployments: Int, workers: Int) throws {
        var configuration = Configuration()
        configuration.router.enableTagFiltering = true
        configuration.router.strategy = strategy
        for index in 0..<deployments {
            var deployment = Deployment()
            deployment.modelName = "gpt-4"
            deployment.id = "deployment-\(index)"
            deployment.tags = ["chat", "free"]
            deployment.weight = Double(index % 7 + 1)
            // Limits that are looked at and never reached.
            deployment.rpm = 1e9
            deployment.tpm = 1e9
            deployment.inputCost = Double(index % 100 + 1) * 1e-6
            deployment.boardSlot = index
            configuration.deployments.append(deployment)
        }
        let scoreboard = try Scoreboard()
        scoreboard.usedDeployments = deployments
        for worker in 0..<workers { scoreboard.prepare(worker, slot: worker) }
        let board = DeploymentBoard(scoreboard, block: 0)
        for index in 0..<deployments {
            for sample in 0..<10 {
                let latency = TimeSpan.milliseconds(200 + (index * 31 + sample * 17) % 400)
                board.note(index, latency, isStream: false, at: now)
            }
            board.addTokens(index, 1000 + index * 37 % 1000, at: now)
        }
        table = RoutingTable(configuration)
        health = DeploymentHealth(configuration, table, board)
        let name = Array("gpt-4".utf8)
        guard let group = table.resolve(name, 0..<name.count) else { throw SystemError(call: "resolve", code: ENOENT) }
        self.group = group
    }

    mutating func run(rounds: Int) {
        for _ in 0..<rounds {
            tags.removeAll()
            tags.add(list: header, 0..<header.count, table)
            _ = TagFilter.select(table, group, tags, userAgent: nil, into: &allowed)
            plan.begin(retries: 2)
            guard plan.enter(allowed, group: group.group, asFallback: false, table),
                case .attempt(let index, _) = plan.next(table, health, isStream: false, now: now, using: &random)
            else { preconditionFailure("a fit deployment is not chosen") }
            health.ended(index)
        }
    }
}
