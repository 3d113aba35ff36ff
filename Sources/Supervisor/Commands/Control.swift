internal import Shared

/// `tagway ctl`: asks a running supervisor and prints its answer.
enum Control {
    /// How long an answer may take that needs no waiting for requests.
    private static let patience = TimeSpan.seconds(30)

    static func run(_ options: ControlOptions) -> Int32 {
        let directory = RunDirectory.path(
            told: options.runDirectory, port: options.port, environment: CurrentProcess.environment(),
            user: CurrentProcess.userID)
        let path = RunDirectory.controlSocket(in: directory)
        var request = ControlRequest(options)
        if StandardStream.output.isTerminal, !options.isJSON { request.flags.insert(.colour) }
        if options.flags.contains(.follow) { return follow(path, request) }
        // The end of open requests takes as long as the configuration allows.
        let deadline =
            options.waits && (options.action == .stop || options.action == .upgrade)
            ? Instant.never : Clock.now() + patience
        do throws(SystemError) {
            guard let line = try ask(path, request.encoded(), until: deadline) else {
                StandardStream.error.write("tagway: no answer from the supervisor at \(path)\n")
                return ExitCode.timeout
            }
            guard let answer = ControlAnswer(line) else {
                StandardStream.error.write("tagway: the supervisor at \(path) ended without an answer\n")
                return ExitCode.unavailable
            }
            if options.isJSON {
                StandardStream.output.write(line + [ASCII.lineFeed], 0..<line.count + 1)
            } else {
                let stream = answer.exit == ExitCode.refused ? StandardStream.error : .output
                stream.write(answer.text)
            }
            return answer.exit
        } catch {
            StandardStream.error.write("tagway: no supervisor at \(path): \(error.reason)\n")
            return ExitCode.unavailable
        }
    }

    /// Prints events as they come, until the supervisor ends or we are told to.
    private static func follow(_ path: String, _ request: ControlRequest) -> Int32 {
        do throws(SystemError) {
            let address = SocketAddress.unix(path: path)
            let socket = try Socket.stream(for: address)
            let line = request.encoded()
            guard try Socket.connect(socket, to: address),
                case .bytes(line.count) = try Socket.send(socket.number, line, 0..<line.count)
            else { return ExitCode.unavailable }
            var epoll = try Epoll(eventsPerWait: 1)
            try epoll.add(socket.number, .readable, token: 0)
            let buffer = ByteBuffer(capacity: 4096)
            while true {
                switch try buffer.receive(from: socket.number) {
                case .bytes:
                    StandardStream.output.write(buffer.storage, buffer.readable)
                    buffer.removeAll()
                case .end: return ExitCode.done
                case .wouldBlock: _ = epoll.wait(milliseconds: 60_000)
                }
            }
        } catch {
            StandardStream.error.write("tagway: no supervisor at \(path): \(error.reason)\n")
            return ExitCode.unavailable
        }
    }

    /// The first line of the answer, empty if the other side left without one; nil when none came in time.
    private static func ask(
        _ path: String, _ request: [UInt8], until deadline: Instant
    ) throws(SystemError) -> [UInt8]? {
        let address = SocketAddress.unix(path: path)
        let socket = try Socket.stream(for: address)
        guard try Socket.connect(socket, to: address) else { return nil }
        guard case .bytes(request.count) = try Socket.send(socket.number, request, 0..<request.count) else {
            return nil
        }
        var epoll = try Epoll(eventsPerWait: 1)
        try epoll.add(socket.number, .readable, token: 0)
        let buffer = ByteBuffer(capacity: 4096)
        while true {
            switch try buffer.receive(from: socket.number) {
            case .bytes:
                let end = buffer.storage[buffer.readable].firstIndex(of: ASCII.lineFeed)
                if let end { return Array(buffer.storage[buffer.start..<end]) }
            case .end: return []
            case .wouldBlock:
                let left = deadline - Clock.now()
                guard left.nanoseconds > 0 else { return nil }
                _ = epoll.wait(milliseconds: Int32(clamping: min(left.nanoseconds / 1_000_000 + 1, 60_000)))
            }
        }
    }
}
