internal import Shared

/// The supervisor's events, one JSON line each on standard error. What happened is decided elsewhere; here is how it
/// is said.
final class SupervisorLog {
    private let log = Log()

    // MARK: Start

    func start(version: String, config: String, workers: Int) {
        log.event(.info, "start") { fields in
            fields.member("version", version)
            fields.member("config", config)
            fields.member("workers", workers)
        }
    }

    func startFailed(_ failure: Supervisor.StartFailure) {
        log.event(.error, "start-failed") { fields in
            fields.member("error", failure.reason)
            fields.member("exit", Int(failure.code))
        }
    }

    func listening(_ set: ListenerSet, smallerBacklog: Int?) {
        for listener in set.listeners {
            log.event(.info, "listening") { $0.member("address", "\(listener.address)") }
        }
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

    /// The configuration is polled where it cannot be watched.
    func watchLimited(_ error: SystemError) {
        log.event(.warn, "watch-limited") { $0.member("error", error.description) }
    }

    func mountedFile(_ path: String) {
        log.event(.warn, "subpath-mount") { $0.member("path", path) }
    }

    // MARK: Workers

    func spawned(_ process: WorkerProcess) {
        log.event(.info, "worker-spawn") { fields in
            fields.member("slot", process.slot)
            fields.member("incarnation", process.incarnation)
            fields.member("worker", Int(process.child.id))
        }
    }

    /// Says what a worker's death has cost.
    func lost(_ requests: [RequestInFlight], _ process: WorkerProcess, now: Instant) {
        for request in requests {
            log.event(.error, "request-lost") { fields in
                fields.member("request", request.id)
                fields.member("model", request.model)
                fields.member("tag", request.tag)
                fields.member("age_ms", (now - request.begun).milliseconds)
                fields.member("bytes_sent", request.bytesSent)
                fields.member("slot", process.slot)
                fields.member("worker", Int(process.child.id))
            }
        }
    }

    func tell(_ news: Fleet.News, _ processes: [Int: WorkerProcess], generation: UInt64) {
        switch news {
        case .workerReady(let id, let took):
            log.event(.info, "worker-ready") { fields in
                if let process = processes[id] {
                    fields.member("slot", process.slot)
                    fields.member("incarnation", process.incarnation)
                    fields.member("worker", Int(process.child.id))
                }
                fields.member("generation", Int(clamping: generation))
                fields.member("took_ms", took.milliseconds)
            }
        case .ready(let took):
            log.event(.info, "ready") { fields in
                fields.member("generation", Int(clamping: generation))
                fields.member("took_ms", took.milliseconds)
            }
        case .workerExited(let worker, let reason, let isExpected, let lost, let nextTry):
            log.event(isExpected ? .info : .error, "worker-exit") { fields in
                fields.member("slot", worker.slot)
                fields.member("incarnation", worker.incarnation)
                fields.member("reason", reason)
                fields.member("generation", Int(clamping: worker.generation))
                fields.member("in_flight_lost", lost)
                if let nextTry { fields.member("next_try_ms", nextTry.milliseconds) }
            }
        case .crashLoop(let slot, let deaths):
            log.event(.error, "crash-loop") { fields in
                fields.member("slot", slot)
                fields.member("deaths", deaths)
                fields.member("window_s", 60)
            }
        case .resized(let from, let to):
            log.event(.info, "scale") { fields in
                fields.member("from", from)
                fields.member("to", to)
            }
        case .cannotStart(let reason):
            log.event(.error, "start-failed") { $0.member("error", reason) }
        case .reloaded: break
        }
    }

    // MARK: Reload

    func reloadBegun(_ reload: ReloadQueue.Reload) {
        log.event(.info, "reload-begin") { fields in
            fields.member("id", reload.id)
            fields.member("trigger", reload.triggers)
        }
    }

    func reloaded(_ reload: FinishedReload) {
        log.event(reload.failure == nil ? .info : .error, "reload") { fields in
            fields.member("id", reload.id)
            fields.member("result", reload.name)
            fields.member("generation", Int(clamping: reload.generation))
            switch reload.result {
            case .done(let models, let outcome):
                if !models.added.isEmpty { fields.member("added", models.added) }
                if !models.removed.isEmpty { fields.member("removed", models.removed) }
                if !models.changed.isEmpty { fields.member("changed", models.changed) }
                fields.member("prepare_us", Int(outcome.prepare.nanoseconds / 1000))
                fields.member("commit_us", Int(outcome.commit.nanoseconds / 1000))
            case .unchanged: break
            case .failed(let reasons): fields.member("errors", reasons)
            }
            fields.member("took_ms", reload.took.milliseconds)
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

    func draining(workers: Int, connections: Int, inFlight: Int) {
        log.event(.info, "drain") { fields in
            fields.member("workers", workers)
            fields.member("connections", connections)
            fields.member("in_flight", inFlight)
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
