internal import Shared

/// The status as people read it in a terminal. Pure.
struct StatusText {
    private let report: StatusReport
    private let isColoured: Bool

    /// How many of the last deaths are listed, and how many lines of what each had written.
    private static let mostDeaths = 5
    private static let mostLines = 3

    init(_ report: StatusReport, isColoured: Bool) {
        self.report = report
        self.isColoured = isColoured
    }

    private enum Colour: String {
        case green = "32"
        case yellow = "33"
        case red = "31"
        case faint = "2"
    }

    private func paint(_ text: String, _ colour: Colour?) -> String {
        guard isColoured, let colour else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    private static func colour(of state: String) -> Colour? {
        switch state {
        case "ready": .green
        case "starting", "draining", "reloading", "upgrading": .yellow
        case "stopping": .faint
        default: .red
        }
    }

    var text: String {
        var count = "\(report.ready)/\(report.wanted) workers"
        if report.configured != report.wanted { count += " (configured: \(report.configured))" }
        let state = paint(report.state, Self.colour(of: report.state))
        var lines = [
            "\(state), generation \(report.generation), \(count), up \(Self.short(report.uptime))",
            "config \(report.config), process \(report.process), version \(report.version)",
            "listening on \(report.listeners.map(Self.describe).joined(separator: ", "))",
        ]
        if report.hasDrifted { lines.append(paint("the files are not what is in force", .yellow)) }
        if let kept = report.startedFromKept {
            let date = Timestamp.text(Int64(kept) * 1000)
            lines.append(paint("the files could not be served at the start: this was kept on \(date)", .red))
        }
        if let reload = report.lastReload {
            let line = "last reload: \(reload.name)\(reload.failure.map { ": \($0)" } ?? "")"
            lines.append(reload.isGood ? line : paint(line, .red))
        }
        return lines.map { $0 + "\n" }.joined() + "\n" + table + deaths
    }

    private static func describe(_ listener: StatusReport.Listener) -> String {
        listener.queued > 0 ? "\(listener.address) (\(listener.queued) waiting)" : listener.address
    }

    var table: String {
        let head = [
            "slot", "pid", "state", "generation", "age", "connections", "in flight", "requests", "lag ms", "MB",
            "deaths",
        ]
        let rows = report.workers.map { worker in
            [
                "\(worker.slot)", "\(worker.process)", worker.isSilent ? "silent" : worker.state,
                "\(worker.generation)", Self.short(worker.uptime), "\(worker.figures.connections)",
                "\(worker.figures.inFlight)", "\(worker.figures.requests)",
                "\(worker.figures.loopLag.milliseconds)", "\(worker.figures.residentBytes >> 20)",
                "\(worker.deaths)",
            ]
        }
        let widths = head.indices.map { column in ([head] + rows).map { $0[column].utf8.count }.max() ?? 0 }
        func line(_ row: [String], _ colour: (Int) -> Colour?) -> String {
            row.enumerated().map { column, cell in
                String(repeating: " ", count: widths[column] - cell.utf8.count) + paint(cell, colour(column))
            }.joined(separator: "  ") + "\n"
        }
        return line(head) { _ in .faint }
            + rows.map { row in line(row) { $0 == 2 ? Self.colour(of: row[2]) : nil } }.joined()
    }

    private var deaths: String {
        guard !report.deaths.isEmpty else { return "" }
        var text = "\nlast deaths:\n"
        for death in report.deaths.suffix(Self.mostDeaths).reversed() {
            let ago = TimeSpan.milliseconds(Int(report.nowMilliseconds - death.atMilliseconds))
            let lost = death.lost > 0 ? ", \(death.lost) requests lost" : ""
            text += "  \(Self.short(ago)) ago, slot \(death.slot): \(paint(death.reason, .red)) after "
            text += "\(Self.short(death.uptime)), generation \(death.generation)\(lost)\n"
            for line in death.output.suffix(Self.mostLines) { text += paint("    \(line)", .faint) + "\n" }
        }
        return text
    }

    /// `47s`, `12m`, `3h05m`, `9d04h`.
    static func short(_ span: TimeSpan) -> String {
        let seconds = max(0, Int(span.seconds))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(two(seconds % 60))s" }
        if seconds < 86400 { return "\(seconds / 3600)h\(two(seconds / 60 % 60))m" }
        return "\(seconds / 86400)d\(two(seconds / 3600 % 24))h"
    }
}
