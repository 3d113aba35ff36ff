import Foundation
import Synchronization
import Testing

@testable import mock_upstream

/// What all workers know together: cooldowns, limits and attempts under way, also when one of them is killed.
@Suite(.serialized) struct LimitTests {
    private typealias Member = FailingTier.Member

    private struct Sample {
        var begun: Double
        var ended: Double
        var answer: PlainClient.Response?
    }

    /// Requests one after the other, on one connection, until `isOver` says so.
    private static func load(
        _ port: UInt16, connections: Int, until isOver: @escaping @Sendable (Int) -> Bool
    ) -> [Sample] {
        FailingTier.inParallel(connections) { _ in
            var samples: [Sample] = []
            guard let client = try? PlainClient(port: port) else { return [Sample(begun: 0, ended: 0)] }
            while !isOver(samples.count) {
                let begun = Received.now()
                let answer = try? client.exchange(PlainClient.chat("main"))
                samples.append(Sample(begun: begun, ended: Received.now(), answer: answer))
                if answer == nil { break }
            }
            return samples
        }.flatMap(\.self)
    }

    @Test func aCooldownHoldsForAllWorkersAtOnce() throws {
        let tier = try FailingTier(router: "num_retries: 1, cooldown_time: 60", workers: 4)
        defer { tier.end() }
        let port = tier.gateway.port
        let upstream = tier.upstream
        // In the midst of the load the first deployment begins to refuse.
        let fails = Thread {
            _ = waitUntil(seconds: 10) { upstream.received("first").count >= 200 }
            upstream.script("first", presets: ["429"])
        }
        fails.start()
        let rest = Mutex(800)
        let samples = Self.load(port, connections: 256) { _ in
            guard upstream.received("second").count > 0 else { return false }
            return rest.withLock {
                $0 -= 1
                return $0 < 0
            }
        }
        #expect(samples.allSatisfy { $0.answer?.status == 200 })
        let hit = samples.filter { $0.answer?.retries == 1 }
        // Whoever was answered elsewhere knows of the decision; nobody who came later may have met the first again.
        let decided = try #require(hit.map(\.ended).min())
        #expect(hit.allSatisfy { $0.begun <= decided })
        #expect(hit.count <= 256)
        let later = samples.filter { $0.begun > decided }
        #expect(later.count >= 300 && later.allSatisfy { $0.answer?.deployment == "second" }, "\(later.count)")
    }

    /// The minute in which limits are counted.
    private static var minute: UInt64 { DispatchTime.now().uptimeNanoseconds / 60_000_000_000 }

    @Test func aLimitOfAThousandLetsExactlyAThousandThrough() throws {
        var samples: [Sample] = []
        var received = 0
        // A run in which a minute ends says nothing; the next one begins with that minute.
        for _ in 0..<2 {
            let tier = try FailingTier(
                [Member(group: "main", id: "first", settings: "rpm: 1000")],
                router: "routing_strategy: usage-based-routing-v2", workers: 4)
            defer { tier.end() }
            let minute = Self.minute
            samples = Self.load(tier.gateway.port, connections: 256) { $0 == 5 }
            received = tier.count("first")
            if Self.minute == minute { break }
        }
        #expect(samples.count == 1280)
        #expect(samples.filter { $0.answer?.status == 200 }.count == 1000)
        #expect(received == 1000)
        let refused = samples.compactMap(\.answer).filter { $0.status == 429 }
        #expect(refused.count == 280)
        #expect(refused.allSatisfy { $0.errorType == "rate_limit_error" && (1...60).contains($0.retryAfter ?? 0) })
    }

    @Test func aReloadKeepsACooldown() throws {
        let tier = try FailingTier(router: "num_retries: 1, cooldown_time: 60")
        defer { tier.end() }
        tier.upstream.script("first", presets: ["429", "ok"])
        #expect(try tier.ask().deployment == "second")
        // Before the kept ones, so that their places in the configuration change.
        try tier.gateway.write(
            FailingTier.configuration(
                [Member(group: "other", id: "third"), .first, .second], tier.upstream.port,
                router: "num_retries: 1, cooldown_time: 60", process: "workers: 2"))
        #expect(try tier.gateway.control("reload", "--wait").status == 0)
        #expect(try tier.ask("other").deployment == "third")
        for _ in 0..<16 { #expect(try tier.ask().deployment == "second") }
        #expect(tier.count("first") == 1)
    }

    // MARK: Killed workers

    /// Sends a request whose answer nobody waits for, until `id` has received one more.
    private func engage(_ tier: FailingTier, _ id: String) throws -> [PlainClient] {
        let before = tier.count(id)
        var clients: [PlainClient] = []
        let isThere = try waitUntil(seconds: 10) {
            let client = try PlainClient(port: tier.gateway.port)
            clients.append(client)
            let sent = tier.upstream.received().count
            try client.send(PlainClient.chat("main"))
            return waitUntil(seconds: 10) { tier.upstream.received().count > sent } && tier.count(id) > before
        }
        #expect(isThere)
        return clients
    }

    private func killWorkers(_ tier: FailingTier) throws {
        let old = try tier.gateway.workers()
        for worker in old { kill(worker, SIGKILL) }
        #expect(
            try waitUntil(seconds: 20) {
                let now = try tier.gateway.workers()
                return now.count == old.count && Set(now).isDisjoint(with: old)
            })
    }

    /// An answer, also while workers are being replaced.
    private func deployment(_ tier: FailingTier) -> String? { try? tier.ask().deployment }

    @Test func attemptsOfAKilledWorkerAreNotUnderWayForEver() throws {
        // Three: an answer may be here before its worker has counted that it is over, and one of two is idle all the same.
        let tier = try FailingTier(
            [Member(group: "main", id: "first"), .second, Member(group: "main", id: "third")],
            router: "routing_strategy: least-busy")
        defer { tier.end() }
        tier.upstream.script("first", presets: ["silent"])
        let clients = try engage(tier, "first")
        // All workers know that it is busy.
        for _ in 0..<16 { #expect(try tier.ask().deployment != "first") }
        tier.upstream.script("first", presets: ["ok"])
        try killWorkers(tier)
        #expect(waitUntil(seconds: 10) { deployment(tier) == "first" })
        #expect(!clients.isEmpty)
    }

    @Test func theProbeOfAKilledWorkerIsNotTheLast() throws {
        let tier = try FailingTier(
            [Member(group: "main", id: "first", settings: "weight: 1, cooldown_time: 1"), .second])
        defer { tier.end() }
        tier.upstream.script("first", presets: ["429", "silent"])
        #expect(try tier.ask().deployment == "second")
        let clients = try engage(tier, "first")
        tier.upstream.script("first", presets: ["ok"])
        try killWorkers(tier)
        #expect(waitUntil(seconds: 10) { deployment(tier) == "first" })
        for _ in 0..<8 { #expect(try tier.ask().deployment == "first") }
        #expect(!clients.isEmpty)
    }
}
