import Testing

@testable import Shared
@testable import Worker

/// Deployments from failure to cooldown, to the one probe, and back, as two workers see it.
@Suite struct DeploymentHealthTests {
    let scoreboard: Scoreboard
    let now = Instant(nanoseconds: 600_000_000_000)

    init() throws {
        scoreboard = try Scoreboard()
        scoreboard.usedDeployments = 2
        scoreboard.prepare(0, slot: 0)
        scoreboard.prepare(1, slot: 0)
    }

    private func workers(_ change: (inout Configuration) -> Void = { _ in }) -> (DeploymentHealth, DeploymentHealth) {
        var configuration = Configuration()
        for index in 0..<2 {
            var deployment = Deployment()
            deployment.modelName = "m"
            deployment.id = "id-\(index)"
            deployment.boardSlot = index
            configuration.deployments.append(deployment)
        }
        change(&configuration)
        let table = RoutingTable(configuration)
        return (
            DeploymentHealth(configuration, table, DeploymentBoard(scoreboard, block: 0)),
            DeploymentHealth(configuration, table, DeploymentBoard(scoreboard, block: 1))
        )
    }

    @Test func afterACooldownOneProbeIsLetThrough() throws {
        let (one, other) = workers()
        let first = try #require(one.admit(0, at: now))
        #expect(other.inFlight(of: 0) == 1)
        #expect(one.failed(0, first, .status(429), retryAfter: nil, at: now) == .seconds(5))
        one.ended(0)
        #expect(other.inFlight(of: 0) == 0)
        let end = now + .seconds(5)
        #expect(other.availability(of: 0, at: now) == .cooling(until: end))
        #expect(other.admit(0, at: now) == nil)
        #expect(other.availability(of: 0, at: end) == .fit)
        let probe = try #require(other.admit(0, at: end))
        #expect(probe.probeUntil == end + .seconds(5))
        #expect(one.admit(0, at: end) == nil)
        #expect(one.availability(of: 0, at: end) == .cooling(until: end + .seconds(5)))
        other.answers(0, probe, latency: .milliseconds(10), isStream: false, at: end)
        #expect(one.availability(of: 0, at: end) == .fit)
        #expect(try #require(one.admit(0, at: end)).probeUntil == nil)
        #expect(one.latency(of: 0, isStream: false, at: end) == 10_000_000)
    }

    @Test func aProbeThatFailsIsACooldown() throws {
        let (one, other) = workers()
        one.failed(0, Admission(), .status(429), retryAfter: .seconds(2), at: now)
        let end = now + .seconds(2)
        #expect(other.availability(of: 0, at: now) == .cooling(until: end))
        let probe = try #require(one.admit(0, at: end))
        let later = end + .seconds(1)
        #expect(one.failed(0, probe, .status(500), retryAfter: nil, at: later) == .seconds(5))
        #expect(other.availability(of: 0, at: later) == .cooling(until: later + .seconds(5)))
    }

    /// Until when a probe keeps others away is no cooldown, which could not be shortened.
    @Test(arguments: [(TimeSpan?.some(.seconds(1)), 1), (nil, 5)])
    func aProbeThatFailsSoonerThanItsTimeIsACooldown(retryAfter: TimeSpan?, seconds: Int) throws {
        let board = DeploymentBoard(scoreboard, block: 1)
        let (one, other) = workers()
        one.failed(0, Admission(), .status(429), retryAfter: nil, at: now)
        #expect(board.figures(of: 0).cooldowns == 1)
        let end = now + .seconds(5)
        let probe = try #require(one.admit(0, at: end))
        #expect(probe.probeUntil == end + .seconds(5))
        #expect(one.failed(0, probe, .status(429), retryAfter: retryAfter, at: end) == .seconds(seconds))
        #expect(board.figures(of: 0).cooldowns == 2)
        #expect(other.availability(of: 0, at: end) == .cooling(until: end + .seconds(seconds)))
        #expect(other.admit(0, at: end + .seconds(seconds)) != nil)
    }

    /// A late failure of a probe that others have taken over meanwhile shortens nothing.
    @Test func aProbeThatIsOverShortensNoCooldown() throws {
        let (one, other) = workers()
        one.failed(0, Admission(), .status(429), retryAfter: nil, at: now)
        let end = now + .seconds(5)
        let slow = try #require(one.admit(0, at: end))
        let later = end + .seconds(5)
        let next = try #require(other.admit(0, at: later))
        #expect(other.failed(0, next, .status(429), retryAfter: .seconds(50), at: later) == .seconds(50))
        #expect(one.failed(0, slow, .status(429), retryAfter: .seconds(1), at: later) == nil)
        #expect(one.availability(of: 0, at: later) == .cooling(until: later + .seconds(50)))
    }

    /// A client that left, or a prompt that is refused, says nothing against a deployment.
    @Test func whatIsNoFailureLetsTheNextOneGo() throws {
        let (one, other) = workers()
        one.failed(0, Admission(), .status(429), retryAfter: nil, at: now)
        let end = now + .seconds(5)
        one.abandoned(0, try #require(one.admit(0, at: end)))
        let second = try #require(other.admit(0, at: end))
        #expect(second.probeUntil != nil)
        #expect(other.failed(0, second, .contentPolicy, retryAfter: nil, at: end) == nil)
        #expect(try #require(one.admit(0, at: end)).probeUntil == nil)
    }

    @Test func limitsAreOfAllWorkers() throws {
        let (one, other) = workers {
            $0.router.strategy = .usageBased
            $0.deployments[0].rpm = 2
            $0.deployments[1].tpm = 100
        }
        #expect(one.admit(0, at: now) != nil)
        #expect(other.admit(0, at: now) != nil)
        #expect(one.admit(0, at: now) == nil)
        #expect(one.availability(of: 0, at: now) == .limited(until: now.endOfMinute))
        #expect(one.availability(of: 0, at: now.endOfMinute) == .fit)
        one.used(1, tokens: 99, at: now)
        #expect(other.availability(of: 1, at: now) == .fit)
        other.used(1, tokens: 1, at: now)
        #expect(one.availability(of: 1, at: now) == .limited(until: now.endOfMinute))
        #expect(one.tokens(of: 1, at: now) == 100)
    }

    @Test func otherStrategiesHaveNoLimits() {
        let (one, _) = workers { $0.deployments[0].rpm = 1 }
        for _ in 0..<3 { #expect(one.admit(0, at: now) != nil) }
        #expect(one.availability(of: 0, at: now) == .fit)
    }

    @Test func hugeLimitsAreNone() {
        let (one, _) = workers {
            $0.router.strategy = .costBased
            $0.deployments[0].rpm = 1e300
            $0.deployments[0].tpm = 1e19
        }
        #expect(one.admit(0, at: now) != nil)
        #expect(one.availability(of: 0, at: now) == .fit)
    }

    @Test func disabledCooldownsAreNone() {
        let (one, other) = workers()
        one.failed(0, Admission(), .status(429), retryAfter: nil, at: now)
        #expect(other.availability(of: 0, at: now) != .fit)
        let (disabled, _) = workers { $0.router.cooldown.isDisabled = true }
        #expect(disabled.availability(of: 0, at: now) == .fit)
        #expect(disabled.admit(0, at: now) != nil)
        #expect(disabled.failed(1, Admission(), .status(429), retryAfter: nil, at: now) == nil)
        #expect(disabled.availability(of: 1, at: now) == .fit)
    }

    @Test func failuresAreCountedOverAllWorkers() {
        let (one, other) = workers { $0.router.cooldown.allowedFails = 2 }
        #expect(one.failed(0, Admission(), .noAnswer, retryAfter: nil, at: now) == nil)
        #expect(other.failed(0, Admission(), .timeout, retryAfter: nil, at: now) == nil)
        #expect(one.failed(0, Admission(), .status(500), retryAfter: nil, at: now) == .seconds(5))
        // From none again.
        #expect(one.failed(0, Admission(), .status(500), retryAfter: nil, at: now + .seconds(1)) == nil)
    }

    @Test func withoutAPlaceADeploymentIsAlwaysFit() {
        let (one, _) = workers { $0.deployments[0].boardSlot = -1 }
        #expect(one.failed(0, Admission(), .status(429), retryAfter: nil, at: now) == nil)
        #expect(one.availability(of: 0, at: now) == .fit)
        #expect(one.admit(0, at: now) == Admission())
        one.ended(0)
        #expect(one.inFlight(of: 0) == 0)
    }
}
