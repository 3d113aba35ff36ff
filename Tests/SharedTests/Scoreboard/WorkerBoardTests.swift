import Testing

@testable import Shared

@Suite struct WorkerBoardTests {
    let scoreboard: Scoreboard
    let board: WorkerBoard

    init() throws {
        scoreboard = try Scoreboard()
        scoreboard.prepare(3, slot: 0)
        board = WorkerBoard(scoreboard, block: 3)
    }

    private func begin(_ id: String, at nanoseconds: Int64 = 5) -> Int {
        board.begin(id: Array(id.utf8), 0..<id.utf8.count, now: Instant(nanoseconds: nanoseconds))
    }

    @Test func aRequestIsReadableByOthersWhileItIsUnderWay() throws {
        let place = begin("call-1", at: 42)
        board.describe(place, model: Array("xgpt".utf8), 1..<4, tag: Array("free".utf8), 0..<4)
        board.sent(place, 17)
        // As another process would see it.
        let other = try Scoreboard(mapping: scoreboard.memory.descriptor)
        let request = try #require(other.requestsInFlight(of: 3).first)
        #expect(
            request
                == RequestInFlight(
                    id: "call-1", model: "gpt", tag: "free", begun: Instant(nanoseconds: 42), bytesSent: 17,
                    phase: .sending))
        #expect(other.figures(of: 3).inFlight == 1)
        board.flushed(place)
        #expect(other.requestsInFlight(of: 3).first?.phase == .flushed)
        board.end(place)
        #expect(other.requestsInFlight(of: 3).isEmpty)
        #expect(other.figures(of: 3).inFlight == 0)
        #expect(other.figures(of: 3).requests == 1)
    }

    @Test func aPlaceIsUsedAgainAndForgetsItsFormerRequest() {
        let first = begin("first")
        board.describe(first, model: Array("m".utf8), 0..<1, tag: Array("t".utf8), 0..<1)
        board.sent(first, 9)
        board.end(first)
        let second = begin("second")
        #expect(second == first)
        #expect(board.hasRequestsInFlight)
        let request = board.requestsInFlight().first
        #expect(request?.id == "second")
        #expect(request?.model == "")
        #expect(request?.bytesSent == 0)
        #expect(request?.phase == .begun)
    }

    @Test func aFullTableStillCounts() {
        var places: [Int] = []
        for _ in 0..<WorkerBlock.entries { places.append(begin("x")) }
        let beyond = begin("beyond")
        #expect(beyond == WorkerBoard.untracked)
        board.sent(beyond, 1)
        board.flushed(beyond)
        #expect(scoreboard.figures(of: 3).inFlight == WorkerBlock.entries + 1)
        #expect(scoreboard.figures(of: 3).untracked == 1)
        board.end(beyond)
        for place in places { board.end(place) }
        #expect(scoreboard.figures(of: 3).inFlight == 0)
        #expect(board.requestsInFlight().isEmpty)
        #expect(!board.hasRequestsInFlight)
    }

    @Test func longTextsAreCut() {
        let place = begin(String(repeating: "i", count: 500))
        board.describe(
            place, model: [UInt8](repeating: 0x6D, count: 200), 0..<200, tag: [UInt8](repeating: 0x74, count: 65),
            0..<65)
        let request = board.requestsInFlight().first
        #expect(request?.id.count == WorkerBlock.textBytes)
        #expect(request?.model.count == WorkerBlock.textBytes)
        #expect(request?.tag == String(repeating: "t", count: WorkerBlock.textBytes))
    }

    @Test func aBlockIsEmptyForItsNextWorker() {
        _ = begin("lost")
        board.beat(Instant(nanoseconds: 1))
        scoreboard.prepare(3, slot: 0)
        #expect(scoreboard.requestsInFlight(of: 3).isEmpty)
        #expect(scoreboard.figures(of: 3) == WorkerFigures())
    }

    @Test func aWorkerAboveItsShareLeavesConnectionsToOthers() {
        let now = Instant(nanoseconds: 10_000_000_000)
        scoreboard.prepare(4, slot: 1)
        let other = WorkerBoard(scoreboard, block: 4)
        for one in [board, other] {
            one.setAccepting(true)
            one.beat(now)
        }
        board.setConnections(100)
        other.setConnections(10)
        #expect(!board.mayAccept(now: now))
        #expect(other.mayAccept(now: now))
        // Nobody would be left: the other one hangs, or drains.
        #expect(board.mayAccept(now: now + .seconds(2)))
        other.beat(now)
        other.setAccepting(false)
        #expect(board.mayAccept(now: now))
    }

    @Test(arguments: [
        // Few are never too many.
        (own: 8, others: [0, 0, 0], may: true), (own: 9, others: [0, 0, 0], may: false),
        // 1.375 times the mean, then 1.25 times and 8.
        (own: 22, others: [14, 14, 14], may: true), (own: 23, others: [14, 14, 13], may: false),
        (own: 320, others: [239, 239, 239], may: true), (own: 340, others: [239, 239, 239], may: false),
    ])
    func whatIsClearlyMoreThanAShareDependsOnTheMean(own: Int, others: [Int], may: Bool) {
        let now = Instant(nanoseconds: 10_000_000_000)
        board.setAccepting(true)
        board.beat(now)
        board.setConnections(own)
        for (index, count) in others.enumerated() {
            scoreboard.prepare(4 + index, slot: 1 + index)
            let other = WorkerBoard(scoreboard, block: 4 + index)
            other.setAccepting(true)
            other.beat(now)
            other.setConnections(count)
        }
        #expect(board.mayAccept(now: now) == may)
    }

    @Test func publishedTextIsReadWholeOrNotAtAll() {
        scoreboard.publish(Array("first".utf8))
        #expect(scoreboard.published() == Array("first".utf8))
        scoreboard.publish(Array("second, longer".utf8))
        #expect(scoreboard.published() == Array("second, longer".utf8))
    }
}
