internal import Shared

/// What a reload is asked for beyond reading the files.
struct ReloadWishes: OptionSet {
    let rawValue: Int

    /// Though nothing has changed, and though workers crashed with it.
    static let force = ReloadWishes(rawValue: 1)
    /// Replace every worker afterwards, one after the other.
    static let respawn = ReloadWishes(rawValue: 2)
    /// Not the files: the configuration that was in force before.
    static let former = ReloadWishes(rawValue: 4)
}

/// One reload at a time, and at most one that waits: it reads the files when its turn comes, so it stands for all
/// who asked meanwhile. Pure but for the clock that it is made with.
struct ReloadQueue {
    struct Reload {
        let id: Int
        let triggers: [String]
        let wishes: ReloadWishes
        let begun: Instant
        /// How long reading and checking the files took.
        var validation = TimeSpan(nanoseconds: 0)
        /// What the workers were asked to take.
        var offer: (configuration: Configuration, encoded: [UInt8])?
    }

    private(set) var current: Reload?
    private(set) var last: FinishedReload?
    private(set) var failures = 0
    private(set) var successes = 0
    private var waiting: [String] = []
    private var wishes: ReloadWishes = []
    /// Of the reload that began last; they are numbered from 1.
    private(set) var lastID = 0
    /// Nothing begins, whoever asks.
    private var isHeld = false
    private let clock: () -> Instant

    init(clock: @escaping () -> Instant = { Clock.now() }) {
        self.clock = clock
    }

    /// The number of the reload that will answer, and whether it is to begin now.
    mutating func ask(_ trigger: String, _ wishes: ReloadWishes = []) -> (id: Int, begins: Bool) {
        waiting.append(trigger)
        self.wishes.formUnion(wishes)
        guard current == nil, !isHeld else { return (lastID + 1, false) }
        beginNext()
        return (lastID, true)
    }

    /// From now on those who ask wait until `letGo`.
    mutating func hold() {
        isHeld = true
    }

    /// Goes on counting where an earlier image of this process ended.
    mutating func resume(after id: Int) {
        lastID = id
    }

    /// Whether a reload is to begin now.
    mutating func letGo() -> Bool {
        guard isHeld else { return false }
        isHeld = false
        if current == nil { beginNext() }
        return current != nil
    }

    private mutating func beginNext() {
        guard !waiting.isEmpty, !isHeld else { return }
        var triggers: [String] = []
        for trigger in waiting where !triggers.contains(trigger) { triggers.append(trigger) }
        lastID += 1
        current = Reload(id: lastID, triggers: triggers, wishes: wishes, begun: clock(), offer: nil)
        waiting = []
        wishes = []
    }

    mutating func validated(in time: TimeSpan) {
        current?.validation = time
    }

    mutating func offered(_ configuration: Configuration, encoded: [UInt8]) {
        current?.offer = (configuration, encoded)
    }

    /// Ends the current one; the waiting one is current then.
    mutating func finish(_ result: ReloadResult, generation: UInt64) -> FinishedReload? {
        guard let reload = current else { return nil }
        let finished = FinishedReload(
            id: reload.id, triggers: reload.triggers, result: result, generation: generation,
            validation: reload.validation, took: clock() - reload.begun)
        if finished.isGood { successes += 1 } else { failures += 1 }
        current = nil
        last = finished
        beginNext()
        return finished
    }
}

enum ReloadResult: Equatable {
    case done(ModelDifference, Fleet.ReloadOutcome)
    case unchanged
    /// The configuration before it is in force again, for workers crashed with it.
    case rolledBack(ModelDifference, Fleet.ReloadOutcome)
    /// Every reason; nothing has changed.
    case failed([String])

    static let names = ["ok", "unchanged", "failed", "rolled-back"]

    var name: String {
        switch self {
        case .done: "ok"
        case .unchanged: "unchanged"
        case .failed: "failed"
        case .rolledBack: "rolled-back"
        }
    }
}

struct FinishedReload: Equatable {
    let id: Int
    let triggers: [String]
    let result: ReloadResult
    /// In force now.
    let generation: UInt64
    var validation = TimeSpan(nanoseconds: 0)
    let took: TimeSpan

    /// Whether the files are what is in force.
    var isGood: Bool {
        switch result {
        case .done, .unchanged: true
        case .failed, .rolledBack: false
        }
    }

    /// The first reason of a failure.
    var failure: String? {
        guard case .failed(let reasons) = result else { return nil }
        return reasons.count > 1 ? "\(reasons[0]) (and \(reasons.count - 1) more)" : reasons.first ?? "no reason given"
    }

    /// Of a failure, as they are told; the log has an event for each problem of the files.
    var reasons: [String] {
        guard case .failed(let reasons) = result else { return [] }
        return reasons.abridged
    }

    var name: String { result.name }
}

/// Which model groups a reload has added, removed or changed. Pure.
struct ModelDifference: Equatable {
    var added: [String] = []
    var removed: [String] = []
    var changed: [String] = []

    init() {}

    /// A line for each kind of change.
    var lines: [String] {
        [("added", added), ("removed", removed), ("changed", changed)].filter { !$0.1.isEmpty }
            .map { "\($0.0): \($0.1.joined(separator: ", "))" }
    }

    init(from old: Configuration, to new: Configuration) {
        let places = new.deployments.indices
        if old.deployments.indices == places,
            places.allSatisfy({ old.deployments[$0].modelName == new.deployments[$0].modelName })
        {
            // As after most edits.
            let differing = places.filter { old.deployments[$0] != new.deployments[$0] }
            changed = Set(differing.map { new.deployments[$0].modelName }).sorted().abridged
            return
        }
        // By index: to move ten thousand deployments about takes longer than to compare them.
        let before = Dictionary(grouping: old.deployments.indices) { old.deployments[$0].modelName }
        let after = Dictionary(grouping: new.deployments.indices) { new.deployments[$0].modelName }
        added = after.keys.filter { before[$0] == nil }.sorted().abridged
        removed = before.keys.filter { after[$0] == nil }.sorted().abridged
        changed =
            after.filter { name, members in
                guard let former = before[name] else { return false }
                return !former.elementsEqual(members) { old.deployments[$0] == new.deployments[$1] }
            }.keys.sorted().abridged
    }
}

extension [String] {
    /// The first hundred, and how many more there are: what one line of the log, and one answer to `ctl`, can hold.
    var abridged: [String] { count <= 100 ? self : prefix(100) + ["and \(count - 100) more"] }
}

extension Configuration {
    /// The sections beside the model list in which another one differs.
    func changedSections(_ other: Configuration) -> [String] {
        var names: [String] = []
        if router != other.router { names.append("router_settings") }
        if general != other.general { names.append("general_settings") }
        if tls != other.tls { names.append("litellm_settings") }
        if process != other.process || supervision != other.supervision { names.append("tagway") }
        return names
    }
}
