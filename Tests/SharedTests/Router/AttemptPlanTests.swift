import Testing

@testable import Shared

/// What follows a failure: docs/configuration.md, "Retries".
@Suite struct AttemptPlanTests {
    /// One request to a group of deployments, each given by its `order`.
    final class Request {
        let table: RoutingTable
        let states = StatesTable()
        var plan = AttemptPlan()
        var random = SeededGenerator(seed: 7)
        var now = Instant(nanoseconds: 1_000_000_000)

        init(orders: [Int?], retries: Int? = 2, change: (inout Configuration) -> Void = { _ in }) {
            table = TagFilterTests.table(orders.indices.map { TagFilterTests.Member("id-\($0)") }) { configuration in
                for (index, order) in orders.enumerated() { configuration.deployments[index].order = order }
                change(&configuration)
            }
            plan.begin(retries: retries)
            let isEntered = plan.enter(orders.indices.map { Int32($0) }, group: 0, asFallback: false, table)
            precondition(isEntered, "the group has deployments")
        }

        func next() -> AttemptPlan.Step {
            plan.next(table, states, isStream: false, now: now, using: &random)
        }

        func fallBack(to allowed: [Int32]) -> Bool {
            plan.enter(allowed, group: 0, asFallback: true, table)
        }

        /// The deployment asked next, after all waits; nil at the end.
        func attempt() -> Int? {
            for _ in 0..<10 {
                switch next() {
                case .attempt(let index, _): return index
                case .wait(let until): now = until
                case .end, .outage: return nil
                }
            }
            return nil
        }

        func fail(_ failure: AttemptFailure, at index: Int, retryAfter: TimeSpan? = nil) {
            plan.failed(failure, at: index, retryAfter: retryAfter, now: now, table, using: &random)
        }

        /// All that are asked when each attempt fails alike, and the waits before each, in milliseconds.
        func run(_ failure: AttemptFailure, retryAfter: TimeSpan? = nil) -> (asked: [Int], waits: [Int]) {
            var asked: [Int] = []
            var waits: [Int] = []
            while asked.count < 50 {
                let before = now
                guard let index = attempt() else { break }
                asked.append(index)
                waits.append((now - before).milliseconds)
                fail(failure, at: index, retryAfter: retryAfter)
            }
            return (asked, waits)
        }
    }

    // MARK: The table of failures

    static let never: [AttemptFailure] =
        [.contextWindow, .contentPolicy] + [400, 402, 404, 405, 413, 418, 422].map { .status($0) }
    static let always: [AttemptFailure] =
        [.noAnswer, .timeout] + [408, 409, 429, 500, 502, 503, 504, 529, 599].map { .status($0) }

    @Test(arguments: never) func isNotRetried(_ failure: AttemptFailure) {
        let alone = Request(orders: [nil])
        #expect(alone.run(failure).asked.count == 1)
        let several = Request(orders: [nil, nil, nil])
        #expect(several.run(failure).asked.count == 1)
        #expect(several.plan.retries == 0)
    }

    @Test(arguments: always) func isRetriedAfterAWaitWhereThereIsOneOnly(_ failure: AttemptFailure) {
        let request = Request(orders: [nil])
        let (asked, waits) = request.run(failure)
        #expect(asked == [0, 0, 0])
        #expect(waits[0] == 0 && (500...1250).contains(waits[1]) && (1000...1750).contains(waits[2]), "\(waits)")
        #expect(request.plan.retries == 2 && request.plan.fallbacks == 0)
    }

    @Test(arguments: always) func isRetriedAtOnceElsewhereThenAfterATenthOfTheWait(_ failure: AttemptFailure) {
        let request = Request(orders: [nil, nil], retries: 3)
        let (asked, waits) = request.run(failure)
        #expect(asked.count == 4 && Set(asked[..<2]) == [0, 1])
        #expect(waits[..<2] == [0, 0] && (50...125).contains(waits[2]), "\(waits)")
    }

    @Test(arguments: [401, 403]) func aRefusedKeyIsRetriedElsewhereOnly(_ status: Int) {
        let alone = Request(orders: [nil], retries: 9)
        #expect(alone.run(.status(status)).asked == [0])
        let several = Request(orders: [nil, nil, nil], retries: 9)
        let (asked, waits) = several.run(.status(status))
        #expect(asked.sorted() == [0, 1, 2] && waits == [0, 0, 0])
    }

    /// The others cool down: that is no reason to show the same key again.
    @Test(arguments: [401, 403]) func aRefusedKeyIsNotShownAgain(_ status: Int) {
        var request = Request(orders: [nil, nil], retries: 9)
        request.states.availabilities[1] = .cooling(until: .never)
        #expect(request.run(.status(status)).asked == [0])
        request = Request(orders: [nil, nil], retries: 9)
        request.states.availabilities[1] = .cooling(until: .never)
        #expect(request.attempt() == 0)
        request.fail(.status(status), at: 0)
        request.states.availabilities = [0: .cooling(until: .never)]
        #expect(request.attempt() == 1)
        request.states.availabilities = [:]
        request.fail(.status(503), at: 1)
        #expect(request.run(.status(503)).asked == [1, 1, 1, 1, 1, 1, 1, 1])
    }

    // MARK: Budgets

    @Test func retriesAreOfTheWholeRequest() {
        let request = Request(orders: [nil, nil], retries: 3)
        #expect(request.run(.status(500)).asked.count == 4)
        #expect(request.fallBack(to: [0, 1]))
        #expect(request.run(.status(500)).asked.count == 1)
        #expect(request.plan.retries == 3 && request.plan.fallbacks == 1)
        request.plan.begin(retries: 0)
        #expect(request.plan.retries == 0 && request.plan.fallbacks == 0)
    }

    /// Others count, and what somebody asked for; the usual retries at an only deployment do not.
    @Test func whatIsArrangedForIsAnAlternative() {
        func isThere(_ orders: [Int?], _ retries: Int?, _ change: (inout Configuration) -> Void = { _ in }) -> Bool {
            let request = Request(orders: orders, retries: retries, change: change)
            _ = request.attempt()
            return request.plan.hasAlternative(request.table)
        }
        #expect(!isThere([nil], nil) && !isThere([nil], 0) && isThere([nil], 1))
        #expect(isThere([nil, nil], nil) && !isThere([nil, nil], 0) && isThere([nil, nil], 1))
        #expect(isThere([1, 2], 0))
        #expect(isThere([nil], 0) { $0.router.retries.policy[.rateLimit] = 1 })
        // The last attempt is one of them.
        let request = Request(orders: [nil], retries: 1)
        request.fail(.status(500), at: request.attempt() ?? 0)
        #expect(request.attempt() == 0 && request.plan.hasAlternative(request.table))
        let higher = Request(orders: [1, 2], retries: 0)
        higher.fail(.status(500), at: higher.attempt() ?? 0)
        #expect(higher.attempt() == 1 && higher.plan.hasAlternative(higher.table))
    }

    @Test func aPolicySaysHowOften() {
        let policy: (inout Configuration) -> Void = {
            $0.router.retries.policy[.badRequest] = 1
            $0.router.retries.policy[.rateLimit] = 0
            $0.router.retries.policy[.authentication] = 2
            $0.router.retries.policy[.contentPolicy] = 1
        }
        let counts: [(AttemptFailure, Int)] = [
            (.status(400), 2), (.contextWindow, 2), (.contentPolicy, 2), (.status(429), 1), (.status(401), 3),
            (.status(500), 6),
        ]
        for (failure, count) in counts {
            let request = Request(orders: [nil], retries: 5, change: policy)
            #expect(request.run(failure).asked.count == count, "\(failure)")
        }
        let own = Request(orders: [nil], retries: 5) {
            policy(&$0)
            var group = FailurePolicy()
            group[.rateLimit] = 4
            $0.router.retries.groupPolicies = [.init(group: "m", policy: group), .init(group: "x", policy: .init())]
        }
        #expect(own.run(.status(429)).asked.count == 5)
    }

    /// By the reference's classes.
    @Test(arguments: [
        (AttemptFailure.status(400), FailureClass.badRequest), (.status(404), .badRequest), (.status(422), .badRequest),
        (.status(401), .authentication), (.status(403), .authentication), (.status(408), .timeout),
        (.status(429), .rateLimit), (.status(500), .internalServer), (.status(503), .internalServer),
        (.contextWindow, .badRequest), (.contentPolicy, .contentPolicy), (.noAnswer, .internalServer),
        (.timeout, .timeout),
    ])
    func failuresHaveAKind(_ failure: AttemptFailure, _ kind: FailureClass) {
        #expect(failure.kind == kind)
    }

    // MARK: Orders

    @Test func lowerOrdersComeFirstAndHigherOnesStandIn() {
        let request = Request(orders: [nil, 2, 1, 1], retries: 2)
        let (asked, _) = request.run(.status(500))
        #expect(Set(asked[..<2]) == [2, 3] && asked.count == 5, "\(asked)")
        #expect(asked[3...] == [1, 0])
        #expect(request.plan.retries == 2 && request.plan.fallbacks == 2)
    }

    @Test func higherOrdersStandInForARequestThatMayNotBeRetried() {
        let request = Request(orders: [1, 2], retries: 5)
        #expect(request.run(.status(400)).asked == [0, 1])
        for failure in [AttemptFailure.contextWindow, .contentPolicy] {
            let refused = Request(orders: [1, 2], retries: 5)
            #expect(refused.run(failure).asked == [0], "\(failure)")
        }
    }

    /// A filter's refusal that a policy has retried, where nobody of that order can be asked any more.
    @Test func aRefusedPromptIsNotRoutedAround() {
        let request = Request(orders: [1, 2]) { $0.router.retries.policy[.contentPolicy] = 3 }
        #expect(request.attempt() == 0)
        request.fail(.contentPolicy, at: 0)
        request.states.availabilities[0] = .limited(until: .never)
        #expect(request.next() == .end)
    }

    @Test func higherOrdersStandInForOnesThatCool() {
        var request = Request(orders: [1, 2])
        request.states.availabilities[0] = .cooling(until: .never)
        #expect(request.attempt() == 1)
        #expect(request.plan.fallbacks == 0)
        request = Request(orders: [1, 2])
        request.states.taken = [0]
        #expect(request.attempt() == 1)
    }

    @Test func oneThatCoolsDuringARequestIsNotAskedAgain() {
        let request = Request(orders: [1, 2], retries: 5)
        #expect(request.attempt() == 0)
        request.states.availabilities[0] = .cooling(until: .never)
        request.fail(.status(429), at: 0)
        #expect(request.attempt() == 1)
        #expect(request.plan.retries == 0 && request.plan.fallbacks == 1)
        request.states.availabilities[1] = .cooling(until: .never)
        request.fail(.status(429), at: 1)
        #expect(request.next() == .end)
        #expect(request.next() == .end)
    }

    // MARK: Outages

    @Test func anOutageTellsWhoRecoversFirst() {
        var request = Request(orders: [1, 2, nil])
        request.states.availabilities = [
            0: .cooling(until: request.now + .seconds(9)), 1: .limited(until: request.now + .seconds(3)),
            2: .cooling(until: request.now + .seconds(4)),
        ]
        #expect(request.next() == .outage(.init(deployment: 1, until: request.now + .seconds(3), isCooling: false)))
        request = Request(orders: [nil])
        request.states.taken = [0]
        #expect(request.next() == .outage(.init(deployment: 0, until: request.now, isCooling: true)))
    }

    @Test func whatIsNotConfiguredIsNoPartOfAGroup() {
        let request = Request(orders: [1, nil]) { $0.deployments[0].unconfigured = "KEY is not set" }
        #expect(request.run(.noAnswer).asked == [1, 1, 1])
        #expect(!request.fallBack(to: [0]))
        #expect(request.plan.fallbacks == 0)
    }

    // MARK: Waits

    @Test func retryAfterIsAFloorForTheSameDeployment() {
        var request = Request(orders: [nil], retries: 1)
        let (_, waits) = request.run(.status(429), retryAfter: .seconds(20))
        #expect((20_000...20_750).contains(waits[1]), "\(waits)")
        request = Request(orders: [nil, nil], retries: 2)
        let several = request.run(.status(429), retryAfter: .seconds(20)).waits
        #expect(several[1] == 0 && (20_000...20_075).contains(several[2]), "\(several)")
    }

    /// A shorter wait for another deployment does not end it.
    @Test func theOneWhoseTimeHasComeIsAsked() throws {
        let request = Request(orders: [nil, nil], retries: 9)
        let first = try #require(request.attempt())
        request.fail(.status(429), at: first, retryAfter: .seconds(30))
        #expect(request.attempt() == 1 - first)
        request.fail(.status(429), at: 1 - first)
        #expect(request.attempt() == 1 - first)
    }

    @Test(arguments: [
        (0, true, 500), (1, true, 1000), (2, true, 2000), (3, true, 4000), (4, true, 8000), (5, true, 8000),
        (1000, true, 8000), (0, false, 50), (4, false, 800), (1000, false, 800),
    ])
    func theWaitIsDoubledWithEachRetry(_ retry: Int, _ isAlone: Bool, _ base: Int) {
        var random = SeededGenerator(seed: UInt64(retry))
        var waits: Set<Int> = []
        for _ in 0..<200 {
            let wait = Backoff.wait(
                retry: retry, isAlone: isAlone, retryAfter: nil, minimum: .seconds(0), using: &random)
            waits.insert(wait.milliseconds)
        }
        #expect(waits.allSatisfy { (base...base + (isAlone ? 750 : 75)).contains($0) })
        #expect(waits.count > 20, "no jitter")
    }

    @Test(arguments: [
        (TimeSpan?.some(.seconds(7)), 0, 7000), (.seconds(60), 0, 60_000), (.seconds(61), 0, 60_000),
        (TimeSpan(nanoseconds: .max), 0, 60_000), (.seconds(7), 9, 9000), (nil, 9, 9000), (.seconds(0), 0, 500),
        (TimeSpan(nanoseconds: -5), 0, 500),
    ])
    func floors(_ retryAfter: TimeSpan?, _ minimum: Int, _ least: Int) {
        var random = SeededGenerator(seed: 1)
        let wait = Backoff.wait(
            retry: 0, isAlone: true, retryAfter: retryAfter, minimum: .seconds(minimum), using: &random)
        #expect((least...least + 750).contains(wait.milliseconds))
    }

    @Test func anEndlessFloorIsEndless() {
        var random = SeededGenerator(seed: 1)
        let wait = Backoff.wait(
            retry: 0, isAlone: true, retryAfter: nil, minimum: .seconds(1e300), using: &random)
        #expect(Instant(nanoseconds: 1) + wait == .never)
    }
}
