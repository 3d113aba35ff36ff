import Foundation
import Synchronization

/// A stand-in for an OpenAI-compatible API on 127.0.0.1 (or ::1): one listener, a thread for each connection.
///
/// What it does with a request is decided by, in this order: the script of the request's name (the first part of the
/// path, unless that is `v1`), a preset at the end of that name (`NAME--PRESET`), a preset in the key (`mock-PRESET`).
package final class MockUpstream: Sendable {
    package let port: UInt16
    private let listener: Int32

    private struct State {
        var scripts: [String: [Behaviour]] = [:]
        var received: [Received] = []
        var connections = 0
        var open: Set<Int32> = []
    }

    private let state = Mutex(State())

    package struct Unavailable: Error { let code: Int32 }

    /// Listens; on a port that the kernel picks for 0.
    package init(port wanted: UInt16 = 0, ipv6: Bool = false) throws {
        let socket = Glibc.socket(
            ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var one: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = wanted.bigEndian
        four.sin_addr.s_addr = inet_addr("127.0.0.1")
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = wanted.bigEndian
        six.sin6_addr = in6addr_loopback
        func bindAndName(_ pointer: UnsafeMutableRawPointer, _ size: Int) -> Bool {
            var length = socklen_t(size)
            let address = pointer.assumingMemoryBound(to: sockaddr.self)
            return bind(socket, address, length) == 0 && listen(socket, 1024) == 0
                && getsockname(socket, address, &length) == 0
        }
        let isBound =
            ipv6
            ? withUnsafeMutablePointer(to: &six) { bindAndName($0, MemoryLayout<sockaddr_in6>.size) }
            : withUnsafeMutablePointer(to: &four) { bindAndName($0, MemoryLayout<sockaddr_in>.size) }
        guard isBound else {
            let code = errno
            close(socket)
            throw Unavailable(code: code)
        }
        port = UInt16(bigEndian: ipv6 ? six.sin6_port : four.sin_port)
        listener = socket
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [self] in serve(connection) }
            }
        }
    }

    /// Stops listening and cuts every connection.
    package func shutDown() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        state.withLock { for socket in $0.open { shutdown(socket, Int32(SHUT_RDWR)) } }
    }

    // MARK: What it is told, and tells

    /// What the requests of `name` get from now on, one after the other; the last one for ever.
    package func script(_ name: String = "", _ behaviours: Behaviour...) {
        script(name, behaviours)
    }

    package func script(_ name: String = "", _ behaviours: [Behaviour]) {
        state.withLock { $0.scripts[name] = behaviours }
    }

    /// As `script`, with presets.
    package func script(_ name: String = "", presets: [String]) {
        state.withLock { $0.scripts[name] = presets.compactMap { Behaviour.presets[$0] } }
    }

    package func received(_ name: String? = nil) -> [Received] {
        state.withLock { $0.received.filter { name == nil || $0.name == name } }
    }

    /// How many connections were accepted.
    package var connections: Int { state.withLock { $0.connections } }

    package func reset() {
        state.withLock {
            $0.scripts = [:]
            $0.received = []
        }
    }

    // MARK: Connections

    private func serve(_ socket: Int32) {
        let number = state.withLock { state in
            state.connections += 1
            state.open.insert(socket)
            return state.connections
        }
        defer {
            // Not closed before it is out of the set, or the number might be somebody else's when it is shut down.
            state.withLock { _ = $0.open.remove(socket) }
            close(socket)
        }
        let connection = Connection(socket)
        while var request = connection.next() {
            if request.path.hasPrefix("/__mock/") {
                guard control(connection, request) else { return }
                continue
            }
            request.connection = number
            let (index, behaviour) = state.withLock { state in
                state.received.append(request)
                return (state.received.count - 1, Self.behaviour(request, &state.scripts))
            }
            let isReusable = Answering(connection: connection, request: request, behaviour: behaviour).run()
            if connection.isHungUp {
                let after = Received.now() - request.time
                state.withLock { if index < $0.received.count { $0.received[index].hungUpAfter = after } }
            }
            guard isReusable else { return }
        }
    }

    private static func behaviour(_ request: Received, _ scripts: inout [String: [Behaviour]]) -> Behaviour {
        if let script = scripts[request.name], let first = script.first {
            if script.count > 1 { scripts[request.name]?.removeFirst() }
            return first
        }
        if let range = request.name.range(of: "--", options: .backwards),
            let preset = Behaviour.presets[String(request.name[range.upperBound...])]
        {
            return preset
        }
        let key = request.headers["authorization"] ?? ""
        if key.hasPrefix("Bearer mock-"), let preset = Behaviour.presets[String(key.dropFirst(12))] { return preset }
        return Behaviour()
    }

    // MARK: Over HTTP

    private func control(_ connection: Connection, _ request: Received) -> Bool {
        var status = 200
        var answer: Any = ["ok": true]
        switch request.path.split(separator: "?")[0] {
        case "/__mock/script":
            for (name, value) in request.json {
                let behaviours = (value as? [Any] ?? [value]).map(Behaviour.parse)
                guard !behaviours.contains(nil) else {
                    status = 400
                    answer = ["error": "\(name): a list of behaviours or presets is expected"]
                    break
                }
                state.withLock { $0.scripts[name] = behaviours.compactMap(\.self) }
            }
        case "/__mock/requests":
            let name = request.path.components(separatedBy: "name=").dropFirst().first
            answer = received(name).map { one in
                [
                    "name": one.name, "method": one.method, "path": one.path, "headers": one.headers, "body": one.text,
                    "connection": one.connection, "time": one.time, "hung_up_after": one.hungUpAfter ?? NSNull(),
                ] as [String: Any]
            }
        case "/__mock/reset": reset()
        default: status = 404
        }
        let body = (try? JSONSerialization.data(withJSONObject: answer)) ?? Data()
        return connection.send(
            Array(
                "HTTP/1.1 \(status) Mock\r\ncontent-type: application/json\r\ncontent-length: \(body.count)\r\n\r\n"
                    .utf8)
                + Array(body))
    }
}
