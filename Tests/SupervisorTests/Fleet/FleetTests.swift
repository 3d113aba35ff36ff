import Testing

@testable import Shared
@testable import tagway

@Suite struct FleetTests {
    /// A fleet and what it has decided since it was last asked.
    struct Driven {
        var fleet = Fleet(seed: 1)
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var actions: [Fleet.Action] = []

        mutating func handle(_ event: Fleet.Event) {
            actions += fleet.handle(event, now: now)
        }

        mutating func take() -> [Fleet.Action] {
            defer { actions = [] }
            return actions
        }

        mutating func pass(_ time: TimeSpan) {
            now = now + time
            handle(.clock)
        }

        /// What a good worker answers until it serves.
        mutating func becomeReady(_ id: Int) {
            let generation = fleet.generation
            handle(.said(id, .prepared(generation: generation)))
            handle(.said(id, .committed(generation: generation)))
            handle(.said(id, .ready(generation: generation)))
        }

        /// Workers 1 and 2, serving generation 1.
        static func serving(_ count: Int = 2) -> Driven {
            var driven = Driven()
            driven.handle(.start(workers: count, generation: 1))
            for id in 1...count { driven.becomeReady(id) }
            _ = driven.take()
            return driven
        }
    }

    private func news(_ actions: [Fleet.Action]) -> [Fleet.News] {
        actions.compactMap { if case .tell(let news) = $0 { news } else { nil } }
    }

    private func outcomes(_ actions: [Fleet.Action]) -> [Fleet.ReloadOutcome] {
        news(actions).compactMap { if case .reloaded(let outcome) = $0 { outcome } else { nil } }
    }

    /// All but what is only told.
    private func orders(_ actions: [Fleet.Action]) -> [Fleet.Action] {
        actions.filter { if case .tell = $0 { false } else { true } }
    }

    private func spawned(_ actions: [Fleet.Action]) -> [Int] {
        actions.compactMap { if case .spawn(let id, _, _) = $0 { id } else { nil } }
    }

    // MARK: Start

    @Test func aStartIsReadyWhenTheLastWorkerIs() {
        var driven = Driven()
        driven.handle(.start(workers: 2, generation: 1))
        #expect(
            driven.take() == [
                .spawn(1, slot: 0, incarnation: 1), .send(1, .prepare(generation: 1)),
                .spawn(2, slot: 1, incarnation: 1), .send(2, .prepare(generation: 1)),
            ])
        driven.handle(.said(1, .prepared(generation: 1)))
        #expect(driven.take() == [.send(1, .commit(generation: 1))])
        driven.handle(.said(1, .committed(generation: 1)))
        driven.handle(.said(1, .ready(generation: 1)))
        #expect(!driven.fleet.hasStarted)
        driven.now = driven.now + .milliseconds(7)
        driven.becomeReady(2)
        #expect(driven.fleet.hasStarted)
        #expect(news(driven.take()).contains(.ready(took: .milliseconds(7))))
    }

    @Test func threeWorkersInARowThatDoNotStartEndTheStart() {
        var driven = Driven()
        driven.handle(.start(workers: 1, generation: 1))
        var last = 1
        for _ in 0..<2 {
            driven.handle(.exited(last, .code(70), lost: 0))
            driven.pass(.seconds(1))
            last = spawned(driven.take()).last ?? 0
        }
        driven.handle(.exited(last, .code(70), lost: 0))
        #expect(driven.take().contains(.exit(ExitCode.failed)))
    }

    @Test func aConfigurationThatWorkersRefuseEndsTheStart() {
        var driven = Driven()
        driven.handle(.start(workers: 2, generation: 1))
        driven.handle(.said(1, .refused(generation: 1, reason: "no")))
        #expect(driven.take().contains(.kill(1, .kill)))
        driven.handle(.exited(1, .signal(9), lost: 0))
        driven.handle(.exited(2, .signal(9), lost: 0))
        #expect(driven.take().contains(.exit(ExitCode.configuration)))
    }

    @Test func aWorkerThatHangsAtItsStartIsReplaced() {
        var driven = Driven.serving(1)
        driven.handle(.exited(1, .signal(9), lost: 0))
        let second = spawned(driven.take())
        #expect(second == [2])
        driven.pass(.seconds(11))
        #expect(driven.take().contains(.kill(2, .kill)))
    }

    // MARK: Death

    @Test func theFirstDeathIsRepairedAtOnceAndTheOthersAreAskedToAccept() {
        var driven = Driven.serving()
        driven.handle(.exited(1, .signal(9), lost: 3))
        let actions = driven.take()
        #expect(spawned(actions) == [3])
        #expect(actions.contains(.send(2, .poke)))
        guard case .workerExited(let departure)? = news(actions).first else {
            Issue.record("no word of the death: \(actions)")
            return
        }
        #expect(departure.reason == "SIGKILL, maybe out of memory")
        #expect(departure.kind == .signal && !departure.isExpected && departure.lost == 3)
        #expect(departure.nextTry == TimeSpan(nanoseconds: 0))
    }

    @Test func repeatedDeathsOfOneSlotWaitLongerAndDoNotDelayOthers() {
        var driven = Driven.serving()
        var id = 1
        var waits: [Int] = []
        var loops = 0
        for _ in 0..<9 {
            driven.handle(.exited(id, .signal(11), lost: 0))
            let actions = driven.take()
            for one in news(actions) {
                if case .workerExited(let departure) = one, let wait = departure.nextTry {
                    waits.append(wait.milliseconds)
                }
                if case .crashLoop(slot: 0, _) = one { loops += 1 }
            }
            driven.now = driven.fleet.nextDeadline == .never ? driven.now : max(driven.now, driven.fleet.nextDeadline)
            driven.handle(.clock)
            id = spawned(actions + driven.take()).last ?? 0
            driven.becomeReady(id)
            _ = driven.take()
        }
        #expect(waits.first == 0)
        for (index, base) in [100, 200, 400, 800, 1600, 3200, 6400, 10_000].enumerated() {
            #expect((base * 8 / 10 - 1...base * 12 / 10 + 1).contains(waits[index + 1]))
        }
        #expect(loops == 1)
        #expect(driven.fleet.isDegraded)
        driven.handle(.exited(2, .signal(9), lost: 0))
        #expect(spawned(driven.take()).count == 1)
    }

    @Test func thirtySecondsOfHealthMakeUpForFormerDeaths() {
        var driven = Driven.serving(1)
        driven.handle(.exited(1, .signal(9), lost: 0))
        driven.becomeReady(2)
        _ = driven.take()
        driven.pass(.seconds(31))
        driven.handle(.exited(2, .signal(9), lost: 0))
        #expect(spawned(driven.take()) == [3])
    }

    @Test func aWorkerThatWasToldToEndIsReplacedFirst() {
        var driven = Driven.serving()
        driven.handle(.said(1, .leaving))
        #expect(spawned(driven.take()) == [3])
        driven.handle(.said(1, .leaving))
        #expect(driven.take().isEmpty)
        driven.becomeReady(3)
        #expect(driven.take().contains(.send(1, .drain)))
        driven.handle(.exited(1, .code(0), lost: 0))
        #expect(spawned(driven.take()).isEmpty)
        #expect(driven.fleet.readyCount == 2)
    }

    @Test func aChannelThatEndsIsFollowedByTheProcessOrItsKill() {
        var driven = Driven.serving()
        driven.handle(.broke(1, nil))
        #expect(driven.take().isEmpty)
        driven.pass(.milliseconds(1001))
        #expect(driven.take() == [.kill(1, .kill)])
        driven.handle(.broke(1, "again"))
        driven.pass(.seconds(2))
        #expect(driven.take().isEmpty)
    }

    // MARK: Reload

    @Test func aReloadIsDecidedWhenAllHavePreparedAndDoneWhenAllHaveCommitted() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        #expect(driven.take() == [.send(1, .prepare(generation: 2)), .send(2, .prepare(generation: 2))])
        driven.handle(.said(1, .prepared(generation: 2)))
        #expect(driven.take().isEmpty)
        #expect(driven.fleet.generation == 1)
        driven.handle(.said(2, .prepared(generation: 2)))
        #expect(driven.take() == [.send(1, .commit(generation: 2)), .send(2, .commit(generation: 2))])
        #expect(driven.fleet.generation == 2)
        driven.handle(.said(1, .committed(generation: 2)))
        #expect(outcomes(driven.take()).isEmpty)
        driven.handle(.said(2, .committed(generation: 2)))
        #expect(outcomes(driven.take()).map(\.refusal) == [nil])
        #expect(!driven.fleet.isReloading)
    }

    @Test func oneRefusalChangesNothing() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        driven.handle(.said(1, .prepared(generation: 2)))
        _ = driven.take()
        driven.handle(.said(2, .refused(generation: 2, reason: "no such authority")))
        let actions = driven.take()
        #expect(actions.contains(.send(1, .abort(generation: 2))))
        #expect(outcomes(actions).map(\.refusal) == ["slot 1: no such authority"])
        #expect(driven.fleet.generation == 1)
        driven.handle(.said(2, .prepared(generation: 2)))
        #expect(driven.take().isEmpty)
    }

    @Test func aWorkerThatDoesNotAnswerFailsTheReloadAndIsReplaced() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        driven.handle(.said(1, .prepared(generation: 2)))
        _ = driven.take()
        driven.pass(.milliseconds(5001))
        let actions = driven.take()
        #expect(actions.contains(.kill(2, .kill)))
        #expect(actions.contains(.send(1, .abort(generation: 2))))
        #expect(outcomes(actions).count == 1)
        #expect(outcomes(actions).first?.refusal != nil)
        #expect(driven.fleet.generation == 1)
    }

    @Test func aWorkerThatDiesMeanwhileDoesNotFailTheReload() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        driven.handle(.said(1, .prepared(generation: 2)))
        _ = driven.take()
        driven.handle(.exited(2, .signal(9), lost: 0))
        let actions = driven.take()
        #expect(actions.contains(.send(1, .commit(generation: 2))))
        driven.handle(.said(1, .committed(generation: 2)))
        #expect(outcomes(driven.take()).map(\.refusal) == [nil])
        // Its successor was told of the old one before the decision, and is taken along.
        driven.handle(.said(3, .prepared(generation: 1)))
        #expect(driven.take() == [.send(3, .prepare(generation: 2))])
        driven.becomeReady(3)
        #expect(driven.fleet.workers[3]?.generation == 2)
    }

    @Test func aWorkerThatDoesNotConfirmIsReplacedAndTheReloadCounts() {
        var driven = Driven.serving()
        driven.handle(.reload(generation: 2))
        driven.handle(.said(1, .prepared(generation: 2)))
        driven.handle(.said(2, .prepared(generation: 2)))
        driven.handle(.said(1, .committed(generation: 2)))
        _ = driven.take()
        driven.pass(.milliseconds(2001))
        let actions = driven.take()
        #expect(actions.contains(.kill(2, .kill)))
        #expect(outcomes(actions).map(\.refusal) == [nil])
    }

    @Test func aWorkerThatGotReadyDuringAReloadCatchesUp() {
        var driven = Driven.serving(1)
        driven.handle(.resize(2))
        driven.handle(.reload(generation: 2))
        _ = driven.take()
        driven.becomeReady(2)
        #expect(driven.fleet.workers[2]?.generation == 1)
        _ = driven.take()
        driven.handle(.said(1, .prepared(generation: 2)))
        let actions = driven.take()
        #expect(actions.contains(.send(1, .commit(generation: 2))))
        #expect(actions.contains(.send(2, .prepare(generation: 2))))
    }

    @Test func aWorkerThatCatchesUpIsAskedForTheNextOnceItHas() {
        var driven = Driven.serving(2)
        driven.handle(.exited(1, .signal(9), lost: 0))
        driven.handle(.said(3, .prepared(generation: 1)))
        driven.handle(.reload(generation: 2))
        driven.handle(.said(2, .prepared(generation: 2)))
        driven.handle(.said(2, .committed(generation: 2)))
        driven.handle(.said(3, .committed(generation: 1)))
        driven.handle(.said(3, .ready(generation: 1)))
        #expect(driven.take().last == .send(3, .prepare(generation: 2)))
        driven.handle(.reload(generation: 3))
        #expect(driven.take() == [.send(2, .prepare(generation: 3))])
        driven.handle(.said(2, .prepared(generation: 3)))
        driven.handle(.said(3, .prepared(generation: 2)))
        #expect(driven.take() == [.send(3, .commit(generation: 2))])
        driven.handle(.said(3, .committed(generation: 2)))
        #expect(driven.take() == [.send(3, .prepare(generation: 3))])
        driven.handle(.said(3, .prepared(generation: 3)))
        #expect(driven.take() == [.send(3, .commit(generation: 3)), .send(2, .commit(generation: 3))])
    }

    @Test func aReloadDoesNotWaitForOneThatDiesWhileItCatchesUp() {
        var driven = Driven.serving(2)
        driven.handle(.exited(1, .signal(9), lost: 0))
        driven.handle(.said(3, .prepared(generation: 1)))
        driven.handle(.reload(generation: 2))
        driven.handle(.said(2, .prepared(generation: 2)))
        driven.handle(.said(2, .committed(generation: 2)))
        driven.handle(.said(3, .committed(generation: 1)))
        driven.handle(.said(3, .ready(generation: 1)))
        driven.handle(.reload(generation: 3))
        driven.handle(.said(2, .prepared(generation: 3)))
        _ = driven.take()
        driven.handle(.exited(3, .signal(9), lost: 0))
        #expect(driven.take().contains(.send(2, .commit(generation: 3))))
    }

    // MARK: Size

    @Test func moreWorkersStartAndFewerDrainFromTheEnd() {
        var driven = Driven.serving()
        driven.handle(.resize(3))
        #expect(spawned(driven.take()) == [3])
        driven.becomeReady(3)
        driven.handle(.resize(1))
        let actions = driven.take()
        #expect(actions.contains(.send(2, .drain)))
        #expect(actions.contains(.send(3, .drain)))
        driven.handle(.exited(2, .code(0), lost: 0))
        driven.handle(.exited(3, .signal(9), lost: 0))
        #expect(spawned(driven.take()).isEmpty)
        driven.handle(.resize(0))
        #expect(driven.take().isEmpty)
        #expect(driven.fleet.size == 1)
    }

    // MARK: End

    @Test func aStopEndsWhenTheLastWorkerHas() {
        var driven = Driven.serving()
        driven.handle(.stop)
        #expect(orders(driven.take()) == [.closeListeners, .send(1, .drain), .send(2, .drain)])
        driven.handle(.exited(1, .code(0), lost: 0))
        #expect(!driven.take().contains(.exit(0)))
        driven.handle(.exited(2, .code(0), lost: 0))
        #expect(driven.take().last == .exit(0))
    }

    @Test func whatIsOpenAtTheDeadlineIsCutAndSaid() {
        var driven = Driven.serving(1)
        driven.fleet.timing.drain = .seconds(20)
        driven.handle(.stop)
        _ = driven.take()
        driven.pass(.milliseconds(14_999))
        #expect(driven.take().isEmpty)
        driven.pass(.milliseconds(2))
        #expect(driven.take() == [.send(1, .finish)])
        driven.pass(.seconds(5))
        #expect(driven.take() == [.kill(1, .kill)])
        driven.handle(.exited(1, .signal(9), lost: 2))
        #expect(driven.take().last == .exit(ExitCode.cut))
    }

    @Test func asSecondStopDoesNotWaitAndAThirdKills() {
        var driven = Driven.serving(1)
        driven.handle(.stop)
        _ = driven.take()
        driven.handle(.stop)
        #expect(driven.take() == [.send(1, .finish)])
        driven.handle(.stop)
        #expect(driven.take() == [.kill(1, .kill)])
    }

    @Test func aStopDuringAReloadFailsIt() {
        var driven = Driven.serving(1)
        driven.handle(.reload(generation: 2))
        _ = driven.take()
        driven.handle(.stop)
        #expect(outcomes(driven.take()).map(\.refusal) == ["stopping"])
        driven.handle(.reload(generation: 3))
        #expect(outcomes(driven.take()).map(\.refusal) == ["stopping"])
    }

    @Test func aStopAtOnceWaitsForNothing() {
        var driven = Driven.serving()
        driven.handle(.stopNow)
        #expect(driven.take() == [.closeListeners, .kill(1, .kill), .kill(2, .kill)])
    }
}
