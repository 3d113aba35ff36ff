import Testing

@testable import Shared

/// The state of deployments as several workers see and change it.
@Suite struct DeploymentBoardTests {
    let scoreboard: Scoreboard
    let board: DeploymentBoard
    let other: DeploymentBoard
    let now = Instant(nanoseconds: 600_000_000_000)

    init() throws {
        scoreboard = try Scoreboard()
        scoreboard.usedDeployments = 4
        scoreboard.prepare(0, slot: 0)
        scoreboard.prepare(1, slot: 0)
        board = DeploymentBoard(scoreboard, block: 0)
        // As another process would see it.
        other = DeploymentBoard(try Scoreboard(mapping: scoreboard.memory.descriptor), block: 1)
    }

    /// Several threads at once, each with a mapping of its own, as workers are; what each of them answers.
    private func race<Result: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (DeploymentBoard, Int) -> Result
    ) async throws -> [Result] {
        let boards = try (0..<count).map { block in
            scoreboard.prepare(block, slot: 0)
            return Sent(DeploymentBoard(try Scoreboard(mapping: scoreboard.memory.descriptor), block: block))
        }
        return await withTaskGroup(of: Result.self) { group in
            for (block, sent) in boards.enumerated() { group.addTask { body(sent.board, block) } }
            var results: [Result] = []
            for await result in group { results.append(result) }
            return results
        }
    }

    /// A board that one task uses alone.
    private struct Sent: @unchecked Sendable {
        let board: DeploymentBoard
        init(_ board: DeploymentBoard) { self.board = board }
    }

    // MARK: Cooldown

    @Test func aCooldownIsNeverShortened() {
        #expect(board.cooldownEnd(of: 1).nanoseconds == 0)
        #expect(board.cool(1, until: now + .seconds(9)))
        #expect(!other.cool(1, until: now + .seconds(5)))
        #expect(!other.cool(1, until: now + .seconds(9)))
        #expect(other.cooldownEnd(of: 1) == now + .seconds(9))
        #expect(other.cool(1, until: now + .seconds(10)))
        #expect(board.cooldownEnd(of: 1) == now + .seconds(10))
        #expect(board.figures(of: 1).cooldowns == 2)
        #expect(board.cooldownEnd(of: 0).nanoseconds == 0 && board.cooldownEnd(of: 2).nanoseconds == 0)
    }

    @Test func theLatestOfManyCooldownsStays() async throws {
        _ = try await race(4) { board, block in
            for step in 0..<5000 { board.cool(2, until: Instant(nanoseconds: Int64(1 + step * 4 + block))) }
        }
        #expect(board.cooldownEnd(of: 2) == Instant(nanoseconds: 4 * 4999 + 4))
    }

    @Test func exactlyOneTakesTheProbe() async throws {
        let ends = (1...500).map { Instant(nanoseconds: Int64($0) * 1000) }
        for end in ends { board.cool(0, until: end) }
        var won = 0
        for end in ends.suffix(50) {
            scoreboard.clearDeployment(0)
            board.cool(0, until: end)
            won += try await race(4) { board, block in
                board.takeProbe(0, after: end, until: end + TimeSpan(nanoseconds: Int64(block) + 1))
            }.count { $0 }
        }
        #expect(won == 50)
    }

    @Test func aProbeEndsAsItWent() {
        let end = now
        let until = now + .seconds(5)
        board.cool(0, until: end)
        #expect(board.takeProbe(0, after: end, until: until))
        #expect(!other.takeProbe(0, after: end, until: until))
        board.endProbe(0, until: until, succeeded: false)
        // Half open again: the next one may go.
        let half = other.cooldownEnd(of: 0)
        #expect(half.nanoseconds != 0 && half < now)
        #expect(other.takeProbe(0, after: half, until: until))
        other.endProbe(0, until: until, succeeded: true)
        #expect(board.cooldownEnd(of: 0).nanoseconds == 0)
    }

    @Test func aLateProbeDoesNotEndACooldownThatCameAfterIt() {
        let until = now + .seconds(5)
        board.cool(0, until: now)
        #expect(board.takeProbe(0, after: now, until: until))
        other.cool(0, until: now + .seconds(30))
        board.endProbe(0, until: until, succeeded: true)
        #expect(board.cooldownEnd(of: 0) == now + .seconds(30))
    }

    // MARK: Outcomes

    @Test func aMinuteIsCountedByAll() {
        #expect(board.count(0, failed: false, at: now) == .init(total: 1, failed: 0))
        #expect(other.count(0, failed: true, at: now) == .init(total: 2, failed: 1))
        #expect(board.count(0, failed: true, at: now + .seconds(59)) == .init(total: 3, failed: 2))
        #expect(board.count(0, failed: false, at: now + .seconds(60)) == .init(total: 1, failed: 0))
        #expect(board.figures(of: 0).failures == 2)
    }

    @Test func noOutcomeIsLost() async throws {
        let now = now
        _ = try await race(4) { board, block in
            for step in 0..<2000 { board.count(3, failed: step % 4 == block, at: now) }
        }
        #expect(board.count(3, failed: false, at: now) == .init(total: 8001, failed: 2000))
        #expect(board.figures(of: 3).failures == 2000)
    }

    @Test func aWindowBeginsWithItsFirstFailure() {
        let window = TimeSpan.seconds(5)
        #expect(board.countInWindow(0, window, at: now) == 1)
        #expect(other.countInWindow(0, window, at: now + .milliseconds(4999)) == 2)
        #expect(board.countInWindow(0, window, at: now + .seconds(5)) == 1)
        #expect(board.countInWindow(0, window, at: now + .seconds(6)) == 2)
        board.restartWindow(0)
        #expect(other.countInWindow(0, window, at: now + .seconds(6)) == 1)
    }

    // MARK: Usage

    @Test func aLimitLetsThroughExactlyThatMany() async throws {
        let now = now
        let admitted = try await race(4) { board, _ in
            (0..<1000).count { _ in board.countRequest(0, limit: 1000, at: now) }
        }
        #expect(admitted.reduce(0, +) == 1000)
        #expect(board.requests(of: 0, at: now) == 1000)
        #expect(!board.countRequest(0, limit: 1000, at: now + .seconds(59)))
        #expect(board.requests(of: 0, at: now + .seconds(60)) == 0)
        #expect(board.countRequest(0, limit: 1, at: now.endOfMinute))
        #expect(!board.countRequest(0, limit: 1, at: now.endOfMinute))
        #expect(!board.countRequest(1, limit: 0, at: now))
    }

    @Test func tokensAreAddedUpWithinAMinute() async throws {
        let now = now
        _ = try await race(4) { board, _ in
            for _ in 0..<1000 { board.addTokens(0, 3, at: now) }
        }
        #expect(board.tokens(of: 0, at: now) == 12_000)
        board.addTokens(0, -5, at: now)
        #expect(other.tokens(of: 0, at: now) == 12_000)
        for _ in 0..<3 { board.addTokens(0, .max, at: now) }
        #expect(board.tokens(of: 0, at: now) == 0xFFFF_FFFF)
        board.addTokens(0, 7, at: now.endOfMinute)
        #expect(board.tokens(of: 0, at: now.endOfMinute) == 7)
    }

    @Test func aMinuteEndsWithTheNextOne() {
        #expect(now.endOfMinute == now + .seconds(60))
        #expect((now + .milliseconds(59_999)).endOfMinute == now + .seconds(60))
    }

    // MARK: Latencies

    @Test func theMeanIsOfTheLastTen() {
        func mean(_ isStream: Bool = false) -> Int64 {
            other.latency(of: 0, isStream: isStream, lifetime: .seconds(3600), at: now)
        }
        #expect(mean() == 0)
        for number in 1...25 { board.note(0, .milliseconds(number), isStream: false, at: now) }
        // 16 to 25.
        #expect(mean() == 20_500_000)
        #expect(mean(true) == 0)
        board.note(0, .milliseconds(4), isStream: true, at: now)
        #expect(mean(true) == 4_000_000 && mean() == 20_500_000)
        // Even the fastest one is not "none yet".
        board.note(1, TimeSpan(nanoseconds: 0), isStream: false, at: now)
        #expect(board.latency(of: 1, isStream: false, lifetime: .seconds(1), at: now) > 0)
    }

    @Test func oldLatenciesDoNotCount() {
        board.note(0, .milliseconds(10), isStream: false, at: now)
        board.note(0, .milliseconds(20), isStream: false, at: now + .seconds(100))
        func mean(_ lifetime: Int) -> Int64 {
            board.latency(of: 0, isStream: false, lifetime: .seconds(lifetime), at: now + .seconds(110))
        }
        #expect(mean(200) == 15_000_000)
        #expect(mean(50) == 20_000_000)
        #expect(mean(5) == 0)
    }

    // MARK: Attempts under way

    @Test func attemptsOfADeadWorkerAreNoLongerUnderWay() {
        board.beginAttempt(0)
        board.beginAttempt(0)
        other.beginAttempt(0)
        other.beginAttempt(3)
        #expect(board.inFlight(of: 0) == 3 && other.inFlight(of: 0) == 3)
        board.endAttempt(0)
        #expect(other.inFlight(of: 0) == 2)
        scoreboard.prepare(1, slot: 0)
        #expect(board.inFlight(of: 0) == 1 && board.inFlight(of: 3) == 0)
        // What ends after that was counted for its predecessor.
        other.endAttempt(0)
        #expect(board.inFlight(of: 0) == 1)
        #expect(board.figures(of: 0).attempts == 3)
    }

    @Test func aPlaceIsEmptyForItsNextDeployment() {
        board.cool(1, until: .never)
        board.count(1, failed: true, at: now)
        _ = board.countRequest(1, limit: 9, at: now)
        board.addTokens(1, 9, at: now)
        board.note(1, .seconds(1), isStream: true, at: now)
        board.cool(2, until: .never)
        scoreboard.clearDeployment(1)
        #expect(
            board.figures(of: 1)
                == DeploymentFigures(
                    attempts: 0, failures: 0, cooldowns: 0, inFlight: 0, cooldownEnd: Instant(nanoseconds: 0)))
        #expect(board.requests(of: 1, at: now) == 0 && board.tokens(of: 1, at: now) == 0)
        #expect(board.latency(of: 1, isStream: true, lifetime: .seconds(9), at: now) == 0)
        #expect(board.count(1, failed: false, at: now) == .init(total: 1, failed: 0))
        #expect(board.cooldownEnd(of: 2) == .never)
    }
}
