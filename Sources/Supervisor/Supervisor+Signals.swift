internal import Shared

/// What signals ask for.
extension Supervisor {
    func readSignals() {
        while let record = signals.next() {
            switch record.signal {
            case .child: reap()
            case .hangUp:
                log.signal(record)
                reload("SIGHUP")
            case .terminate, .interrupt:
                log.signal(record)
                stop(record.signal.name)
            case .quit:
                log.signal(record)
                beginStop(record.signal.name)
                handle(.stopNow)
            case .ttyInput:
                log.signal(record)
                resize(fleet.size + 1, record.signal.name)
            case .ttyOutput:
                log.signal(record)
                resize(fleet.size - 1, record.signal.name)
            case .user2:
                log.signal(record)
                if let obstacle = beginUpgrade(to: nil) {
                    log.upgradeFailed(step: "begin", reason: obstacle, image: .own)
                }
            case .user1, .windowChange, .abort, .kill, .pipe, .alarm: break
            }
        }
    }

    /// The most workers that signals and commands can ask for.
    var mostWorkers: Int {
        min(WorkerCount.most, configuration.supervision.maxWorkers ?? 4 * CurrentProcess.usableProcessors)
    }

    func resize(_ count: Int, _ trigger: String) {
        resizeTrigger = trigger
        handle(.resize(max(1, min(count, max(mostWorkers, fleet.size)))))
    }

    func stop(_ reason: String) {
        beginStop(reason)
        handle(.stop)
    }

    func beginStop(_ reason: String) {
        guard stopBegun == nil else { return }
        abandonUpgrade()
        stopBegun = Clock.now()
        nextProgress = Clock.now() + .seconds(5)
        log.stopping(reason, drain: fleet.timing.drain)
        manager.stopping("stopping")
    }
}
