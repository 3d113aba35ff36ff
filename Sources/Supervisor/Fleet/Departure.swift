internal import Shared

/// How a worker ended, and what that cost.
struct Departure: Equatable {
    enum Kind: String, CaseIterable {
        case drained, recycled, deadline, exit, signal, watchdog, bootFailed = "boot-failed", brokenProtocol =
            "protocol"
    }

    let worker: Fleet.Worker
    let status: ExitStatus
    let kind: Kind
    /// For people.
    let reason: String
    /// Whether we had it end, and it did.
    let isExpected: Bool
    let lost: Int
    let nextTry: TimeSpan?

    init(_ worker: Fleet.Worker, _ status: ExitStatus, lost: Int, nextTry: TimeSpan?) {
        self.worker = worker
        self.status = status
        self.lost = lost
        self.nextTry = nextTry
        kind = Self.kind(worker, status)
        isExpected = kind == .drained || kind == .recycled
        reason = Self.reason(worker, status)
    }

    private static func kind(_ worker: Fleet.Worker, _ status: ExitStatus) -> Kind {
        let hasDrained = worker.phase == .draining && (status == .code(ExitCode.done) || status == .code(ExitCode.cut))
        switch worker.cause {
        case .recycled where hasDrained: return .recycled
        case .stopped, .replaced, .notNeeded, .recycled, .overdue:
            if hasDrained { return .drained }
            if worker.phase == .killed { return .deadline }
        case .watchdog: return .watchdog
        case .brokenProtocol: return .brokenProtocol
        case .notReady: return .bootFailed
        case nil: break
        }
        if worker.readyAt == nil { return .bootFailed }
        switch status {
        case .code: return .exit
        case .signal: return .signal
        }
    }

    private static func reason(_ worker: Fleet.Worker, _ status: ExitStatus) -> String {
        let how =
            switch status {
            case .code(0): "exited"
            case .code(let code): "exit status \(code)"
            case .signal(Signal.kill.rawValue) where worker.phase != .killed: "SIGKILL, maybe out of memory"
            case .signal(let number): Signal.name(of: number)
            }
        if let reason = worker.reason { return status == .code(0) ? reason : "\(reason) (\(how))" }
        return worker.readyAt == nil ? "\(how) before it was ready" : how
    }
}
