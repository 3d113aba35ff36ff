import Shared
import Worker

/// An upstream that answers whole, or with a stream of numbered events at a fixed pace.
@Loop final class NumberedUpstream: RequestHandler, RequestWork {
    private let options: LoadOptions
    private let signals: SignalBox
    /// Streams that began before have to end.
    private var ended = Instant(nanoseconds: 0)

    init(_ options: LoadOptions, _ signals: SignalBox) {
        self.options = options
        self.signals = signals
    }

    func run() async {
        EventLoop.shared.start {
            await self.signals.listen { signal in
                if signal == .terminate { CurrentProcess.end(0) }
                self.ended = Clock.now()
            }
        }
        let server = HTTPServer(handler: self)
        do throws(SystemError) {
            let address = SocketAddress(host: "127.0.0.1", port: options.port) ?? .ipv4(0x0100_007F, port: 0)
            let socket = try Socket.stream(for: address)
            try Socket.set(.reuseAddress, to: 1, on: socket.number)
            try Socket.bind(socket, to: address)
            try Socket.listen(socket, backlog: 4096)
            StandardStream.output.write("\(try Socket.localAddress(socket.number).port ?? 0)\n")
            let readiness = try Readiness(sharing: socket.number)
            while true {
                while let connection = try Socket.accept(socket.number) { try server.serve(connection) }
                readiness.isReadable = false
                _ = await readiness.waitReadable(until: .never)
            }
        } catch {
            StandardStream.error.write("load-generator: \(error)\n")
            CurrentProcess.end(71)
        }
    }

    func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async {
        client.response.beginHead(400)
        client.response.endHead(length: 0)
        try? await client.response.finish(with: ByteBuffer(capacity: 16))
    }

    private static let stream = Array(#""stream":true"#.utf8)

    func answer(_ client: ClientConnection) -> Progress { .needsTask(self) }

    func finish(_ client: ClientConnection, _ wake: Wake) async {
        do throws(StreamFailure) {
            if client.input.storage[client.body].firstRange(of: Self.stream) != nil {
                try await stream(client)
            } else {
                if options.delay > 0 { await EventLoop.shared.sleep(until: Clock.now() + .milliseconds(options.delay)) }
                try await whole(client)
            }
        } catch {
            client.response.isLast = true
        }
    }

    private func whole(_ client: ClientConnection) async throws(StreamFailure) {
        let body = ByteBuffer(capacity: 256)
        body.append(
            #"{"id":"u","object":"chat.completion","created":1,"model":"up","choices":[{"index":0,"message":{"#
                + #""role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#)
        client.response.beginHead(200)
        client.response.buffer.append("content-type: application/json\r\n" as StaticString)
        client.response.endHead(length: body.count)
        try await client.response.finish(with: body)
    }

    private func stream(_ client: ClientConnection) async throws(StreamFailure) {
        client.response.beginHead(200)
        client.response.buffer.append("content-type: text/event-stream\r\n" as StaticString)
        client.response.endHeadOfStream()
        let begun = Clock.now()
        let event = ByteBuffer(capacity: 256)
        for number in 0..<options.events where ended < begun {
            event.removeAll()
            event.leaveFront(ByteBuffer.chunkFront)
            event.append(
                #"data: {"id":"u","object":"chat.completion.chunk","created":1,"model":"up","choices":[{"index":0,"#
                    + #""delta":{"content":"n\#(number)n"}}]}"# + "\n\n")
            if try !client.response.trySend(event) { try await client.response.sendRest(of: event) }
            let due = begun + .milliseconds((number + 1) * options.pause)
            if due > Clock.now() { await EventLoop.shared.sleep(until: due) }
        }
        event.removeAll()
        event.append("data: [DONE]\n\n" as StaticString)
        try await client.response.finish(event)
    }
}
