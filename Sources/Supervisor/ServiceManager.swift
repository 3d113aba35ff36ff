internal import Shared

/// What the service manager that started us wants to hear; sd_notify(3), without its library.
///
/// Silent when nobody listens. A message that cannot be delivered is dropped.
struct ServiceManager {
    private let address: SocketAddress?
    /// How often it wants to hear that we are alive; nil: never.
    let watchdogInterval: TimeSpan?
    /// How many descriptors it keeps for our successor; 0: none.
    let storeSize: Int

    init(environment: [String: String]) {
        address = environment["NOTIFY_SOCKET"].flatMap { name in
            name.hasPrefix("/") || name.hasPrefix("@") ? SocketAddress.unix(path: name) : nil
        }
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(CurrentProcess.id)" } ?? true
        if address != nil, isOurs, let text = environment["WATCHDOG_USEC"], let limit = Int(text), limit > 0 {
            // Three times within the limit, so that one late message is no death.
            watchdogInterval = TimeSpan(nanoseconds: Int64(limit / 3) * 1000)
        } else {
            watchdogInterval = nil
        }
        // Set by systemd from 254 on, by our unit before.
        storeSize = address == nil ? 0 : environment["FDSTORE"].flatMap { Int($0) } ?? 0
    }

    func ready(_ status: String) {
        send(["READY=1", "MAINPID=\(CurrentProcess.id)", "STATUS=\(status)"])
    }

    /// The time has to be in the same message, or a unit of `Type=notify-reload` waits in vain.
    func reloading(now: Instant) {
        send(["RELOADING=1", "MONOTONIC_USEC=\(now.nanoseconds / 1000)", "STATUS=reloading"])
    }

    func stopping(_ status: String) {
        send(["STOPPING=1", "STATUS=\(status)"])
    }

    func status(_ status: String) {
        send(["STATUS=\(status)"])
    }

    /// Asks for more time to stop.
    func extend(_ time: TimeSpan, _ status: String) {
        send(["EXTEND_TIMEOUT_USEC=\(time.nanoseconds / 1000)", "STATUS=\(status)"])
    }

    func alive() {
        send(["WATCHDOG=1"])
    }

    /// Gives it a copy of a socket, which the next process of the service is started with.
    func store(_ socket: DescriptorBox, as name: String) -> Bool {
        send(["FDSTORE=1", "FDNAME=\(name)"], [socket])
    }

    func forget(_ name: String) {
        send(["FDSTOREREMOVE=1", "FDNAME=\(name)"])
    }

    @discardableResult
    private func send(_ lines: [String], _ descriptors: [DescriptorBox] = []) -> Bool {
        guard let address else { return false }
        // A line is a variable: what we say of errors must not begin another one.
        let text = lines.map { String($0.map { $0.isNewline ? " " : $0 }) }.joined(separator: "\n")
        return Socket.sendDatagram(Array(text.utf8), descriptors: descriptors, to: address)
    }
}
