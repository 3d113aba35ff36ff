internal import Shared

/// What workers do, and what is done to them.
extension SupervisorLog {
    struct Progress {
        var workers: Int
        var connections: Int
        var inFlight: Int
        /// How long the oldest request has been under way.
        var oldest: TimeSpan?
        var deadline: TimeSpan?
    }

    private func add(_ process: WorkerProcess?, to fields: inout JSONObject) {
        guard let process else { return }
        fields.member("slot", process.slot)
        fields.member("incarnation", process.incarnation)
        fields.member("worker", Int(process.child.id))
    }

    // MARK: Start

    func spawned(_ process: WorkerProcess, generation: UInt64) {
        log.event(.info, "worker-spawn") { fields in
            add(process, to: &fields)
            fields.member("generation", Int(clamping: generation))
        }
    }

    func ready(_ process: WorkerProcess?, took: TimeSpan, generation: UInt64) {
        log.event(.info, "worker-ready") { fields in
            add(process, to: &fields)
            fields.member("generation", Int(clamping: generation))
            fields.member("took_ms", took.milliseconds)
        }
    }

    func ready(workers: Int, took: TimeSpan, generation: UInt64) {
        log.event(.info, "ready") { fields in
            fields.member("workers", workers)
            fields.member("generation", Int(clamping: generation))
            fields.member("took_ms", took.milliseconds)
        }
    }

    /// A line that a worker has written: its own events as they are.
    func output(_ line: WorkerOutput.Line, _ process: WorkerProcess) {
        switch line {
        case .event(let bytes): log.pass(bytes)
        case .text(let text):
            log.event(.warn, "worker-output") { fields in
                add(process, to: &fields)
                fields.member("line", text)
            }
        }
    }

    // MARK: Death

    /// Says what a worker's death has cost.
    func lost(_ requests: [RequestInFlight], _ process: WorkerProcess, now: Instant) {
        for request in requests {
            log.event(.error, "request-lost") { fields in
                fields.member("request", request.id)
                fields.member("model", request.model)
                fields.member("tag", request.tag)
                fields.member("age_ms", (now - request.begun).milliseconds)
                fields.member("bytes_sent", request.bytesSent)
                add(process, to: &fields)
            }
        }
    }

    func exited(_ departure: Departure, _ grave: Grave, uptime: TimeSpan) {
        let worker = departure.worker
        // Not what was asked for, but repaired at once: a warning. What needs a look is an error.
        let level: Log.Level = departure.isExpected ? .info : departure.nextTry?.nanoseconds == 0 ? .warn : .error
        log.event(level, "worker-exit") { fields in
            fields.member("slot", worker.slot)
            fields.member("incarnation", worker.incarnation)
            fields.member("worker", Int(grave.process))
            fields.member("reason", departure.kind.rawValue)
            fields.member("detail", departure.reason)
            switch departure.status {
            case .code(let code): fields.member("code", Int(code))
            case .signal(let number):
                fields.member("signal", Signal.name(of: number))
                if number == Signal.kill.rawValue, worker.phase != .killed {
                    fields.member("out_of_memory", grave.outOfMemory)
                }
            }
            fields.member("generation", Int(clamping: worker.generation))
            fields.member("uptime_s", Int(uptime.seconds))
            fields.member("in_flight_lost", departure.lost)
            fields.member("connections_lost", grave.connections)
            if let nextTry = departure.nextTry { fields.member("next_try_ms", nextTry.milliseconds) }
        }
    }

    func crashLoop(slot: Int, deaths: Int) {
        log.event(.error, "crash-loop") { fields in
            fields.member("slot", slot)
            fields.member("deaths", deaths)
            fields.member("window_s", 60)
        }
    }

    func hung(
        _ process: WorkerProcess, silence: TimeSpan, figures: WorkerFigures, requests: [RequestInFlight], now: Instant
    ) {
        log.event(.error, "worker-hang") { fields in
            add(process, to: &fields)
            fields.member("silent_ms", silence.milliseconds)
            fields.member("lag_ms", figures.loopLag.milliseconds)
            fields.member("connections", figures.connections)
            fields.member("in_flight", figures.inFlight)
            let oldest = requests.sorted { $0.begun < $1.begun }.prefix(5)
            fields.member("oldest", oldest.map { "\($0.id) \((now - $0.begun).milliseconds) ms" })
            // Where it waits in the kernel, as far as we may see that; proc(5).
            for (name, file) in [("kernel_stack", "stack"), ("waits_in", "wchan")] {
                guard case .success(let bytes) = File.read("/proc/\(process.child.id)/\(file)", limit: 4096),
                    !bytes.isEmpty
                else { continue }
                fields.member(name, String(decoding: bytes, as: UTF8.self))
            }
        }
    }

    func lagging(_ process: WorkerProcess, _ lag: TimeSpan) {
        log.event(.warn, "worker-lag") { fields in
            add(process, to: &fields)
            fields.member("lag_ms", lag.milliseconds)
        }
    }

    func generationsHeld(_ process: WorkerProcess, _ count: Int) {
        log.event(.warn, "generations-held") { fields in
            add(process, to: &fields)
            fields.member("live_generations", count)
        }
    }

    // MARK: Leaving

    func draining(_ worker: Fleet.Worker, figures: WorkerFigures, deadline: TimeSpan) {
        log.event(.info, "drain") { fields in
            fields.member("slot", worker.slot)
            fields.member("incarnation", worker.incarnation)
            fields.member("reason", worker.reason ?? "")
            fields.member("connections", figures.connections)
            fields.member("in_flight", figures.inFlight)
            fields.member("deadline_in_s", Int(deadline.seconds))
        }
    }

    /// Every few seconds of a stop.
    func progress(_ progress: Progress) {
        log.event(.info, "drain") { fields in
            fields.member("workers", progress.workers)
            fields.member("connections", progress.connections)
            fields.member("in_flight", progress.inFlight)
            if let oldest = progress.oldest { fields.member("oldest_s", Int(oldest.seconds)) }
            if let deadline = progress.deadline { fields.member("deadline_in_s", Int(deadline.seconds)) }
        }
    }

    func scaled(from: Int, to: Int, trigger: String) {
        log.event(.info, "scale") { fields in
            fields.member("from", from)
            fields.member("to", to)
            fields.member("trigger", trigger)
        }
    }

    func renewed(_ count: Int) {
        log.event(.info, "renewed") { $0.member("workers", count) }
    }

    func renewalFailed(_ reason: String) {
        log.event(.error, "renewal-failed") { $0.member("reason", reason) }
    }

    func listenOverflow(_ count: Int, _ queues: [Int]) {
        log.event(.warn, "listen-overflow") { fields in
            fields.member("connections", count)
            fields.member("queued", queues.reduce(0, +))
        }
    }
}
