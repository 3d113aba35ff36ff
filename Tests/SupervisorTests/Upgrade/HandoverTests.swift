import Shared
import Testing

@testable import tagway

@Suite struct HandoverTests {
    private let now = Instant(nanoseconds: 5_000_000_000)

    private var handover: Handover {
        var metrics = SupervisorMetrics(lastReloadSeconds: 1_700_000_000)
        metrics.restarts[.init(slot: 1, kind: .watchdog)] = 3
        metrics.reloads = ["ok": 4, "failed": 1]
        metrics.isLastReloadGood = false
        metrics.lostRequests = 2
        metrics.overflows = 9
        let serving = Fleet.Worker(
            id: 7, slot: 0, incarnation: 3, phase: .ready, startedAt: now, readyAt: now, generation: 5,
            order: Fleet.Order(step: .commit, generation: 6, deadline: now), killAt: .never, isReplaced: true)
        let leaving = Fleet.Worker(
            id: 8, slot: 1, incarnation: 1, phase: .draining, startedAt: now, generation: 4, finishAt: now,
            killAt: now, cause: .recycled, reason: "12 s old")
        return Handover(
            image: Handover.Image(version: "0.1.0", build: "abc"), executable: 12, path: "/usr/bin/tagway",
            startedAt: now, begun: now, runDirectory: "/run/tagway", lock: 5, control: 6, clients: [30, 31],
            scoreboard: 7,
            listeners: [
                Handover.Listener(descriptor: 8, origin: .bound),
                Handover.Listener(descriptor: 9, origin: .systemd, storedAs: "listener-x"),
            ], generation: 5, lastGeneration: 6, lastReload: 7, configuration: [1, 2, 3],
            files: ["/c.yaml": .bytes([4, 5]), "/d.yaml": .unreadable(SystemError(call: "open", code: 2))],
            hasDrifted: true, startedFromKept: 77, condemned: [0], size: 2,
            cut: 1,
            workers: [
                Handover.Worker(worker: serving, process: 100, channel: 20, errors: 21, block: 0),
                Handover.Worker(worker: leaving, process: 101, channel: 22, errors: 23, block: 255),
            ],
            slots: [
                0: Fleet.Slot(incarnations: 3),
                1: Fleet.Slot(
                    incarnations: 1, backoff: Backoff(failures: 2), deaths: [now], bootFailures: 1, respawnAt: now,
                    isFailing: true),
            ], metrics: metrics, logLevel: .warn)
    }

    @Test func whatIsLeftIsFound() throws {
        #expect(try Handover(encoded: handover.encoded()) == handover)
        var plain = handover
        plain.condemned = nil
        plain.clients = []
        plain.workers = []
        #expect(try Handover(encoded: plain.encoded()) == plain)
    }

    @Test func everythingThatHasToStayOpenIsNamed() {
        #expect(handover.descriptors.sorted() == [5, 6, 7, 8, 9, 12, 20, 21, 22, 23, 30, 31])
    }

    @Test func whatIsCutOrOfAnotherFormatIsRefused() {
        let bytes = handover.encoded()
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: Handover.Failure.self) { try Handover(encoded: Array(bytes[..<count])) }
        }
        #expect(throws: Handover.Failure.self) { try Handover(encoded: bytes + [0]) }
        var newer = bytes
        newer[0] += 1
        #expect(throws: Handover.Failure.self) { try Handover(encoded: newer) }
    }

    /// Whatever the bytes say: refused, or read as something else, and no trap.
    @Test func garbledBytesNeverTrap() {
        let bytes = handover.encoded()
        var random = SeededRandom(seed: 17)
        var refused = 0
        for _ in 0..<3000 {
            var garbled = bytes
            garbled[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            if (try? Handover(encoded: garbled)) == nil { refused += 1 }
        }
        #expect(refused > 100)
    }

    @Test(arguments: [("7", 7, nil), ("12:it crashed: badly", 12, "it crashed: badly")] as [(String, Int32, String?)])
    func thePlaceIsInTheEnvironment(_ text: String, _ descriptor: Int32, _ reason: String?) throws {
        let place = try #require(Handover.Place(text))
        #expect(place == Handover.Place(descriptor: descriptor, reason: reason))
        #expect(place.text == text)
    }

    @Test(arguments: ["", "x", "2", "-1", ":why", "99999999999"])
    func anythingElseIsNoPlace(_ text: String) {
        #expect(Handover.Place(text) == nil)
    }
}

@Suite struct UpgradeProbeTests {
    private let image = Handover.Image(version: "0.2.0", build: "0123abcd")

    @Test func whoSaysWhatItIsIsFit() {
        let text = "config.yaml:3:1: warning: x\nfine\n" + UpgradeProbe.pass(image) + "\n"
        #expect(UpgradeProbe.verdict(.code(0), text) == .fit(image))
    }

    @Test func whoEndsWellAndSaysNothingIsNot() {
        #expect(
            UpgradeProbe.verdict(.code(0), "") == .unfit("it ended well, but is no tagway that can take over"))
        #expect(UpgradeProbe.verdict(.code(0), UpgradeProbe.pass(image) + "\nmore\n") != .fit(image))
    }

    @Test func whoFailsIsQuoted() {
        #expect(
            UpgradeProbe.verdict(.code(78), "a\ncannot be served: 1 error\n")
                == .unfit("exit status 78: cannot be served: 1 error"))
        #expect(UpgradeProbe.verdict(.signal(11), "") == .unfit("SIGSEGV"))
    }
}
