internal import Shared

/// What `tagway ctl status` answers, for people and for programs. Pure.
struct StatusReport: Equatable {
    struct Worker: Equatable {
        var slot: Int
        var incarnation: Int
        var process: Int32
        var state: String
        var generation: UInt64
        var uptime: TimeSpan
        /// Deaths of its slot within the last minute.
        var deaths: Int
        var figures: WorkerFigures
        /// Since its loop turned last.
        var silence: TimeSpan

        /// A loop turns at least once a second.
        var isSilent: Bool { state != "starting" && silence >= .seconds(3) }
    }

    struct Listener: Equatable {
        var address: String
        /// Connections that nobody has accepted yet.
        var queued: Int
    }

    var state: String
    var version: String
    var build: String
    var process: Int32
    var config: String
    var hash: String
    /// The files are not what is in force.
    var hasDrifted: Bool
    /// When the configuration in force was kept, if it was started from in place of bad files; seconds since 1970.
    var startedFromKept: Int?
    var uptime: TimeSpan
    var generation: UInt64
    var wanted: Int
    /// What the configuration or the command line says; another number was asked for by signal or command.
    var configured: Int
    var ready: Int
    var listeners: [Listener]
    var workers: [Worker]
    var lastReload: FinishedReload?
    var deaths: [DeathLog.Death]
    var nowMilliseconds: Int64

    func answer(isColoured: Bool) -> ControlAnswer {
        ControlAnswer(text: StatusText(self, isColoured: isColoured).text, data: json)
    }

    func workersAnswer(isColoured: Bool) -> ControlAnswer {
        let buffer = ByteBuffer(capacity: 1024)
        append(workers, to: buffer)
        return ControlAnswer(
            text: StatusText(self, isColoured: isColoured).table, data: Array(buffer.storage[buffer.readable]))
    }

    var json: [UInt8] {
        let buffer = ByteBuffer(capacity: 1024)
        var object = JSONObject(in: buffer)
        object.member("state", state)
        object.member("version", version)
        object.member("build", build)
        object.member("pid", Int(process))
        object.member("config", config)
        object.member("config_hash", hash)
        object.member("config_drift", hasDrifted)
        if let startedFromKept { object.member("last_good_kept_at", Timestamp.text(Int64(startedFromKept) * 1000)) }
        object.member("uptime_s", Int(uptime.seconds))
        object.member("generation", Int(clamping: generation))
        object.member("workers_wanted", wanted)
        object.member("workers_configured", configured)
        object.member("workers_ready", ready)
        object.member("listeners", listeners.map(\.address))
        object.member("listener_queue", listeners.reduce(0) { $0 + $1.queued })
        object.key("last_reload")
        if let reload = lastReload {
            buffer.append(reload.json)
        } else {
            buffer.append("null" as StaticString)
        }
        object.key("workers")
        append(workers, to: buffer)
        object.key("last_deaths")
        append(deaths, to: buffer) { Self.append($0, to: $1) }
        object.end()
        return Array(buffer.storage[buffer.readable])
    }

    private func append(_ workers: [Worker], to buffer: ByteBuffer) {
        append(workers, to: buffer) { Self.append($0, to: $1) }
    }

    private func append<Item>(_ items: [Item], to buffer: ByteBuffer, _ write: (Item, ByteBuffer) -> Void) {
        buffer.append(0x5B)
        for (index, item) in items.enumerated() {
            if index > 0 { buffer.append(ASCII.comma) }
            write(item, buffer)
        }
        buffer.append(0x5D)
    }

    private static func append(_ worker: Worker, to buffer: ByteBuffer) {
        var object = JSONObject(in: buffer)
        object.member("slot", worker.slot)
        object.member("incarnation", worker.incarnation)
        object.member("pid", Int(worker.process))
        object.member("state", worker.state)
        object.member("generation", Int(clamping: worker.generation))
        object.member("uptime_s", Int(worker.uptime.seconds))
        object.member("deaths", worker.deaths)
        object.member("connections", worker.figures.connections)
        object.member("in_flight", worker.figures.inFlight)
        object.member("requests", worker.figures.requests)
        object.member("accepts", worker.figures.accepts)
        object.member("live_generations", worker.figures.liveGenerations)
        object.member("dropped_lines", worker.figures.droppedLines)
        object.member("lag_ms", worker.figures.loopLag.milliseconds)
        object.member("resident_bytes", worker.figures.residentBytes)
        object.member("silent", worker.isSilent)
        object.member("silent_ms", worker.silence.milliseconds)
        object.end()
    }

    private static func append(_ death: DeathLog.Death, to buffer: ByteBuffer) {
        var object = JSONObject(in: buffer)
        object.member("at", Timestamp.text(death.atMilliseconds))
        object.member("slot", death.slot)
        object.member("incarnation", death.incarnation)
        object.member("pid", Int(death.process))
        object.member("reason", death.kind.rawValue)
        object.member("detail", death.reason)
        object.member("uptime_s", Int(death.uptime.seconds))
        object.member("generation", Int(clamping: death.generation))
        object.member("in_flight_lost", death.lost)
        object.member("output", death.output)
        object.end()
    }
}

extension FinishedReload {
    var json: [UInt8] {
        let buffer = ByteBuffer(capacity: 256)
        var object = JSONObject(in: buffer)
        object.member("id", id)
        object.member("result", name)
        object.member("generation", Int(clamping: generation))
        object.member("trigger", triggers)
        switch result {
        case .done(let models, _), .rolledBack(let models, _):
            object.member("added", models.added)
            object.member("removed", models.removed)
            object.member("changed", models.changed)
        case .unchanged, .failed: break
        }
        object.member("errors", reasons)
        object.member("took_ms", took.milliseconds)
        object.end()
        return Array(buffer.storage[buffer.readable])
    }

    /// For whoever asked for it.
    var answer: ControlAnswer {
        switch result {
        case .done(let models, _):
            var text = "generation \(generation) is in force"
            if !models.added.isEmpty { text += "; added \(models.added.joined(separator: ", "))" }
            if !models.removed.isEmpty { text += "; removed \(models.removed.joined(separator: ", "))" }
            if !models.changed.isEmpty { text += "; changed \(models.changed.joined(separator: ", "))" }
            return ControlAnswer(text: text + "\n", data: json)
        case .unchanged:
            return ControlAnswer(text: "nothing has changed; generation \(generation) is in force\n", data: json)
        case .rolledBack:
            let text = "workers crashed with the new configuration; generation \(generation) is the former one again\n"
            return ControlAnswer(exit: ExitCode.refused, text: text, data: json)
        case .failed:
            let text = "the reload failed; generation \(generation) is still in force\n"
            return ControlAnswer(
                exit: ExitCode.refused, text: reasons.map { $0 + "\n" }.joined() + text, data: json)
        }
    }
}
