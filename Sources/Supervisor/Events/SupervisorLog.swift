internal import Shared

/// The supervisor's events, one JSON line each on standard error. What happened is decided elsewhere; here is how it
/// is said.
final class SupervisorLog {
    let log: Log
    let tail = EventTail()

    init() {
        let tail = tail
        log = Log { bytes, range in
            StandardStream.error.write(bytes, range)
            tail.add(Array(bytes[range]))
        }
    }

    // MARK: Start

    func start(config: String, hash: String, workers: Int, listeners: [String]) {
        log.event(.info, "start") { fields in
            fields.member("version", Main.version)
            fields.member("build", BuildID.own)
            fields.member("args", Array(CommandLine.arguments.dropFirst()))
            fields.member("config", config)
            fields.member("config_hash", hash)
            fields.member("workers", workers)
            fields.member("listeners", listeners)
        }
    }

    func startFailed(_ failure: Supervisor.StartFailure) {
        log.event(.error, "start-failed") { fields in
            fields.member("error", failure.reason)
            fields.member("exit", Int(failure.code))
        }
    }

    func listening(_ set: ListenerSet, smallerBacklog: Int?, isInherited: Bool) {
        listening(set.listeners, smallerBacklog: smallerBacklog, isInherited: isInherited)
        for address in set.skipped {
            log.event(.warn, "not-listening") { fields in
                fields.member("address", address)
                fields.member("error", "this machine has no such address")
            }
        }
        if let smallerBacklog {
            log.event(.warn, "backlog-low") { fields in
                fields.member("somaxconn", smallerBacklog)
                fields.member("wanted", Int(ListenerSet.backlog))
            }
        }
    }

    /// One whose address is not wanted any more.
    func listenerClosed(_ listener: ListenerSet.Listener) {
        log.event(.info, "listener-closed") { $0.member("address", "\(listener.address)") }
    }

    func listenIsOverruled() {
        log.event(.warn, "setting-overruled") { fields in
            fields.member("key", "tagway.listen")
            fields.member("reason", "--host or --port says where to listen")
        }
    }

    func listening(_ listeners: [ListenerSet.Listener], smallerBacklog: Int?, isInherited: Bool = false) {
        for listener in listeners {
            log.event(.info, "listening") { fields in
                fields.member("address", "\(listener.address)")
                fields.member("origin", isInherited ? "inherited" : listener.origin.rawValue)
                fields.member("backlog", smallerBacklog ?? Int(ListenerSet.backlog))
            }
        }
    }

    func problems(_ problems: [Problem]) {
        for problem in problems {
            log.event(problem.severity == .error ? .error : .warn, "config-problem") { fields in
                let position = problem.position
                fields.member("at", "\(position.file):\(position.line):\(position.column)")
                if !problem.path.isEmpty { fields.member("key", problem.path) }
                fields.member("problem", problem.message)
                if let hint = problem.hint { fields.member("hint", hint) }
            }
        }
    }

    func startsFromLastGood(_ kept: LastGood.Record) {
        log.event(.error, "last-good") { fields in
            fields.member("kept_at", kept.date)
            fields.member("files", kept.files.keys.sorted())
            fields.member("problem", "the files cannot be served; what was kept then is")
        }
    }

    func lastGoodNotKept(_ error: SystemError) {
        log.event(.warn, "last-good-not-kept") { $0.member("error", error.description) }
    }

    /// The configuration is polled where it cannot be watched.
    func watchLimited(_ error: SystemError) {
        log.event(.warn, "watch-limited") { $0.member("error", error.description) }
    }

    func mountedFile(_ path: String) {
        log.event(.warn, "subpath-mount") { $0.member("path", path) }
    }

    func cannotStart(_ reason: String) {
        log.event(.error, "start-failed") { $0.member("error", reason) }
    }

    func gaveUp(_ reason: String) {
        log.event(.error, "gave-up") { $0.member("reason", reason) }
    }

    // MARK: Reload

    func reloadBegun(_ reload: ReloadQueue.Reload) {
        log.event(.info, "reload-begin") { fields in
            fields.member("id", reload.id)
            fields.member("trigger", reload.triggers)
        }
    }

    func reloaded(_ reload: FinishedReload) {
        log.event(reload.isGood ? .info : .error, "reload") { fields in
            fields.member("id", reload.id)
            fields.member("result", reload.name)
            fields.member("generation", Int(clamping: reload.generation))
            switch reload.result {
            case .done(let models, let outcome), .rolledBack(let models, let outcome):
                if !models.added.isEmpty { fields.member("added", models.added) }
                if !models.removed.isEmpty { fields.member("removed", models.removed) }
                if !models.changed.isEmpty { fields.member("changed", models.changed) }
                fields.member("validate_ms", reload.validation.milliseconds)
                fields.member("prepare_us", Int(outcome.prepare.nanoseconds / 1000))
                fields.member("commit_us", Int(outcome.commit.nanoseconds / 1000))
            case .unchanged: break
            case .failed: fields.member("errors", reload.reasons)
            }
            fields.member("took_ms", reload.took.milliseconds)
        }
    }

    func rollingBack(generation: UInt64) {
        log.event(.error, "reload-rolled-back") { fields in
            fields.member("generation", Int(clamping: generation))
            fields.member("reason", "workers crashed soon after it came into force")
        }
    }

    func drifted(_ path: String) {
        log.event(.warn, "config-drift") { fields in
            fields.member("config", path)
            fields.member(
                "problem", "the files are not what is in force: the next start may do something else, or fail")
        }
    }

    // MARK: Upgrade

    func upgradeBegun(from image: Handover.Image, to path: String) {
        log.event(.info, "upgrade-begin") { fields in
            fields.member("from", image.text)
            fields.member("to", path)
        }
    }

    func upgradeDone(from former: Handover.Image, to image: Handover.Image, took: TimeSpan) {
        log.event(.info, "upgrade-done") { fields in
            fields.member("from", former.text)
            fields.member("to", image.text)
            fields.member("took_ms", took.milliseconds)
        }
    }

    func upgradeFailed(step: String, reason: String, image: Handover.Image) {
        log.event(.error, "upgrade-failed") { fields in
            fields.member("step", step)
            fields.member("reason", reason)
            fields.member("runs", image.text)
        }
    }

    // MARK: Signals and the end

    func signal(_ record: SignalDescriptor.Record) {
        log.event(.info, "signal") { fields in
            fields.member("name", record.signal.name)
            fields.member("sender", Int(record.process))
            fields.member("sender_uid", Int(record.user))
        }
    }

    func stopping(_ reason: String, drain: TimeSpan) {
        log.event(.info, "stopping") { fields in
            fields.member("reason", reason)
            fields.member("deadline_in_s", Int(drain.seconds))
        }
    }

    func stopped(begun: Instant?, code: Int32, cut: Int) {
        log.event(.info, "stop") { fields in
            if let begun { fields.member("took_ms", (Clock.now() - begun).milliseconds) }
            fields.member("cut", cut)
            fields.member("exit", Int(code))
        }
    }
}
