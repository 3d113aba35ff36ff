import Testing

@testable import Shared
@testable import tagway

/// Workers that are replaced, killed for silence, announced to leave, and taken over.
@Suite struct RenewalTests {
    typealias Driven = FleetTests.Driven

    private func news(_ actions: [Fleet.Action]) -> [Fleet.News] {
        actions.compactMap { if case .tell(let news) = $0 { news } else { nil } }
    }

    private func spawned(_ actions: [Fleet.Action]) -> [Int] {
        actions.compactMap { if case .spawn(let id, _, _) = $0 { id } else { nil } }
    }

    private func departures(_ actions: [Fleet.Action]) -> [Departure] {
        news(actions).compactMap { if case .workerExited(let departure) = $0 { departure } else { nil } }
    }

    @Test func slotsAreRenewedOneAfterTheOther() {
        var driven = Driven.serving(3)
        driven.handle(.renew([0, 1, 2], .replaced, reason: "upgraded"))
        #expect(spawned(driven.take()) == [4])
        driven.becomeReady(4)
        var actions = driven.take()
        #expect(actions.contains(.send(1, .drain)))
        #expect(!actions.contains(.send(2, .drain)))
        #expect(spawned(actions) == [5])
        driven.becomeReady(5)
        #expect(spawned(driven.take()) == [6])
        driven.becomeReady(6)
        actions = driven.take()
        #expect(news(actions).contains(.renewed(3)))
        #expect(!driven.fleet.isRenewing)
        driven.handle(.exited(1, .code(0), lost: 0))
        let departure = departures(driven.take()).first
        #expect(departure?.kind == .drained)
        #expect(departure?.reason == "upgraded")
        #expect(driven.fleet.readyCount == 3)
    }

    @Test func aRecycledWorkerIsNoDeath() {
        var driven = Driven.serving(1)
        driven.handle(.renew([0], .recycled, reason: "5 s old"))
        driven.becomeReady(2)
        _ = driven.take()
        driven.handle(.exited(1, .code(0), lost: 0))
        let departure = departures(driven.take()).first
        #expect(departure?.kind == .recycled)
        #expect(departure?.isExpected == true)
        #expect(driven.fleet.deaths(of: 0) == 0)
    }

    @Test func twoSuccessorsThatDoNotStartEndARenewalAndTheOldOnesStay() {
        var driven = Driven.serving(2)
        driven.handle(.renew([0, 1], .replaced, reason: "upgraded"))
        driven.handle(.exited(3, .code(70), lost: 0))
        #expect(driven.fleet.isRenewing)
        driven.pass(.seconds(1))
        let next = spawned(driven.take()).last ?? 0
        driven.handle(.exited(next, .code(70), lost: 0))
        let actions = driven.take()
        #expect(news(actions).contains { if case .renewalFailed = $0 { true } else { false } })
        #expect(!driven.fleet.isRenewing)
        #expect(driven.fleet.readyCount == 2)
        driven.pass(.seconds(30))
        #expect(spawned(driven.take()).isEmpty)
        // Who stays is a full member again: its death is answered.
        driven.handle(.exited(1, .signal(9), lost: 0))
        driven.pass(.seconds(11))
        #expect(spawned(driven.take()).count == 1)
    }

    @Test func aPredecessorThatDiesDuringItsRenewalIsReplacedByTheSuccessorUnderWay() {
        var driven = Driven.serving(1)
        driven.handle(.renew([0], .replaced, reason: "x"))
        _ = driven.take()
        driven.handle(.exited(1, .signal(11), lost: 0))
        #expect(spawned(driven.take()).isEmpty)
        driven.becomeReady(2)
        #expect(!driven.fleet.isRenewing)
        #expect(driven.fleet.readyCount == 1)
    }

    // MARK: Hangs

    @Test func aHungWorkerIsAbortedThenKilledThenReplaced() {
        var driven = Driven.serving()
        driven.handle(.hung(1, silence: .seconds(10)))
        var actions = driven.take()
        #expect(actions.contains(.kill(1, .abort)))
        #expect(news(actions).contains(.workerHung(1, silence: .seconds(10))))
        driven.pass(.milliseconds(1999))
        #expect(driven.take().isEmpty)
        driven.pass(.milliseconds(2))
        #expect(driven.take() == [.kill(1, .kill)])
        driven.pass(.seconds(5))
        #expect(driven.take().isEmpty)
        driven.handle(.exited(1, .signal(9), lost: 4))
        actions = driven.take()
        #expect(departures(actions).first?.kind == .watchdog)
        #expect(spawned(actions) == [3])
    }

    @Test func aHungWorkerFailsTheReloadThatWaitsForIt() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        driven.handle(.said(2, .prepared(generation: 2)))
        driven.handle(.hung(1, silence: .seconds(10)))
        let outcomes = news(driven.take()).compactMap { if case .reloaded(let outcome) = $0 { outcome } else { nil } }
        #expect(outcomes.map(\.refusal) == ["slot 0: it hangs"])
        #expect(driven.fleet.generation == 1)
    }

    // MARK: The end

    @Test func aLameDuckIsAnnouncedBeforeItDrains() {
        var driven = Driven.serving()
        driven.fleet.timing.lameDuck = .seconds(5)
        driven.handle(.stop)
        #expect(driven.take() == [.send(1, .lameDuck), .send(2, .lameDuck)])
        driven.pass(.milliseconds(4999))
        #expect(driven.take().isEmpty)
        driven.pass(.milliseconds(2))
        let actions = driven.take()
        #expect(actions.first == .closeListeners)
        #expect(actions.contains(.send(1, .drain)) && actions.contains(.send(2, .drain)))
    }

    @Test func asSecondStopEndsTheLameDuck() {
        var driven = Driven.serving(1)
        driven.fleet.timing.lameDuck = .seconds(5)
        driven.handle(.stop)
        _ = driven.take()
        driven.handle(.stop)
        let actions = driven.take()
        #expect(actions.contains(.closeListeners))
        #expect(actions.contains(.send(1, .drain)))
        #expect(actions.contains(.send(1, .finish)))
    }

    @Test func noWorkerForTooLongGivesUp() {
        var driven = Driven.serving(1)
        driven.fleet.timing.noWorker = .seconds(60)
        driven.handle(.exited(1, .signal(9), lost: 0))
        for _ in 0..<70 {
            driven.pass(.seconds(1))
            for id in spawned(driven.take()) { driven.handle(.exited(id, .signal(9), lost: 0)) }
        }
        for id in driven.fleet.workers.keys { driven.handle(.exited(id, .signal(9), lost: 0)) }
        driven.handle(.clock)
        #expect(driven.fleet.exitCode == ExitCode.timeout)
    }

    // MARK: Adoption

    @Test func workersOfAnEarlierImageServeOnUntilTheyAreRenewed() {
        let before = Driven.serving(2)
        var driven = Driven()
        driven.now = before.now
        driven.handle(.adopt(before.fleet.sorted, slots: before.fleet.slots, workers: 2, generation: 1))
        #expect(driven.take().isEmpty)
        #expect(driven.fleet.hasStarted)
        #expect(driven.fleet.readyCount == 2)
        driven.handle(.renew([0, 1], .replaced, reason: "upgraded"))
        #expect(driven.take().first == .spawn(3, slot: 0, incarnation: 2))
        driven.becomeReady(3)
        driven.becomeReady(4)
        #expect(!driven.fleet.isRenewing)
    }

    @Test func whoHadNotStartedIsStartedByTheNewImage() {
        var before = Driven.serving(2)
        before.handle(.exited(1, .signal(9), lost: 0))
        var driven = Driven()
        driven.now = before.now
        driven.handle(.adopt(before.fleet.sorted, slots: before.fleet.slots, workers: 2, generation: 1))
        let actions = driven.take()
        #expect(actions.contains(.kill(3, .kill)))
        #expect(spawned(actions) == [4])
        driven.handle(.exited(3, .signal(9), lost: 0))
        #expect(spawned(driven.take()).isEmpty)
    }

    // MARK: How a worker ended

    struct End: Sendable {
        var phase: Fleet.Worker.Phase
        var cause: Fleet.Cause?
        var wasReady = true
        var status: Shared.ExitStatus
        var kind: Departure.Kind
    }

    @Test(arguments: [
        End(phase: .draining, cause: .stopped, status: .code(0), kind: .drained),
        End(phase: .draining, cause: .replaced, status: .code(8), kind: .drained),
        End(phase: .draining, cause: .recycled, status: .code(0), kind: .recycled),
        End(phase: .draining, cause: .replaced, status: .signal(11), kind: .signal),
        End(phase: .killed, cause: .overdue, status: .signal(9), kind: .deadline),
        End(phase: .killed, cause: .stopped, status: .signal(9), kind: .deadline),
        End(phase: .killed, cause: .watchdog, status: .signal(6), kind: .watchdog),
        End(phase: .killed, cause: .notReady, wasReady: false, status: .signal(9), kind: .bootFailed),
        End(phase: .killed, cause: .brokenProtocol, status: .signal(9), kind: .brokenProtocol),
        End(phase: .ready, cause: nil, status: .code(0), kind: .exit),
        End(phase: .ready, cause: nil, status: .code(70), kind: .exit),
        End(phase: .ready, cause: nil, status: .signal(9), kind: .signal),
        End(phase: .starting, cause: nil, wasReady: false, status: .code(1), kind: .bootFailed),
    ])
    func everyEndHasAName(_ end: End) {
        let start = Instant(nanoseconds: 1)
        let worker = Fleet.Worker(
            id: 1, slot: 0, incarnation: 1, phase: end.phase, startedAt: start, readyAt: end.wasReady ? start : nil,
            killAt: .never, cause: end.cause)
        #expect(Departure(worker, end.status, lost: 0, nextTry: nil).kind == end.kind)
    }
}
