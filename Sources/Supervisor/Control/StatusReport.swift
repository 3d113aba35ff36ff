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
    }

    var state: String
    var version: String
    var process: Int32
    var config: String
    var uptime: TimeSpan
    var generation: UInt64
    var wanted: Int
    var ready: Int
    var listeners: [String]
    var workers: [Worker]
    var lastReload: FinishedReload?

    var text: String {
        var lines = [
            "\(state), generation \(generation), \(ready)/\(wanted) workers, up \(Int(uptime.seconds)) s",
            "config \(config), process \(process), version \(version)",
            "listening on \(listeners.joined(separator: ", "))",
        ]
        if let reload = lastReload {
            lines.append("last reload: \(reload.name)\(reload.failure.map { ": \($0)" } ?? "")")
        }
        let rows =
            [["slot", "pid", "state", "generation", "connections", "in flight", "requests", "lag ms", "MB", "deaths"]]
            + workers.map { worker in
                [
                    "\(worker.slot)", "\(worker.process)", Self.isSilent(worker) ? "silent" : worker.state,
                    "\(worker.generation)", "\(worker.figures.connections)", "\(worker.figures.inFlight)",
                    "\(worker.figures.requests)", "\(worker.figures.loopLag.milliseconds)",
                    "\(worker.figures.residentBytes >> 20)", "\(worker.deaths)",
                ]
            }
        let widths = rows[0].indices.map { column in rows.map { $0[column].utf8.count }.max() ?? 0 }
        for row in rows {
            let cells = row.enumerated().map { String(repeating: " ", count: widths[$0] - $1.utf8.count) + $1 }
            lines.append(cells.joined(separator: "  "))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// A loop turns at least once a second.
    private static func isSilent(_ worker: Worker) -> Bool {
        worker.state != "starting" && worker.silence >= .seconds(3)
    }

    var json: [UInt8] {
        let buffer = ByteBuffer(capacity: 1024)
        var object = JSONObject(in: buffer)
        object.member("state", state)
        object.member("version", version)
        object.member("pid", Int(process))
        object.member("config", config)
        object.member("uptime_s", Int(uptime.seconds))
        object.member("generation", Int(clamping: generation))
        object.member("workers_wanted", wanted)
        object.member("workers_ready", ready)
        object.member("listeners", listeners)
        object.key("last_reload")
        if let reload = lastReload {
            buffer.append(reload.json)
        } else {
            buffer.append("null" as StaticString)
        }
        object.key("workers")
        buffer.append(0x5B)
        for (index, worker) in workers.enumerated() {
            if index > 0 { buffer.append(ASCII.comma) }
            Self.append(worker, to: buffer)
        }
        buffer.append(0x5D)
        object.end()
        return Array(buffer.storage[buffer.readable])
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
        object.member("silent_ms", worker.silence.milliseconds)
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
        if case .done(let models, _) = result {
            object.member("added", models.added)
            object.member("removed", models.removed)
            object.member("changed", models.changed)
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
        case .failed(let reasons):
            let text = "the reload failed; generation \(generation) is still in force\n"
            return ControlAnswer(
                exit: ExitCode.refused, text: reasons.map { $0 + "\n" }.joined() + text, data: json)
        }
    }
}
