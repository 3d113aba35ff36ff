internal import Shared

/// The Unix socket at which `tagway ctl` asks: one JSON object per line, answered by one per line.
///
/// Never waits for a client: each has bounded buffers and ten seconds to ask something, and there are at most
/// sixteen: one more takes the place of whoever has been silent longest. Only the supervisor's own user and root are
/// heard. Decides nothing: the supervisor answers.
final class ControlServer {
    private final class Client {
        let descriptor: FileDescriptor
        let input = ByteBuffer(capacity: 256)
        let output = ByteBuffer(capacity: 256)
        var activeAt: Instant
        /// Was promised an answer that takes its time.
        var isWaiting = false

        init(_ descriptor: consuming FileDescriptor, now: Instant) {
            self.descriptor = descriptor
            activeAt = now
        }
    }

    private let path: String
    private let listener: FileDescriptor
    private var clients: [Int: Client] = [:]
    private var nextID = 1

    private static let mostClients = 16
    private static let longestRequest = 4096
    private static let patience = TimeSpan.seconds(10)

    /// Binds `path`; the caller holds the lock of its directory, so what lies there is a leftover.
    init(at path: String) throws(SystemError) {
        self.path = path
        File.remove(path)
        let address = SocketAddress.unix(path: path)
        listener = try Socket.stream(for: address)
        try Socket.bind(listener, to: address)
        try File.setMode(path, 0o600)
        try Socket.listen(listener, backlog: 16)
    }

    /// The socket that an earlier image of this process has bound, and the clients that it has promised an answer.
    init(adopting listener: consuming FileDescriptor, at path: String, clients: [Int32], now: Instant) {
        self.path = path
        self.listener = listener
        for descriptor in clients {
            let client = Client(FileDescriptor(owning: descriptor), now: now)
            client.isWaiting = true
            self.clients[nextID] = client
            nextID += 1
        }
    }

    var number: Int32 { listener.number }

    /// Those that wait for an answer.
    var promised: [Int] { clients.filter(\.value.isWaiting).map(\.key).sorted() }

    func descriptor(of client: Int) -> Int32? { clients[client]?.descriptor.number }

    /// Accepts whoever waits; the numbers of those that may ask.
    func accept(now: Instant) -> [Int] {
        var accepted: [Int] = []
        while let descriptor = try? Socket.accept(listener.number) {
            guard let peer = try? Socket.peer(of: descriptor.number),
                peer.user == CurrentProcess.userID || peer.user == 0
            else { continue }
            if clients.count >= Self.mostClients { forgetMostSilent() }
            guard clients.count < Self.mostClients else { continue }
            clients[nextID] = Client(descriptor, now: now)
            accepted.append(nextID)
            nextID += 1
        }
        return accepted
    }

    /// Makes room, unless everybody waits for an answer.
    private func forgetMostSilent() {
        let silent = clients.filter { !$0.value.isWaiting }.min { $0.value.activeAt < $1.value.activeAt }
        if let silent { clients[silent.key] = nil }
    }

    /// Reads what a client has said: whole lines. Forgets a client that left.
    func read(_ id: Int, now: Instant) -> [[UInt8]] {
        guard let client = clients[id] else { return [] }
        client.activeAt = now
        while true {
            switch try? client.input.receive(from: client.descriptor.number) {
            case .bytes: if client.input.count <= Self.longestRequest { continue }
            case .wouldBlock: break
            case .end, nil:
                clients[id] = nil
                return []
            }
            break
        }
        var lines: [[UInt8]] = []
        while let end = client.input.storage[client.input.readable].firstIndex(of: ASCII.lineFeed) {
            lines.append(Array(client.input.storage[client.input.start..<end]))
            client.input.consume(end + 1 - client.input.start)
        }
        if client.input.count > Self.longestRequest { clients[id] = nil }
        return lines
    }

    /// The client's answer will come later; it may be silent until then.
    func promise(_ id: Int) {
        clients[id]?.isWaiting = true
    }

    func answer(_ id: Int, _ answer: ControlAnswer) {
        guard let client = clients[id] else { return }
        client.isWaiting = false
        client.output.append(answer.encoded())
        flush(id)
    }

    /// Sends a line that is no answer, to a client that follows events. False when it is gone, or does not listen.
    func push(_ id: Int, _ line: [UInt8]) -> Bool {
        guard let client = clients[id] else { return false }
        client.output.append(line)
        flush(id)
        return clients[id] != nil
    }

    private func flush(_ id: Int) {
        guard let client = clients[id] else { return }
        while !client.output.isEmpty {
            let sent = try? Socket.send(client.descriptor.number, client.output.storage, client.output.readable)
            guard case .bytes(let count) = sent else {
                // An answer is smaller than a socket's buffer: who has not read the ones before is not listening.
                clients[id] = nil
                return
            }
            client.output.consume(count)
        }
    }

    /// Forgets clients that keep silent.
    func closeIdle(now: Instant) {
        clients = clients.filter { $0.value.isWaiting || now - $0.value.activeAt < Self.patience }
    }

    var hasClients: Bool { !clients.isEmpty }

    /// Nobody can ask any more.
    func remove() {
        File.remove(path)
    }
}

extension ByteBuffer {
    /// Tries once to receive behind what is held, without waiting.
    func receive(from socket: Int32) throws(SystemError) -> ReadOutcome {
        var outcome = ReadOutcome.wouldBlock
        _ = try fill(atLeast: 1024) { (bytes, room) throws(SystemError) in
            outcome = try Socket.receive(socket, into: &bytes, room)
            guard case .bytes(let count) = outcome else { return 0 }
            return count
        }
        return outcome
    }
}
