internal import Shared

/// Workers replaced on request, one slot after the other: the successor is ready before its predecessor is told to
/// leave. So does a recycled worker go, a slot that an operator drains, and every worker of a former image.
extension Fleet {
    /// After so many successors in a row that did not become ready, who was to be replaced stays.
    private static let mostRenewalFailures = 2

    mutating func renew(_ wanted: [Int], _ cause: Cause, _ reason: String, _ now: Instant) {
        guard !isStopping else { return }
        for slot in wanted where renewal?.slot != slot && !renewals.contains(where: { $0.slot == slot }) {
            renewals.append(Renewal(slot: slot, cause: cause, reason: reason))
        }
        renewNext(now)
    }

    private mutating func renewNext(_ now: Instant) {
        while renewal == nil, !renewals.isEmpty {
            var next = renewals.removeFirst()
            // Whoever starts there now is new already.
            guard next.slot < size,
                let old = sorted.last(where: { $0.slot == next.slot && $0.phase == .ready && !$0.isReplaced })
            else { continue }
            next.leaving = old.incarnation
            renewal = next
            change(old.id) { $0.isReplaced = true }
            if needsSuccessor(next.slot) { spawn(next.slot, now) }
        }
        if renewal == nil, renewed > 0 {
            actions.append(.tell(.renewed(renewed)))
            renewed = 0
        }
    }

    mutating func renewalIsReady(_ worker: Worker, _ now: Instant) {
        guard let current = renewal, current.slot == worker.slot, worker.incarnation > current.leaving else { return }
        renewal = nil
        renewed += 1
        renewNext(now)
    }

    /// A worker has ended: it may have been the successor, or the slot may not be wanted any more.
    mutating func renewalHasEnded(_ worker: Worker, _ now: Instant) {
        guard var current = renewal, current.slot == worker.slot, worker.incarnation > current.leaving,
            worker.readyAt == nil, !isStopping
        else { return }
        current.failures += 1
        renewal = current
        guard current.failures >= Self.mostRenewalFailures else { return }
        failRenewals("slot \(current.slot): \(worker.reason ?? "the new worker ended before it was ready")", now)
    }

    mutating func failRenewals(_ reason: String, _ now: Instant) {
        guard let current = renewal else { return }
        renewal = nil
        renewals = []
        renewed = 0
        for old in sorted where old.slot == current.slot && old.incarnation == current.leaving {
            change(old.id) { $0.isReplaced = false }
            guard old.phase == .ready else { continue }
            slots[current.slot]?.respawnAt = nil
            for other in sorted where other.slot == current.slot && other.phase == .starting {
                kill(other.id, .notReady, "no longer needed")
            }
        }
        actions.append(.tell(.renewalFailed(reason)))
    }

    // MARK: An earlier image

    /// Takes over workers that serve already. Those that had not got so far are started anew, by this image.
    mutating func adopt(
        _ adopted: [Worker], _ adoptedSlots: [Int: Slot], _ count: Int, _ number: UInt64, _ now: Instant
    ) {
        startedAt = now
        hasStarted = true
        size = count
        generation = number
        slots = adoptedSlots
        for worker in adopted {
            workers[worker.id] = worker
            nextID = max(nextID, worker.id + 1)
        }
        for worker in adopted where worker.phase == .starting { kill(worker.id, .replaced, "replaced") }
        for slot in 0..<size where needsSuccessor(slot) { spawn(slot, now) }
        for worker in sorted { catchUp(worker.id, now) }
    }
}
