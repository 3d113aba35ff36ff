import Testing

@testable import Shared
@testable import tagway

@Suite struct ProbationTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func crash(_ probation: inout Probation, slot: Int, at now: Instant) -> Bool {
        probation.crashed(slot: slot, now: now)
    }

    @Test func twoSlotsThatCrashBringTheFormerGenerationBack() {
        var probation = Probation()
        probation.committed(length: .seconds(30), now: start)
        #expect(!crash(&probation, slot: 0, at: start + .seconds(1)))
        #expect(crash(&probation, slot: 1, at: start + .seconds(2)))
        #expect(!crash(&probation, slot: 0, at: start + .seconds(3)))
    }

    @Test func threeCrashesOfOneSlotDoSoToo() {
        var probation = Probation()
        probation.committed(length: .seconds(30), now: start)
        #expect(!crash(&probation, slot: 0, at: start))
        #expect(!crash(&probation, slot: 0, at: start))
        #expect(crash(&probation, slot: 0, at: start))
    }

    @Test func afterTheProbationOrWithoutOneNothingComesBack() {
        var probation = Probation()
        probation.committed(length: .seconds(30), now: start)
        #expect(!crash(&probation, slot: 0, at: start + .seconds(31)))
        #expect(!crash(&probation, slot: 1, at: start + .seconds(32)))
        probation = Probation()
        probation.committed(length: .seconds(0), now: start)
        #expect(!crash(&probation, slot: 0, at: start))
        #expect(!crash(&probation, slot: 1, at: start))
    }

    /// Workers that crashed before the reload will crash after it, whatever it changed.
    @Test func crashesBeforeTheReloadExcuseIt() {
        var probation = Probation()
        _ = probation.crashed(slot: 0, now: start)
        probation.committed(length: .seconds(30), now: start + .seconds(299))
        #expect(!crash(&probation, slot: 0, at: start + .seconds(300)))
        #expect(!crash(&probation, slot: 1, at: start + .seconds(301)))
        probation.committed(length: .seconds(30), now: start + .seconds(700))
        #expect(!crash(&probation, slot: 0, at: start + .seconds(701)))
        #expect(crash(&probation, slot: 1, at: start + .seconds(702)))
    }
}
