import Testing

@testable import Shared
@testable import tagway

/// What is read from /proc and /sys, and from the executable.
@Suite struct KernelCountsTests {
    @Test func overflowsAreFoundByName() {
        let text = "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 7 9\nIpExt: A\nIpExt: 2\n"
        #expect(ListenOverflows.count(text) == 7)
        #expect(ListenOverflows.count("") == 0)
        #expect(ListenOverflows.count("TcpExt: A ListenOverflows\nTcpExt: 1\n") == 0)
    }

    @Test func theControlGroupOfAContainerIsTheRootOfWhatIsMounted() {
        #expect(MemoryKills.paths("0::/a/b\n") == ["/sys/fs/cgroup/a/b/memory.events", "/sys/fs/cgroup/memory.events"])
        #expect(
            MemoryKills.paths("4:memory:/x\n0::/\n").prefix(2) == [
                "/sys/fs/cgroup/memory/x/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control",
            ])
        #expect(MemoryKills.paths("nonsense\n1:cpu:/\n").isEmpty)
    }

    @Test func theBuildIsNamedByTheLinkersNote() {
        let note: [UInt8] = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4E, 0x55, 0] + (1...20).map { UInt8($0) }
        #expect(BuildID.find([0, 0, 0, 0] + note) == "0102030405060708090a0b0c0d0e0f1011121314")
        #expect(BuildID.find(Array(note.dropLast())) == nil)
        #expect(BuildID.own.utf8.count == 40)
    }

    @Test func aWorkerIsRecycledAtItsOwnShareOfALimit() {
        var settings = SupervisionSettings()
        #expect(!RecycleRule(settings).isAny)
        settings.recycleRequests = 1000
        var figures = WorkerFigures()
        var limits: Set<Int> = []
        for seed in 1...50 as ClosedRange<UInt64> {
            let rule = RecycleRule(settings)
            figures.requests = 800
            let first = (800...1201).first { requests in
                figures.requests = requests
                return rule.reason(age: .seconds(1), figures, seed: seed) != nil
            }
            if let first { limits.insert(first) }
            #expect(first != nil)
        }
        #expect(limits.count > 25)
        settings.recycleRequests = 0
        settings.recycleAge = 10
        #expect(RecycleRule(settings).reason(age: .seconds(13), figures, seed: 1) == "13 s old")
        #expect(RecycleRule(settings).reason(age: .seconds(7), figures, seed: 1) == nil)
    }
}
