import Foundation

/// An upstream that answers whatever it is asked with given bytes, in one packet, and closes.
final class RawUpstream: Sendable {
    let port: UInt16
    private let listener: Int32

    init(_ answers: [String]) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (number, size) = (listener, length)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, size) == 0 && listen(number, 16) == 0 && getsockname(number, $0, &length) == 0
            }
        }
        guard isBound else { throw PlainClient.Failure.refused(errno) }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread {
            for answer in answers {
                let connection = accept(number, nil, nil)
                guard connection >= 0 else { return }
                var bytes = [UInt8](repeating: 0, count: 1 << 16)
                _ = recv(connection, &bytes, bytes.count, 0)
                let sent = Array(answer.utf8)
                _ = send(connection, sent, sent.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
        }
    }

    deinit {
        // Wakes the thread where it waits for more than it is asked.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}
