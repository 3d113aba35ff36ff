import Foundation
import load_generator

/// Failures that clients saw against what the gateway has written, one by one.
struct Account {
    /// Named by `request-lost` or `cut`.
    var named = 0
    /// Their connection ended with a worker that had not read the request yet: no record can name it, but the worker's
    /// death counts the connection.
    var unread = 0
    /// Of those, the most that one death explains; how many were never sent; and the longest time, in milliseconds, from
    /// when one was sent to when its client saw the end.
    var mostUnread = 0
    var unsent = 0
    var longestUnread = 0
    var unexplained: [LoadReport.Failure] = []
    /// Records of requests that no client saw fail, and the most of them at one death.
    var unseen: [String] = []
    var mostUnseen = 0
    var records = 0

    var text: String {
        let details =
            unread == 0
            ? ""
            : " (at most \(mostUnread) at one death, \(unsent) not sent yet, the others \(longestUnread) ms before at most)"
        return "\(named + unread + unexplained.count) failed: \(named) named, \(unread) unread\(details), "
            + "\(unexplained.count) unexplained; \(unseen.count) of \(records) records unseen"
    }

    private struct Exit {
        var milliseconds: Int
        /// Connections that ended with the worker and had no request under way.
        var silent: Int
        /// Whether it may have accepted one connection that it had not counted yet: a worker does one thing at a time.
        var mayHaveMore: Bool
        var explained = 0

        func explains(_ failure: LoadReport.Failure) -> Bool {
            (silent > 0 || mayHaveMore && !failure.isReused) && distance(failure) < 1000
        }

        func distance(_ failure: LoadReport.Failure) -> Int { abs(milliseconds - failure.unixMilliseconds) }
    }

    init(_ report: LoadReport, _ gateway: SupervisedGateway) {
        let told = gateway.events("request-lost") + gateway.events("cut")
        records = told.count
        let known = Set(told.compactMap { $0["request"] as? String })
        var exits = gateway.events("worker-exit").compactMap { event -> Exit? in
            guard let date = Self.date(event["ts"]) else { return nil }
            let milliseconds = Int(date.timeIntervalSince1970 * 1000)
            let lost = (event["connections_lost"] as? Int ?? 0) - (event["in_flight_lost"] as? Int ?? 0)
            return Exit(
                milliseconds: milliseconds, silent: max(0, lost), mayHaveMore: event["level"] as? String != "info")
        }
        for failure in report.failures {
            if known.contains(failure.id) {
                named += 1
                continue
            }
            let exit = exits.indices.filter { exits[$0].explains(failure) }.min {
                exits[$0].distance(failure) < exits[$1].distance(failure)
            }
            if let exit, failure.kind == "reset" || failure.kind == "early-end" {
                if exits[exit].silent > 0 {
                    exits[exit].silent -= 1
                } else {
                    exits[exit].mayHaveMore = false
                }
                exits[exit].explained += 1
                unread += 1
                if failure.sentFor == nil { unsent += 1 }
                longestUnread = max(longestUnread, failure.sentFor ?? 0)
            } else {
                unexplained.append(failure)
            }
        }
        mostUnread = exits.map(\.explained).max() ?? 0
        let failed = Set(report.failures.map(\.id))
        let overlooked = told.filter { !failed.contains($0["request"] as? String ?? "") }
        unseen = overlooked.compactMap { $0["request"] as? String }
        mostUnseen =
            Dictionary(grouping: overlooked) { ($0["worker"] ?? $0["pid"]) as? Int }.values.map(\.count).max() ?? 0
    }

    /// When an event of the log happened.
    static func date(_ timestamp: Any?) -> Date? {
        guard let text = timestamp as? String else { return nil }
        return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
