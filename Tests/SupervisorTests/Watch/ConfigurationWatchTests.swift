import Foundation
import Testing

@testable import Shared
@testable import tagway

/// What changes between the reading of a file and the watch on its directory is seen all the same.
@Suite final class ConfigurationWatchTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tagway-\(UUID().uuidString)")
    private let now = Instant(nanoseconds: 1_000_000_000_000)
    private let watch = ConfigurationWatch()

    init() throws {
        for name in ["first", "second"] {
            try FileManager.default.createDirectory(at: url(name), withIntermediateDirectories: true)
            try write("old", in: name)
        }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func url(_ name: String) -> URL { folder.appendingPathComponent(name) }
    private func file(_ name: String) -> String { url("\(name)/config.yaml").path }
    private func write(_ text: String, in name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    private var source: ConfigurationSource {
        ConfigurationSource(path: file("first"), environmentFile: nil, isStrict: false)
    }

    private func note(_ names: String...) {
        let files = names.map { (file($0), source.state(of: file($0))) }
        watch.note(Dictionary(uniqueKeysWithValues: files), isComplete: true, now: now)
    }

    /// Whether a change is seen by the time that a quiet directory is looked at.
    private func seesChange() -> Bool { watch.sawChange(now: now + WatchSchedule.quiet, in: source) }

    @Test func aChangeBeforeTheStartIsSeen() throws {
        note("first")
        try write("new", in: "first")
        try watch.start(now: now)
        #expect(seesChange())
    }

    @Test func aChangeBeforeAnotherFileIsFollowedIsSeen() throws {
        note("first")
        try watch.start(now: now)
        #expect(!seesChange())
        note("first", "second")
        try write("new", in: "second")
        #expect(seesChange())
    }

    @Test func nothingIsLookedAtAnewWhereNothingIsNew() throws {
        note("first")
        try watch.start(now: now)
        #expect(!seesChange())
        #expect(watch.nextDeadline == now + WatchSchedule.quiet + WatchSchedule.poll)
        note("first")
        #expect(watch.nextDeadline == now + WatchSchedule.quiet + WatchSchedule.poll)
    }
}
