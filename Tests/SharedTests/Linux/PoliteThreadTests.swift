import Glibc
import Shared
import Testing

@Suite struct PoliteThreadTests {
    private func nice() -> Int32 { getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0) }

    @Test func workIsDoneOnAThreadThatGivesWay() {
        let before = nice()
        var calls = 0
        let (thread, there) = PoliteThread.run {
            calls += 1
            return (pthread_self(), nice())
        }
        #expect(calls == 1)
        #expect(thread != pthread_self())
        #expect(there == 10)
        #expect(nice() == before)
    }
}
