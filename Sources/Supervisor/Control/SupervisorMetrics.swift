internal import Shared

/// What the supervisor has counted, as text that any worker serves. Pure.
struct SupervisorMetrics: Equatable {
    /// What is so at the moment of writing.
    struct Now {
        var states: [Fleet.Worker.Phase: Int] = [:]
        var generation: UInt64 = 0
        var isDegraded = false
    }

    /// Workers that ended without being asked to, by slot.
    var deaths: [Int: Int] = [:]
    var reloads: [String: Int] = [:]
    var isLastReloadGood = true
    /// When the configuration in force came into force; seconds since 1970.
    var lastReloadSeconds: Int
    var lostRequests = 0

    init(lastReloadSeconds: Int) { self.lastReloadSeconds = lastReloadSeconds }

    mutating func count(_ result: ReloadResult, atSeconds now: Int) {
        reloads[result.name, default: 0] += 1
        switch result {
        case .done:
            isLastReloadGood = true
            lastReloadSeconds = now
        case .unchanged: isLastReloadGood = true
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
        text.family("gateway_worker_deaths_total", "counter", "Workers that ended without being asked to.")
        for (slot, count) in deaths.sorted(by: { $0.key < $1.key }) {
            text.sample("gateway_worker_deaths_total", [("slot", "\(slot)")], count)
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
        text.gauge("gateway_degraded", "1 while a slot cannot keep a worker.", now.isDegraded ? 1 : 0)
        text.family("gateway_requests_failed_total", "counter", "Requests that ended with their worker.")
        text.sample("gateway_requests_failed_total", [("reason", "worker_death")], lostRequests)
        return Array(buffer.storage[buffer.readable])
    }
}
