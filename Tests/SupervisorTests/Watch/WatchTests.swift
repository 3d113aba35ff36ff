import Testing

@testable import Shared
@testable import tagway

@Suite struct WatchedDirectoriesTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let path: String
        var links: [String: String] = [:]
        let expected: [String]
    }

    @Test(arguments: [
        Case(testDescription: "plain file", path: "/etc/tagway/c.yaml", expected: ["/etc/tagway"]),
        Case(testDescription: "file in the root", path: "/c.yaml", expected: ["/"]),
        Case(testDescription: "dots", path: "/etc/./x/../tagway//c.yaml", expected: ["/etc/tagway"]),
        Case(
            testDescription: "ConfigMap volume", path: "/etc/tagway/c.yaml",
            links: ["/etc/tagway/c.yaml": "..data/c.yaml", "/etc/tagway/..data": "..2026_01"],
            expected: ["/etc/tagway", "/etc/tagway/..2026_01"]),
        Case(
            testDescription: "link to elsewhere", path: "/etc/tagway/c.yaml",
            links: ["/etc/tagway/c.yaml": "/srv/real/c.yaml"], expected: ["/etc/tagway", "/srv/real"]),
        Case(
            testDescription: "link of a folder", path: "/etc/tagway/c.yaml",
            links: ["/etc/tagway": "../opt/tagway"], expected: ["/etc", "/opt/tagway"]),
        Case(
            testDescription: "link to itself", path: "/a/c.yaml", links: ["/a/c.yaml": "c.yaml"],
            expected: ["/a"]),
    ])
    func directoriesOfAllLinksOnTheWayAreWatched(_ c: Case) {
        #expect(WatchedDirectories.of(c.path) { c.links[$0] } == c.expected)
    }

    @Test func mountPointsAreRead() {
        let table = """
            22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
            31 22 8:1 /var/a /etc/tagway/config\\040one.yaml ro shared:1 - ext4 /dev/sda1 rw
            cut off
            """
        #expect(MountTable.points(table) == ["/", "/etc/tagway/config one.yaml"])
    }
}

@Suite struct WatchScheduleTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    /// The milliseconds at which files are looked at, when something changes at those of `changes`.
    private func looks(_ schedule: WatchSchedule, changes: some Collection<Int>, until end: Int) -> [Int] {
        var schedule = schedule
        return (0...end).filter { time in
            let now = start + .milliseconds(time)
            if changes.contains(time) { schedule.changed(now: now) }
            return schedule.isDue(now: now)
        }
    }

    private var started: WatchSchedule {
        var schedule = WatchSchedule()
        schedule.start(now: start)
        return schedule
    }

    @Test func filesAreLookedAtOnceNothingHasChangedForAWhile() {
        #expect(looks(started, changes: [100, 500], until: 5000) == [1000])
        #expect(looks(started, changes: [100, 700], until: 5000) == [600, 1200])
    }

    @Test func aDirectoryThatIsNeverQuietDoesNotPutItOff() {
        #expect(looks(started, changes: Array(stride(from: 0, to: 9000, by: 100)), until: 9000) == [5000])
    }

    @Test func filesArePolledWithoutAnyEvent() {
        #expect(looks(started, changes: [], until: 31_000) == [15_000, 30_000])
    }

    @Test func nothingIsLookedAtWhileItIsOff() {
        #expect(looks(WatchSchedule(), changes: [100], until: 20_000) == [])
        var stopped = started
        stopped.stop()
        #expect(looks(stopped, changes: [100], until: 20_000) == [])
    }
}
