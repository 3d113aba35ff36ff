import Foundation
import Synchronization

/// An upstream whose every answer is a stream of numbered events, one every 20 ms, until it is told to end them.
final class StreamingUpstream: Sendable {
    let port: UInt16
    private let listener: Int32
    private let isEnding = Atomic<Bool>(false)
    private let open = Atomic<Int>(0)

    init() {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                precondition(bind(socket, pointer, length) == 0 && listen(socket, 256) == 0, "no upstream")
                getsockname(socket, pointer, &length)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        listener = socket
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { [self] in serve(connection) }
            }
        }
    }

    /// How many streams are under way.
    var streams: Int { open.load(ordering: .relaxed) }

    /// Has every stream end as it should.
    func end() {
        isEnding.store(true, ordering: .relaxed)
    }

    func shutDown() {
        end()
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var room = [UInt8](repeating: 0, count: 65536)
        // The requests of these tests are small and come in one piece.
        guard recv(connection, &room, room.count, 0) > 0 else { return }
        open.add(1, ordering: .relaxed)
        defer { open.subtract(1, ordering: .relaxed) }
        guard
            send(
                connection,
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        else { return }
        var number = 0
        while !isEnding.load(ordering: .relaxed) {
            let data =
                #"{"id":"s","object":"chat.completion.chunk","model":"up","choices":[{"index":0,"delta":{"content":"n\#(number)n"}}]}"#
            guard sendChunk(connection, "data: \(data)\n\n") else { return }
            number += 1
            usleep(20_000)
        }
        guard sendChunk(connection, "data: [DONE]\n\n") else { return }
        _ = send(connection, "0\r\n\r\n")
    }

    private func sendChunk(_ connection: Int32, _ text: String) -> Bool {
        send(connection, "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
    }

    private func send(_ connection: Int32, _ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }
}
