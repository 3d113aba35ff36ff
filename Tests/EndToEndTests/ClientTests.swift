import Foundation
import Testing

@testable import mock_upstream

/// What a client can rely on, whatever the upstream does: keys, HEAD, events at once, bounded memory, deadlines.
@Suite struct ClientTests {
    private static func configuration(_ port: UInt16, timeout: Double = 20) -> String {
        """
        tagway: {access_log: false}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {num_retries: 0, timeout: \(timeout), stream_timeout: \(timeout), disable_cooldowns: true}
        model_list:
          - model_name: up
            litellm_params: {model: openai/m, api_key: sk-upstream, api_base: "http://127.0.0.1:\(port)/up/v1"}
          - model_name: here
            litellm_params: {model: openai/m, api_key: sk-upstream, mock_response: here}

        """
    }

    @Test(arguments: ["/health/liveliness", "/health/readiness", "/v1/models", "/nowhere"])
    func aHEADHasTheHeadOfItsGETAndNoBody(path: String) throws {
        let gateway = try SupervisedGateway(Self.configuration(9), workers: 1)
        let client = try PlainClient(port: gateway.port)
        let rest = "\(path) HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n\r\n"
        let get = try client.exchange("GET \(rest)")
        try client.send("HEAD \(rest)")
        let head = try client.readHead()
        #expect(head.status == get.status)
        #expect(head.headers["content-type"] == get.headers["content-type"])
        // Were there a body, it would be where the next head is looked for.
        let next = try client.exchange(PlainClient.chat("here"))
        #expect(next.status == 200 && next.body.contains("here"))
    }

    @Test func aKeyIsTakenFromEveryAcceptedPlaceAndFromNoOther() throws {
        let gateway = try SupervisedGateway(Self.configuration(9), workers: 1)
        let client = try PlainClient(port: gateway.port)
        func status(_ field: String, query: String = "") throws -> Int {
            try client.exchange("GET /v1/models\(query) HTTP/1.1\r\nhost: x\r\n\(field)\r\n").status
        }
        let key = PlainClient.key
        for word in ["Bearer", "bearer", "BEARER"] {
            #expect(try status("authorization: \(word) \(key)\r\n") == 200, "\(word)")
        }
        for name in ["api-key", "x-api-key", "x-goog-api-key", "x-litellm-api-key", "X-API-Key"] {
            #expect(try status("\(name): \(key)\r\n") == 200, "\(name)")
            #expect(try status("\(name): Bearer \(key)\r\n") == 200, "\(name) with Bearer")
            #expect(try status("\(name): \(key)0\r\n") == 401, "\(name), too long")
            #expect(try status("\(name): \(key.dropLast())\r\n") == 401, "\(name), too short")
        }
        #expect(try status("authorization: Bearer \(key.uppercased())\r\n") == 401)
        #expect(try status("authorization: Basic \(key)\r\n") == 401)
        #expect(try status("authorization: \(key)\r\n") == 401)
        #expect(try status("cookie: key=\(key)\r\n") == 401)
        #expect(try status("") == 401)
        #expect(try status("", query: "?key=\(key)&api_key=\(key)") == 401)
    }

    /// On a connection to the upstream that is kept nobody but the loop passes a stream on, until the client is slow.
    @Test(arguments: [false, true]) func aSlowClientSlowsTheUpstreamAndFillsNoMemory(isKept: Bool) throws {
        let total = 96 << 20
        let upstream = try PythonServer("flood.py", ["\(total)"])
        func sent() -> Int { upstream.lines().last?["sent"] as? Int ?? 0 }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port, timeout: 60), workers: 1)
        let worker = try #require(try gateway.workers().first)
        let client = try PlainClient(port: gateway.port)
        if isKept { #expect(try client.exchange(PlainClient.chat("up")).status == 200) }
        let before = try WorkerMemory(worker)
        try client.send(
            PlainClient.chat("up", stream: true)
                .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        #expect(try client.readHead().status == 200)
        // Until nothing has moved for half a second: what is on its way then lies in the kernel.
        var last = -1
        for _ in 0..<40 where sent() != last || last == 0 {
            last = sent()
            usleep(500_000)
        }
        let during = try WorkerMemory(worker)
        #expect(sent() > 0 && sent() < total, "\(sent())")
        #expect(during.anonymous - before.anonymous < 2 << 20, "\(before) \(during)")
        let body = try client.readAll()
        // Frames may have been put together, which takes some of their bytes away.
        #expect(body.count > total - total / 100, "\(body.count)")
        #expect(String(decoding: body.suffix(40), as: UTF8.self).contains("data: [DONE]"))
        #expect(sent() >= total)
        #expect(try WorkerMemory(worker).anonymous - before.anonymous < 2 << 20)
    }

    @Test(arguments: [false, true]) func theFirstEventDoesNotWaitForTheSecond(isKept: Bool) throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        if isKept { #expect(try client.exchange(PlainClient.chat("up")).status == 200) }
        // The second never comes.
        upstream.script("up", presets: ["stalled"])
        try client.send(PlainClient.chat("up", stream: true))
        #expect(try client.readHead().status == 200)
        var line = ""
        while !line.hasPrefix("data: ") { line = try client.readLine() }
        #expect(line.contains("chat.completion.chunk"), "\(line)")
    }

    @Test func aWayThatLeadsNowhereIsGivenUp() throws {
        let hole = BlackHole()
        defer { hole.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(hole.port, timeout: 0.5), workers: 1)
        let client = try PlainClient(port: gateway.port)
        let start = DispatchTime.now().uptimeNanoseconds
        let answer = try client.exchange(PlainClient.chat("up"))
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
        #expect(answer.status == 504, "\(answer.body)")
        #expect(seconds >= 0.45 && seconds < 5, "\(seconds)")
        #expect(try client.exchange(PlainClient.chat("here")).status == 200)
    }

    @Test(arguments: [false, true]) func theNextEventHasADeadlineOfItsOwn(isKept: Bool) throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port, timeout: 1), workers: 1)
        let client = try PlainClient(port: gateway.port)
        if isKept { #expect(try client.exchange(PlainClient.chat("up")).status == 200) }
        // Each event is in time; all together take twice as long as one may.
        upstream.script(
            "up",
            Behaviour {
                $0.pieces = 8
                $0.pace = 0.25
            })
        try client.send(
            PlainClient.chat("up", stream: true)
                .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        #expect(try client.readHead().status == 200)
        let text = String(decoding: try client.readAll(), as: UTF8.self)
        #expect(text.contains("n7n") && text.contains("data: [DONE]"), "\(text)")
    }

    /// More than one client may have answered before others get their turn.
    @Test func requestsInOneGoAreAllAnsweredInTheirOrder() throws {
        let upstream = try MockUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream.port), workers: 1)
        let client = try PlainClient(port: gateway.port)
        let kinds = (0..<50).map { $0 % 7 == 3 ? "here" : $0 % 7 == 5 ? "nobody" : "up" }
        try client.send(kinds.map { PlainClient.chat($0) }.joined())
        for kind in kinds {
            let answer = try client.readAnswer()
            #expect(answer.status == (kind == "nobody" ? 400 : 200), "\(answer.body)")
            #expect(answer.headers["x-litellm-model-group"] == kind)
        }
        #expect(upstream.received().count == kinds.count { $0 == "up" })
    }
}

/// A listener whose queue is full: a connection to it is neither taken nor refused.
private final class BlackHole {
    let port: UInt16
    private var sockets: [Int32] = []

    init() {
        func make(_ more: Int32) -> Int32 {
            Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | more, 0)
        }
        let listener = make(0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var sockets = [listener]
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                precondition(bind(listener, pointer, length) == 0 && listen(listener, 0) == 0, "no black hole")
                getsockname(listener, pointer, &length)
                for _ in 0..<4 {
                    let socket = make(Int32(SOCK_NONBLOCK.rawValue))
                    _ = connect(socket, pointer, length)
                    sockets.append(socket)
                }
            }
        }
        usleep(50_000)
        port = UInt16(bigEndian: address.sin_port)
        self.sockets = sockets
    }

    func shutDown() {
        sockets.forEach { close($0) }
        sockets = []
    }
}
