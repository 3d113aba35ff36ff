internal import Shared

/// Sees that a file of the configuration has changed, as long as `tagway.watch` is on.
///
/// What was read last, for good or bad, is compared with what is there: a bad file is tried once, not again and again.
final class ConfigurationWatch {
    private var directories: DirectoryWatch?
    private var schedule = WatchSchedule()
    private var known: [String: ConfigurationSource.FileState] = [:]
    private var warnedOf: Set<String> = []

    var nextDeadline: Instant { schedule.nextLook }

    /// A descriptor to wait for, once it is there.
    var number: Int32? { directories?.number }

    /// Takes note of what was read just now. Files of an earlier reading stay: one that a bad file no longer names may
    /// be what mends it.
    func note(_ files: [String: ConfigurationSource.FileState], isComplete: Bool, now: Instant) {
        if isComplete { known = files } else { known.merge(files) { $1 } }
        if schedule.isOn { follow(now: now) }
    }

    /// Begins to watch. Throws when the kernel has no more of what it takes; polling goes on then.
    func start(now: Instant) throws(SystemError) {
        guard !schedule.isOn else { return }
        schedule.start(now: now)
        if directories == nil { directories = try DirectoryWatch() }
        follow(now: now)
    }

    func stop() {
        schedule.stop()
        directories = nil
    }

    /// A directory that was not watched while its file was read may have changed since: it is looked at soon.
    private func follow(now: Instant) {
        // Those that cannot be watched are polled.
        let places = known.keys.sorted().flatMap { WatchedDirectories.of(File.absolute($0), link: File.linkTarget) }
        if directories?.follow(places) == true { schedule.changed(now: now) }
    }

    func readEvents(now: Instant) {
        if directories?.drain() == true { schedule.changed(now: now) }
    }

    /// Whether it was time to look and a file differs. A link may lead elsewhere now, so the directories are chosen anew.
    func sawChange(now: Instant, in source: ConfigurationSource) -> Bool {
        guard schedule.isDue(now: now) else { return false }
        follow(now: now)
        return known.contains { path, state in source.state(of: path) != state }
    }

    /// Files that are mounted by themselves, not yet warned of: whoever edits them replaces what is not seen here.
    func mountedFiles() -> [String] {
        guard case .success(let table) = File.read("/proc/self/mountinfo") else { return [] }
        let points = MountTable.points(String(decoding: table, as: UTF8.self))
        let files = known.keys.sorted().filter { points.contains(File.absolute($0)) && !warnedOf.contains($0) }
        warnedOf.formUnion(files)
        return files
    }
}
