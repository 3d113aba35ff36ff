internal import Shared

/// One reload at a time, and at most one that waits: it reads the files when its turn comes, so it stands for all
/// who asked meanwhile. Pure but for the clock that it is made with.
struct ReloadQueue {
    struct Reload {
        let id: Int
        let triggers: [String]
        let begun: Instant
        /// What the workers were asked to take.
        var offer: (configuration: Configuration, encoded: [UInt8])?
    }

    private(set) var current: Reload?
    private(set) var last: FinishedReload?
    private(set) var failures = 0
    private(set) var successes = 0
    private var waiting: [String] = []
    private var nextID = 1
    private let clock: () -> Instant

    init(clock: @escaping () -> Instant = { Clock.now() }) {
        self.clock = clock
    }

    /// The number of the reload that will answer, and whether it is to begin now.
    mutating func ask(_ trigger: String) -> (id: Int, begins: Bool) {
        waiting.append(trigger)
        guard current == nil else { return (nextID, false) }
        beginNext()
        return (nextID - 1, true)
    }

    private mutating func beginNext() {
        guard !waiting.isEmpty else { return }
        var triggers: [String] = []
        for trigger in waiting where !triggers.contains(trigger) { triggers.append(trigger) }
        current = Reload(id: nextID, triggers: triggers, begun: clock(), offer: nil)
        waiting = []
        nextID += 1
    }

    mutating func offered(_ configuration: Configuration, encoded: [UInt8]) {
        current?.offer = (configuration, encoded)
    }

    /// Ends the current one; the waiting one is current then.
    mutating func finish(_ result: ReloadResult, generation: UInt64) -> FinishedReload? {
        guard let reload = current else { return nil }
        let finished = FinishedReload(
            id: reload.id, triggers: reload.triggers, result: result, generation: generation,
            took: clock() - reload.begun)
        if finished.failure == nil { successes += 1 } else { failures += 1 }
        current = nil
        last = finished
        beginNext()
        return finished
    }
}

enum ReloadResult: Equatable {
    case done(ModelDifference, Fleet.ReloadOutcome)
    case unchanged
    /// Every reason; nothing has changed.
    case failed([String])

    static let names = ["ok", "unchanged", "failed"]

    var name: String {
        switch self {
        case .done: "ok"
        case .unchanged: "unchanged"
        case .failed: "failed"
        }
    }
}

struct FinishedReload: Equatable {
    let id: Int
    let triggers: [String]
    let result: ReloadResult
    /// In force now.
    let generation: UInt64
    let took: TimeSpan

    /// The first reason of a failure.
    var failure: String? {
        guard case .failed(let reasons) = result else { return nil }
        return reasons.count > 1 ? "\(reasons[0]) (and \(reasons.count - 1) more)" : reasons.first ?? "no reason given"
    }

    var reasons: [String] {
        guard case .failed(let reasons) = result else { return [] }
        return reasons
    }

    var name: String {
        switch result {
        case .done: "ok"
        case .unchanged: "unchanged"
        case .failed: "failed"
        }
    }
}

/// Which model groups a reload has added, removed or changed. Pure.
struct ModelDifference: Equatable {
    var added: [String] = []
    var removed: [String] = []
    var changed: [String] = []

    init() {}

    init(from old: Configuration, to new: Configuration) {
        let before = Dictionary(grouping: old.deployments, by: \.modelName)
        let after = Dictionary(grouping: new.deployments, by: \.modelName)
        added = after.keys.filter { before[$0] == nil }.sorted()
        removed = before.keys.filter { after[$0] == nil }.sorted()
        changed = after.keys.filter { before[$0] != nil && before[$0] != after[$0] }.sorted()
    }
}
