import Shared
import Testing

@Suite("An alarm ends a wait at a time that the kernel was told of once") struct AlarmTests {
    private let room = try! Room()

    @Test func itRingsAtItsTimeAndNotBefore() {
        #expect((30..<400).contains(room.ring(after: 30)))
    }

    @Test func aNearerDeadlineMovesItAndAFartherOneDoesNot() {
        #expect((40..<400).contains(room.ring(after: 100_000, 40, 60_000)))
    }

    @Test func whatHasRungIsSetAgain() {
        #expect((5..<400).contains(room.ring(after: 5)))
        #expect((20..<400).contains(room.ring(after: 20)))
    }

    /// A loop tells the time at which its turn began, which may be long ago.
    @Test func aDeadlineThatIsOverByNowRingsAtOnce() {
        #expect((50..<400).contains(room.ring(after: 1, seenAt: Clock.now() + .milliseconds(-50))))
    }

    /// What rang while nobody waited, and was set to a later time since, is not heard.
    @Test func aRingThatNobodyWaitedForIsTakenBack() {
        let before = Clock.now() + .milliseconds(-50)
        room.alarm.ring(by: before + .milliseconds(1), now: before)
        #expect(room.ring(after: 60_000) == Room.silence)
    }

    /// An alarm, and somebody who listens.
    private final class Room {
        var epoll: Epoll
        var alarm: Alarm
        static let silence = 1000

        init() throws(SystemError) {
            let alarm = try Alarm()
            epoll = try Epoll()
            try epoll.add(alarm.number, [.readable, .edgeTriggered], token: 7)
            self.alarm = alarm
        }

        /// Sets the alarm to times after `now`; how many milliseconds after that it rings, `silence` for not within half a second.
        func ring(after milliseconds: Int..., seenAt now: Instant = Clock.now()) -> Int {
            for one in milliseconds { alarm.ring(by: now + .milliseconds(one), now: now) }
            guard epoll.wait(milliseconds: 500) == 1, epoll.event(0).token == 7 else { return Self.silence }
            return (Clock.now() - now).milliseconds
        }
    }
}
