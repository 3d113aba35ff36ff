import Foundation

/// A request as an upstream received it.
package struct Received: Sendable {
    /// The first part of the path, where that is not `v1`.
    package var name = ""
    package var method = ""
    package var path = ""
    /// Names in lower case.
    package var headers: [String: String] = [:]
    package var body: [UInt8] = []
    /// Which connection of the upstream it came on, from 1.
    package var connection = 0
    /// Monotonic seconds, when the request was complete.
    package var time = 0.0
    /// Seconds from then until the other side hung up within the answer; nil when it did not.
    package var hungUpAfter: Double?

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:] }

    static func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }
}

/// One accepted connection, blocking, with its own thread.
final class Connection {
    let socket: Int32
    private var received: [UInt8] = []
    private(set) var isHungUp = false

    init(_ socket: Int32) {
        self.socket = socket
        var one: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    // MARK: Receiving

    /// The next request; nil at the end of the connection.
    func next() -> Received? {
        var end: Int?
        while end == nil {
            end = received.indices.dropLast(3).first { received[$0..<$0 + 4].elementsEqual("\r\n\r\n".utf8) }
            if end == nil, !receive() { return nil }
        }
        let lines = String(decoding: received.prefix(end ?? 0), as: UTF8.self).components(separatedBy: "\r\n")
        received.removeFirst((end ?? 0) + 4)
        let start = (lines.first ?? "").split(separator: " ")
        guard start.count == 3 else { return nil }
        var request = Received()
        request.method = String(start[0])
        request.path = String(start[1])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            request.headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        if request.headers["transfer-encoding"]?.lowercased() == "chunked" {
            while true {
                guard let line = line(), let size = Int(line, radix: 16), take(size + 2) else { return nil }
                if size == 0 { break }
                request.body += received.prefix(size)
                received.removeFirst(size + 2)
            }
            received.removeFirst(2)
        } else {
            let length = request.headers["content-length"].flatMap { Int($0) } ?? 0
            guard take(length) else { return nil }
            request.body = Array(received.prefix(length))
            received.removeFirst(length)
        }
        let first = request.path.split(separator: "/").first.map(String.init) ?? ""
        if first != "v1" { request.name = first }
        request.time = Received.now()
        return request
    }

    private func line() -> String? {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                let line = String(decoding: received[..<end], as: UTF8.self).trimmingCharacters(in: .newlines)
                received.removeFirst(end + 1)
                return line
            }
            guard receive() else { return nil }
        }
    }

    private func take(_ count: Int) -> Bool {
        while received.count < count { guard receive() else { return false } }
        return true
    }

    private func receive() -> Bool {
        var room = [UInt8](repeating: 0, count: 65536)
        let count = recv(socket, &room, room.count, 0)
        guard count > 0 else { return false }
        received += room[..<count]
        return true
    }

    // MARK: Sending

    /// False when the other side is gone.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        guard !isHungUp else { return false }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.send(socket, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                isHungUp = true
                return false
            }
            sent += count
        }
        return true
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Waits, at most as long as the other side stays; forever when `seconds` is nil. False when it has left.
    @discardableResult
    func wait(_ seconds: Double?) -> Bool {
        let deadline = seconds.map { Received.now() + $0 }
        while !isHungUp {
            var left: Int32 = 1000
            if let deadline {
                let rest = deadline - Received.now()
                if rest <= 0 { return true }
                left = Int32(min(1000, max(1, rest * 1000)))
            }
            var entry = pollfd(fd: socket, events: 0x2000, revents: 0)  // POLLRDHUP, poll(2)
            if poll(&entry, 1, left) > 0 { isHungUp = true }
        }
        return false
    }

    /// Closes with a reset: socket(7), SO_LINGER with no time to linger.
    func reset() {
        var lingering = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &lingering, socklen_t(MemoryLayout<linger>.size))
    }
}
