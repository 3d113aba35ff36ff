import Foundation

/// A client of the supervisor's control socket that speaks its protocol itself: no process is started for a question.
final class ControlSocket {
    private let socket: Int32

    struct Unreachable: Error { let code: Int32 }

    init(_ directory: URL) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) {
            $0.copyBytes(from: directory.appendingPathComponent("control.sock").path.utf8)
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(socket)
            throw Unreachable(code: code)
        }
    }

    deinit {
        close(socket)
    }

    @discardableResult
    func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// The answer to one command, or nothing when none comes.
    func ask(_ command: String) -> [String: Any]? {
        guard send(#"{"command":"\#(command)"}"# + "\n") else { return nil }
        var received = Data()
        var room = [UInt8](repeating: 0, count: 65536)
        while received.last != 0x0A {
            let count = recv(socket, &room, room.count, 0)
            guard count > 0 else { return nil }
            received += room[..<count]
        }
        return (try? JSONSerialization.jsonObject(with: received)) as? [String: Any]
    }
}
