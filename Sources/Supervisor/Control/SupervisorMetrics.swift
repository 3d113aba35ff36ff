internal import Shared

/// What the supervisor has counted, as text that any worker serves. Pure.
struct SupervisorMetrics: Equatable {
    struct Restart: Hashable {
        var slot: Int
        var kind: Departure.Kind
    }

    /// What is so at the moment of writing.
    struct Now {
        var states: [Fleet.Worker.Phase: Int] = [:]
        var generation: UInt64 = 0
        var isDegraded = false
        /// The files are not what is in force.
        var hasDrifted = false
        var drainingConnections = 0
        /// Connections that nobody has accepted yet, by address.
        var queues: [(address: String, length: Int)] = []
    }

    var restarts: [Restart: Int] = [:]
    var reloads: [String: Int] = [:]
    var isLastReloadGood = true
    /// When the configuration in force came into force; seconds since 1970.
    var lastReloadSeconds: Int
    var lostRequests = 0
    var overflows = 0

    init(lastReloadSeconds: Int) { self.lastReloadSeconds = lastReloadSeconds }

    mutating func count(_ result: ReloadResult, atSeconds now: Int) {
        reloads[result.name, default: 0] += 1
        switch result {
        case .done:
            isLastReloadGood = true
            lastReloadSeconds = now
        case .unchanged: isLastReloadGood = true
        case .rolledBack:
            isLastReloadGood = false
            lastReloadSeconds = now
        case .failed: isLastReloadGood = false
        }
    }

    func text(_ now: Now) -> [UInt8] {
        let buffer = ByteBuffer(capacity: 4096)
        let text = MetricsText(into: buffer)
        text.family("gateway_workers", "gauge", "Workers by state.")
        for phase in Fleet.Worker.Phase.allCases {
            text.sample("gateway_workers", [("state", phase.rawValue)], now.states[phase] ?? 0)
        }
        text.family("gateway_worker_restarts_total", "counter", "Workers that ended, by slot and reason.")
        for (restart, count) in restarts.sorted(by: {
            ($0.key.slot, $0.key.kind.rawValue) < ($1.key.slot, $1.key.kind.rawValue)
        }) {
            let labels = [("slot", "\(restart.slot)"), ("reason", restart.kind.rawValue)]
            text.sample("gateway_worker_restarts_total", labels, count)
        }
        text.family("gateway_reload_total", "counter", "Reloads by result.")
        for result in ReloadResult.names {
            text.sample("gateway_reload_total", [("result", result)], reloads[result] ?? 0)
        }
        text.gauge("gateway_config_generation", "The configuration in force.", Int(clamping: now.generation))
        text.gauge("gateway_config_last_reload_success", "1 unless the last reload failed.", isLastReloadGood ? 1 : 0)
        text.gauge(
            "gateway_config_last_reload_timestamp_seconds", "When the configuration in force came into force.",
            lastReloadSeconds)
        text.gauge("gateway_config_drift", "1 while the files differ from what is in force.", now.hasDrifted ? 1 : 0)
        text.gauge(
            "gateway_degraded", "1 while a slot cannot keep a worker, or a kept configuration stands in for bad files.",
            now.isDegraded ? 1 : 0)
        text.family("gateway_requests_failed_total", "counter", "Requests that ended with their worker.")
        text.sample("gateway_requests_failed_total", [("reason", "worker_death")], lostRequests)
        text.gauge("gateway_draining_connections", "Connections of workers that drain.", now.drainingConnections)
        text.family("gateway_listener_queue", "gauge", "Connections that nobody has accepted yet.")
        for queue in now.queues { text.sample("gateway_listener_queue", [("address", queue.address)], queue.length) }
        text.counter(
            "gateway_listen_overflows_total", "Connections that the kernel of this machine had no room for.", overflows)
        return Array(buffer.storage[buffer.readable])
    }
}
