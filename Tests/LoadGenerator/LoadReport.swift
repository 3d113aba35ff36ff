/// What came of a run, as it is printed.
package struct LoadReport: Codable, Sendable {
    package struct Failure: Codable, Sendable {
        /// What the gateway was told as the id of the call, and names in its records.
        package var id: String
        /// `refused`, `reset`, `early-end`, `timeout`, `status-NNN`, `crossed` (another request's answer); of a stream
        /// also `event-missing`, `event-doubled`, `error-event`, `no-end`.
        package var kind: String
        /// Since the run began, and since 1970.
        package var atMilliseconds: Int
        package var unixMilliseconds: Int
        /// Milliseconds since the request was sent; nil when it never was.
        package var sentFor: Int?
        /// Whether the connection had served a request before.
        package var isReused: Bool
    }

    /// Latencies in microseconds, from when a request was due, of those that were answered.
    package struct Phase: Codable, Sendable {
        package var answered = 0
        package var p50 = 0
        package var p99 = 0
        package var p999 = 0
        package var largest = 0
    }

    package struct Load: Codable, Sendable {
        package var sent = 0
        package var answered = 0
        package var connects = 0
        /// Connections that the gateway closed between two requests, and those that it announced to close.
        package var closedIdle = 0
        package var closedAnnounced = 0
        /// Events of streams that came in order.
        package var events = 0
        package var failures: [Failure] = []
        package var phases: [Phase] = []

        package func failures(_ kind: String) -> Int { failures.count { $0.kind == kind } }
    }

    package var milliseconds = 0
    package var kept = Load()
    package var fresh = Load()
    package var streams = Load()

    package var failures: [Failure] { kept.failures + fresh.failures + streams.failures }
    package var sent: Int { kept.sent + fresh.sent + streams.sent }
}
