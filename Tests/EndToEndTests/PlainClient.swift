import Foundation

/// One connection to a gateway, spoken to in bytes, blocking, with a bounded time for everything.
final class PlainClient {
    private let socket: Int32
    private var received: [UInt8] = []

    enum Failure: Error, Equatable {
        case refused(Int32)
        case closed
        case timeout
        case malformed(String)
    }

    struct Response {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    /// Connects within `milliseconds`, which later limit each receive and each send; EINPROGRESS when nobody answers.
    init(port: UInt16, milliseconds: Int = 10_000) throws(Failure) {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw .refused(errno) }
    }

    deinit {
        close(socket)
    }

    /// A chat request, as the gateway wants it; `more` are members of its body, each behind a comma.
    static func chat(_ model: String, stream: Bool = false, more: String = "") -> String {
        let more = (stream ? #","stream":true"# : "") + more
        let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"hi"}]\#(more)}"#
        return "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(key)\r\n"
            + "content-type: application/json\r\ncontent-length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    static let key = "sk-0123456789abcdef"

    func send(_ text: String) throws(Failure) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw .closed }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends a request and reads its whole answer.
    func exchange(_ request: String) throws(Failure) -> Response {
        try send(request)
        return try readAnswer()
    }

    /// Reads a whole answer, which has a length.
    func readAnswer() throws(Failure) -> Response {
        var response = try readHead()
        guard let length = response.headers["content-length"].flatMap({ Int($0) }) else {
            throw .malformed("no length")
        }
        while received.count < length { try receive() }
        response.body = String(decoding: received.prefix(length), as: UTF8.self)
        received.removeFirst(length)
        return response
    }

    func readHead() throws(Failure) -> Response {
        var end: Int?
        while end == nil {
            end = received.indices.dropLast(3).first { received[$0..<$0 + 4].elementsEqual("\r\n\r\n".utf8) }
            if end == nil { try receive() }
        }
        let lines = String(decoding: received.prefix(end ?? 0), as: UTF8.self).split(separator: "\r\n")
        received.removeFirst((end ?? 0) + 4)
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw .malformed("no status")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 {
                headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return Response(status: status, headers: headers, body: "")
    }

    /// Everything up to the end of the connection.
    func readAll() throws(Failure) -> [UInt8] {
        while true {
            do throws(Failure) {
                try receive()
            } catch {
                guard error == .closed else { throw error }
                return received
            }
        }
    }

    /// The next line of a stream; chunk sizes are lines, too.
    func readLine() throws(Failure) -> String {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeFirst(end + 1)
                return line.trimmingCharacters(in: .newlines)
            }
            try receive()
        }
    }

    private func receive() throws(Failure) {
        var room = [UInt8](repeating: 0, count: 16384)
        let count = recv(socket, &room, room.count, 0)
        if count < 0 { throw errno == EAGAIN ? .timeout : .closed }
        guard count > 0 else { throw .closed }
        received += room[..<count]
    }
}
