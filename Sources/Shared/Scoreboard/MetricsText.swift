/// The text that Prometheus scrapes: what all workers together have counted, what each is doing, and what the
/// supervisor has published. Text format 0.0.4. Pure.
///
/// Names are the reference's (`litellm_…`) where it has the figure, and `gateway_…` otherwise. A counter of the
/// reference ends in `_total`, as its client library writes it.
public struct MetricsText {
    private let buffer: ByteBuffer

    public init(into buffer: ByteBuffer) {
        self.buffer = buffer
    }

    public func append(_ totals: WorkerCounters) {
        let failed = totals.calls.enumerated().filter { $0.offset + WorkerCounters.firstStatus >= 400 }
        family("litellm_proxy_total_requests_metric_total", "counter", "Calls of models, by the status answered.")
        for (index, count) in totals.calls.enumerated() where count > 0 {
            sample("litellm_proxy_total_requests_metric_total", [("status_code", Self.status(index))], count)
        }
        family("litellm_proxy_failed_requests_metric_total", "counter", "Calls of models that were not answered well.")
        for (index, count) in failed where count > 0 {
            sample("litellm_proxy_failed_requests_metric_total", [("exception_status", Self.status(index))], count)
        }
        family("litellm_request_total_latency_metric", "histogram", "Seconds from the whole request to the last byte.")
        histogram("litellm_request_total_latency_metric", totals.duration)
        family("litellm_llm_api_latency_metric", "histogram", "Seconds of a call in which an upstream had the word.")
        histogram("litellm_llm_api_latency_metric", totals.upstream)
        family("gateway_requests_total", "counter", "Requests begun, of every kind.")
        sample("gateway_requests_total", [], totals.requests)
        family("gateway_responses_total", "counter", "Answers by class of status; 499 is a client that left.")
        for (kind, counts) in [("call", totals.calls), ("other", totals.others)] {
            for first in stride(from: 0, to: WorkerCounters.statusCount, by: 100) {
                let sum = counts[first..<first + 100].reduce(0, &+)
                let name = "\(first / 100 + 1)xx"
                sample("gateway_responses_total", [("kind", kind), ("class", name)], sum)
            }
        }
        counter("gateway_streams_total", "Answers that were sent as streams.", totals.streams)
        counter("gateway_response_bytes_total", "Bytes of answers that left for clients.", totals.bytesSent)
        counter("gateway_retries_total", "Attempts beyond the first.", totals.retries)
        counter("gateway_fallbacks_total", "Calls that went on to another model group.", totals.fallbacks)
        counter("gateway_connections_accepted_total", "Connections of clients.", totals.accepts)
        counter("gateway_requests_cut_total", "Requests that the deadline of a drain ended.", totals.cut)
        counter("gateway_log_lines_dropped_total", "Access lines that nobody read.", totals.droppedLines)
        counter(
            "gateway_requests_untracked_total", "Requests that no record would name, should their worker die.",
            totals.untracked)
    }

    /// What each slot is doing; a worker that drains beside its successor counts for the slot of both.
    public func append(_ workers: [(slot: Int, figures: WorkerFigures)]) {
        let slots = Set(workers.map(\.slot)).sorted()
        func gauge(
            _ name: String, _ help: StaticString, _ value: (WorkerFigures) -> Int, _ join: (Int, Int) -> Int
        ) {
            family(name, "gauge", help)
            for slot in slots {
                let values = workers.filter { $0.slot == slot }.map { value($0.figures) }
                sample(name, [("slot", "\(slot)")], values.dropFirst().reduce(values.first ?? 0, join))
            }
        }
        gauge("gateway_connections", "Connections of clients now.", { $0.connections }, +)
        gauge("gateway_requests_in_flight", "Requests under way.", { $0.inFlight }, +)
        gauge("gateway_worker_resident_bytes", "Memory of the workers of a slot.", { $0.residentBytes }, +)
        gauge("gateway_live_generations", "Configurations that a request still uses.", { $0.liveGenerations }, max)
        family("gateway_worker_loop_lag_seconds", "gauge", "How late the loop of a worker was when it last looked.")
        for slot in slots {
            let lags = workers.filter { $0.slot == slot }.map(\.figures.loopLag)
            let lag = lags.max() ?? TimeSpan(nanoseconds: 0)
            name("gateway_worker_loop_lag_seconds", [("slot", "\(slot)")])
            append(seconds: Int(lag.nanoseconds))
        }
    }

    /// How deployments are doing that have been tried, over all workers; each is named by `labels`.
    public func append(_ deployments: [(labels: [(String, String)], figures: DeploymentFigures)], at now: Instant) {
        func family(
            _ name: String, _ type: StaticString, _ help: StaticString, _ value: (DeploymentFigures) -> Int
        ) {
            self.family(name, type, help)
            for (labels, figures) in deployments { sample(name, labels, value(figures)) }
        }
        family("litellm_deployment_total_requests_total", "counter", "Attempts at a deployment.") { $0.attempts }
        family(
            "litellm_deployment_failure_responses_total", "counter", "Attempts that failed by the deployment's fault."
        ) { $0.failures }
        family("litellm_deployment_cooled_down_total", "counter", "How often a deployment was left alone.") {
            $0.cooldowns
        }
        family(
            "litellm_deployment_state", "gauge", "0: in use, 1: left alone until one attempt succeeds, 2: left alone."
        ) { figures in
            figures.cooldownEnd.nanoseconds == 0 ? 0 : figures.cooldownEnd > now ? 2 : 1
        }
        family("gateway_deployment_in_flight", "gauge", "Attempts under way.") { $0.inFlight }
    }

    public func counter(_ name: String, _ help: StaticString, _ value: Int) {
        family(name, "counter", help)
        sample(name, [], value)
    }

    public func gauge(_ name: String, _ help: StaticString, _ value: Int) {
        family(name, "gauge", help)
        sample(name, [], value)
    }

    // MARK: The format

    public func family(_ name: String, _ type: StaticString, _ help: StaticString) {
        buffer.append("# HELP " as StaticString)
        buffer.append(name)
        buffer.append(ASCII.space)
        buffer.append(help)
        buffer.append("\n# TYPE " as StaticString)
        buffer.append(name)
        buffer.append(ASCII.space)
        buffer.append(type)
        buffer.append(ASCII.lineFeed)
    }

    public func sample(_ name: String, _ labels: [(String, String)], _ value: Int) {
        self.name(name, labels)
        if value < 0 { buffer.append(0x2D) }
        buffer.append(decimal: Int(clamping: value.magnitude))
        buffer.append(ASCII.lineFeed)
    }

    private func histogram(_ name: String, _ counts: LatencyCounts) {
        var sum = 0
        for (index, count) in counts.buckets.enumerated() {
            sum &+= count
            let bound = index < LatencyCounts.bounds.count ? "\(LatencyCounts.bounds[index])" : "+Inf"
            sample("\(name)_bucket", [("le", bound)], sum)
        }
        sample("\(name)_count", [], sum)
        self.name("\(name)_sum", [])
        append(seconds: counts.nanoseconds)
    }

    private func name(_ name: String, _ labels: [(String, String)]) {
        buffer.append(name)
        if !labels.isEmpty {
            for (index, (label, value)) in labels.enumerated() {
                buffer.append(index == 0 ? 0x7B : ASCII.comma)
                buffer.append(label)
                buffer.append(0x3D)
                buffer.append(ASCII.quote)
                for byte in value.utf8 { append(labelByte: byte) }
                buffer.append(ASCII.quote)
            }
            buffer.append(0x7D)
        }
        buffer.append(ASCII.space)
    }

    private func append(labelByte byte: UInt8) {
        switch byte {
        case ASCII.quote, ASCII.backslash:
            buffer.append(ASCII.backslash)
            buffer.append(byte)
        case ASCII.lineFeed: buffer.append("\\n" as StaticString)
        default: buffer.append(byte)
        }
    }

    private func append(seconds nanoseconds: Int) {
        let microseconds = max(0, nanoseconds) / 1000
        buffer.append(decimal: microseconds / 1_000_000)
        buffer.append(0x2E)
        let digits = String(microseconds % 1_000_000)
        buffer.append(String(repeating: "0", count: 6 - digits.utf8.count) + digits + "\n")
    }

    private static func status(_ index: Int) -> String { "\(index + WorkerCounters.firstStatus)" }
}
