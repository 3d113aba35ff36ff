import Foundation
import Synchronization
import Testing

/// Processes come and go; requests must not notice, or only those that were on a process that died.
@Suite(.serialized) struct SupervisionTests {
    /// One model that answers itself, and one behind a streaming upstream if there is one.
    static func configuration(
        extra: String = "extra", upstream: UInt16? = nil, drainTimeout: Int = 60
    ) -> String {
        var text = """
            tagway: {drain_timeout: \(drainTimeout), access_log: false}
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - model_name: quick
                litellm_params: {model: openai/quick, api_key: sk-upstream, mock_response: quick}
              - model_name: \(extra)
                litellm_params: {model: openai/extra, api_key: sk-upstream, mock_response: extra}

            """
        if let upstream {
            text += """
                  - model_name: slow
                    litellm_params: {model: openai/slow, api_key: sk-upstream, api_base: "http://127.0.0.1:\(upstream)/v1"}

                """
        }
        return text
    }

    /// What clients in threads of their own have seen.
    final class Tally: Sendable {
        let requests = Atomic<Int>(0)
        let ended = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        let failures = Mutex<[String]>([])

        func fail(_ text: String) { failures.withLock { $0.append(text) } }

        /// A client that sends one request after the other on one connection.
        func keepAsking(_ port: UInt16) {
            Thread.detachNewThread { [self] in
                defer { ended.add(1, ordering: .relaxed) }
                do {
                    let client = try PlainClient(port: port)
                    while !isOver.load(ordering: .relaxed) {
                        let response = try client.exchange(PlainClient.chat("quick"))
                        if response.status != 200 { fail("status \(response.status)") }
                        if response.headers["connection"] == "close" { fail("told to close") }
                        requests.add(1, ordering: .relaxed)
                    }
                } catch {
                    fail("client: \(error)")
                }
            }
        }

        /// A client that follows one stream to its end and counts its events.
        func follow(_ port: UInt16) {
            Thread.detachNewThread { [self] in
                defer { ended.add(1, ordering: .relaxed) }
                do {
                    let client = try PlainClient(port: port)
                    try client.send(PlainClient.chat("slow", stream: true))
                    let head = try client.readHead()
                    if head.status != 200 { return fail("stream: status \(head.status)") }
                    var next = 0
                    while true {
                        let line = try client.readLine()
                        guard line.hasPrefix("data: ") else { continue }
                        if line == "data: [DONE]" { return }
                        if line.contains("\"error\"") { return fail("stream: \(line)") }
                        if !line.contains("n\(next)n") { return fail("stream: event \(next) is missing: \(line)") }
                        next += 1
                        requests.add(1, ordering: .relaxed)
                    }
                } catch {
                    fail("stream: \(error)")
                }
            }
        }
    }

    /// Why a connection cannot be made; nil when it can.
    static func refusal(_ port: UInt16) -> PlainClient.Failure? {
        do throws(PlainClient.Failure) {
            _ = try PlainClient(port: port)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Reload

    @Test func aHundredReloadsCloseNoConnectionAndBreakNoStream() throws {
        let upstream = StreamingUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream: upstream.port))
        let clients = Tally()
        let streams = Tally()
        for _ in 0..<64 { clients.keepAsking(gateway.port) }
        for _ in 0..<50 { streams.follow(gateway.port) }
        #expect(waitUntil(seconds: 20) { upstream.streams == 50 })
        for round in 1...100 {
            try gateway.write(Self.configuration(extra: "extra-\(round)", upstream: upstream.port))
            gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 20) { gateway.events("reload").count == round }, "reload \(round)")
        }
        let asked = clients.requests.load(ordering: .relaxed)
        clients.isOver.store(true, ordering: .relaxed)
        upstream.end()
        #expect(waitUntil(seconds: 20) { clients.ended.load(ordering: .relaxed) == 64 })
        #expect(waitUntil(seconds: 20) { streams.ended.load(ordering: .relaxed) == 50 })
        #expect(clients.failures.withLock { $0 } == [])
        #expect(streams.failures.withLock { $0 } == [])
        #expect(asked > 1000)
        let status = try gateway.status()
        #expect(status["generation"] as? Int == 101)
        let workers = status["workers"] as? [[String: Any]] ?? []
        #expect(workers.map { $0["generation"] as? Int } == [101, 101])
        #expect(workers.reduce(0) { $0 + ($1["accepts"] as? Int ?? 0) } == 114)
        #expect(workers.map { $0["incarnation"] as? Int } == [1, 1])
    }

    @Test func aReloadIsInForceEverywhereWhenItsCommandReturns() throws {
        let gateway = try SupervisedGateway(Self.configuration(extra: "before"), workers: 3)
        let old = try (0..<12).map { _ in try PlainClient(port: gateway.port) }
        for client in old { #expect(try client.exchange(PlainClient.chat("before")).status == 200) }
        try gateway.write(Self.configuration(extra: "after"))
        let (status, output) = try gateway.control("reload", "--wait")
        #expect(status == 0)
        #expect(output == "generation 2 is in force; added after; removed before\n")
        for client in old {
            #expect(try client.exchange(PlainClient.chat("after")).status == 200)
            #expect(try client.exchange(PlainClient.chat("before")).status != 200)
        }
        for _ in 0..<12 {
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("after")).status == 200)
        }
        #expect(try gateway.control("reload", "--wait").output.hasPrefix("nothing has changed"))
    }

    @Test func aBadFileChangesNothingAndEveryProblemIsSaid() throws {
        let gateway = try SupervisedGateway(Self.configuration())
        let client = try PlainClient(port: gateway.port)
        try gateway.write(Self.configuration().replacing("mock_response: extra", with: "tags: free, weight: \"x\""))
        gateway.signal(SIGHUP)
        #expect(waitUntil(seconds: 10) { gateway.events("reload").count == 1 })
        let reload = try #require(gateway.events("reload").first)
        #expect(reload["result"] as? String == "failed")
        #expect(reload["generation"] as? Int == 1)
        let errors = try #require(reload["errors"] as? [String])
        #expect(errors.count == 2)
        #expect(errors.allSatisfy { $0.contains("config.yaml:7:") })
        let (status, output) = try gateway.control("reload", "--wait")
        #expect(status == 1)
        #expect(output.contains("config.yaml:7:"))
        #expect(output.hasSuffix("generation 1 is still in force\n"))
        #expect(try client.exchange(PlainClient.chat("extra")).status == 200)
        try gateway.write(Self.configuration(extra: "good"))
        #expect(try gateway.control("reload", "--wait").status == 0)
        #expect(try client.exchange(PlainClient.chat("good")).status == 200)
    }

    // MARK: Death

    @Test func aKilledWorkerIsReplacedAtOnceAndTheNextConnectionIsServed() throws {
        let gateway = try SupervisedGateway(Self.configuration(), workers: 4)
        var times: [Int] = []
        // Each slot dies for the first time; the wait grows only with the deaths of one slot.
        for (slot, worker) in try gateway.workers().enumerated() {
            let killed = DispatchTime.now()
            kill(worker, SIGKILL)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
            #expect(
                waitUntil(seconds: 10) {
                    gateway.events("worker-ready").contains { event in
                        event["slot"] as? Int == slot && event["incarnation"] as? Int == 2
                    }
                })
            times.append(Int((DispatchTime.now().uptimeNanoseconds - killed.uptimeNanoseconds) / 1_000_000))
        }
        // A busy machine may delay one of them, not all.
        #expect((times.min() ?? .max) <= 250, "back after \(times) ms")
        #expect(gateway.events("worker-exit").count == 4)
    }

    @Test func whatAKilledWorkerHadInFlightIsNamedOneByOne() throws {
        let upstream = StreamingUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream: upstream.port))
        let streams = Tally()
        for _ in 0..<20 { streams.follow(gateway.port) }
        #expect(waitUntil(seconds: 20) { streams.requests.load(ordering: .relaxed) > 100 })
        kill(try #require(try gateway.workers().first), SIGKILL)
        #expect(waitUntil(seconds: 10) { gateway.events("worker-exit").count == 1 })
        let lost = try #require(gateway.events("worker-exit").first?["in_flight_lost"] as? Int)
        #expect(lost > 0)
        #expect(waitUntil(seconds: 10) { streams.ended.load(ordering: .relaxed) == lost })
        let records = gateway.events("request-lost")
        #expect(records.count == lost)
        #expect(records.allSatisfy { $0["model"] as? String == "slow" && ($0["bytes_sent"] as? Int ?? 0) > 0 })
        upstream.end()
        #expect(waitUntil(seconds: 20) { streams.ended.load(ordering: .relaxed) == 20 })
        #expect(streams.failures.withLock { $0.count } == lost)
    }

    @Test func aWorkerThatIsToldToEndIsReplacedFirst() throws {
        let gateway = try SupervisedGateway(Self.configuration())
        let client = Tally()
        for _ in 0..<8 { client.keepAsking(gateway.port) }
        let worker = try #require(try gateway.workers().first)
        kill(worker, SIGTERM)
        #expect(waitUntil(seconds: 20) { gateway.events("worker-exit").count == 1 })
        #expect(gateway.events("worker-exit").first?["reason"] as? String == "drained")
        #expect(gateway.events("worker-exit").first?["detail"] as? String == "replaced")
        client.isOver.store(true, ordering: .relaxed)
        #expect(waitUntil(seconds: 20) { client.ended.load(ordering: .relaxed) == 8 })
        // Whoever was on that worker was told with a response that this is the last one.
        #expect(client.failures.withLock { $0.filter { $0 != "told to close" && $0 != "client: closed" } } == [])
    }

    @Test func workersDoNotOutliveTheirSupervisor() throws {
        let gateway = try SupervisedGateway(Self.configuration())
        let workers = try gateway.workers()
        gateway.signal(SIGKILL)
        #expect(workers.count == 2)
        #expect(waitUntil(seconds: 10) { workers.allSatisfy { kill($0, 0) != 0 } })
        #expect(throws: PlainClient.Failure.self) { try PlainClient(port: gateway.port) }
    }

    // MARK: The end

    @Test func aStopLetsStreamsEndAndRefusesNewConnections() throws {
        let upstream = StreamingUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream: upstream.port))
        let streams = Tally()
        for _ in 0..<10 { streams.follow(gateway.port) }
        #expect(waitUntil(seconds: 20) { upstream.streams == 10 })
        gateway.signal(SIGTERM)
        #expect(waitUntil(seconds: 10) { Self.refusal(gateway.port) == .refused(ECONNREFUSED) })
        // Longer than silent connections are given: streams are not silent ones.
        usleep(1_300_000)
        #expect(gateway.isRunning)
        upstream.end()
        #expect(gateway.exitStatus(within: 20) == 0)
        #expect(waitUntil(seconds: 10) { streams.ended.load(ordering: .relaxed) == 10 })
        #expect(streams.failures.withLock { $0 } == [])
    }

    @Test func aStreamThatOutlastsTheDrainIsCutInItsOwnFormat() throws {
        let upstream = StreamingUpstream()
        defer { upstream.shutDown() }
        let gateway = try SupervisedGateway(Self.configuration(upstream: upstream.port, drainTimeout: 2))
        let client = try PlainClient(port: gateway.port)
        try client.send(PlainClient.chat("slow", stream: true))
        #expect(try client.readHead().status == 200)
        gateway.signal(SIGTERM)
        var last = ""
        do {
            while true {
                let line = try client.readLine()
                if line.hasPrefix("data: ") { last = line }
            }
        } catch {
            #expect(error == .closed)
        }
        #expect(last.contains("\"error\""), "the last event: \(last)")
        #expect(gateway.exitStatus(within: 10) == 8)
    }

    // MARK: Start

    @Test func aSecondStartIsRefusedAndTheFirstServesOn() throws {
        let gateway = try SupervisedGateway(Self.configuration())
        let same = try SupervisedGateway.run([
            "serve", "--config", gateway.configuration.path, "--port", "\(gateway.port)", "--run-dir",
            gateway.directory.appendingPathComponent("run").path,
        ])
        #expect(same.status == 73)
        #expect(same.output.contains("process \(gateway.processID)"))
        let other = try SupervisedGateway.run([
            "serve", "--config", gateway.configuration.path, "--port", "\(gateway.port)", "--run-dir",
            gateway.directory.appendingPathComponent("other").path,
        ])
        #expect(other.status == 69)
        #expect(other.output.contains("127.0.0.1:\(gateway.port) is in use"))
        for _ in 0..<20 {
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
        }
        #expect(try gateway.control("stop", "--wait").status == 0)
        #expect(gateway.exitStatus(within: 10) == 0)
        #expect(try gateway.control("status").status == 69)
    }

    @Test func aBadConfigurationNeverStartsAndEachProblemHasItsPlace() throws {
        let directory = try SupervisedGateway.makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let file = directory.appendingPathComponent("c.yaml")
        func start(_ text: String, _ more: String...) throws -> (status: Int32, output: String) {
            try Data(text.utf8).write(to: file)
            return try SupervisedGateway.run(
                ["serve", "--config", file.path, "--port", "0", "--run-dir", directory.path] + more)
        }
        let bad = try start("router_settings: {enable_tag_filtering: \"yes\"}\nmodel_list: 3\n")
        #expect(bad.status == 78)
        #expect(bad.output.contains("c.yaml:1:"))
        #expect(bad.output.contains("c.yaml:2:"))
        // Anybody could use the keys of whoever starts this.
        let weak = Self.configuration().replacing(PlainClient.key, with: "sk-1234")
        let open = try start(weak, "--host", "0.0.0.0")
        #expect(open.status == 78)
        #expect(open.output.contains("master_key"))
        #expect(!open.output.contains("sk-1234"))
        #expect(try start(weak, "--strict-config").status == 78)
        #expect(try start(Self.configuration(), "--host", "nowhere.example").status == 64)
    }

    @Test func aWorkerHasOnlyWhatItNeeds() throws {
        let gateway = try SupervisedGateway(
            Self.configuration(), workers: 1, environment: ["WATCHDOG_USEC": "1", "LISTEN_FDS": "0", "FDSTORE": "0"])
        let worker = try #require(try gateway.workers().first)
        let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/fd")
        let targets = names.compactMap { name in
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(worker)/fd/\(name)")
        }
        // Control channel and listener; the scoreboard; its loop, its signals and its resolver's bells.
        #expect(targets.count { $0.hasPrefix("socket:") } == 2, "\(targets)")
        #expect(targets.count { $0.hasPrefix("/memfd:tagway-scoreboard") } == 1, "\(targets)")
        #expect(targets.count { $0.contains("generation") } == 0, "\(targets)")
        let environment = try String(contentsOfFile: "/proc/\(worker)/environ", encoding: .utf8)
        #expect(!environment.contains("WATCHDOG_USEC"))
        #expect(!environment.contains("LISTEN_FDS"))
        #expect(!environment.contains("FDSTORE"))
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/task")
        #expect(threads.count <= 2)
        let arguments = try String(contentsOfFile: "/proc/\(worker)/cmdline", encoding: .utf8)
        #expect(!arguments.contains("sk-"))
    }

    /// As s6 starts a service: the number of a pipe's end on the command line.
    @Test func aDescriptorIsToldWhenAllWorkersServe() throws {
        let directory = try SupervisedGateway.makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data(Self.configuration().utf8).write(to: directory.appendingPathComponent("config.yaml"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        let serve = "serve --config config.yaml --port 0 --workers 1 --run-dir run"
        process.arguments = [
            "-c", "exec 9>&1 >log 2>&1; exec \"$0\" \(serve) --ready-fd 9", SupervisedGateway.executable.path,
        ]
        process.currentDirectoryURL = directory
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        defer { kill(process.processIdentifier, SIGKILL) }
        // To its end: neither the supervisor nor a worker has it open any longer.
        #expect(pipe.fileHandleForReading.readDataToEndOfFile() == Data("\n".utf8))
        let log = try String(contentsOf: directory.appendingPathComponent("log"), encoding: .utf8)
        #expect(log.contains(#""event":"ready""#))
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func aDescriptorThatIsNotOpenIsAMistakeOfTheCommandLine() throws {
        let (status, output) = try SupervisedGateway.run(["serve", "--config", "/nonexistent", "--ready-fd", "900"])
        #expect(status == 64)
        #expect(output.contains("--ready-fd: descriptor 900: Bad file descriptor"))
    }

    @Test func theServiceManagerIsToldInOrder() throws {
        let directory = try SupervisedGateway.makeDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appendingPathComponent("notify").path
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(socket) }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        /// The next message that says more than a status.
        func next() -> [String] {
            var room = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(socket, &room, room.count, 0)
                guard count > 0 else { return [] }
                let lines = String(decoding: room[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
                if lines.count > 1 { return lines }
            }
        }
        let gateway = try SupervisedGateway(
            Self.configuration(), environment: ["NOTIFY_SOCKET": path, "FDSTORE": "1"])
        #expect(next() == ["FDSTORE=1", "FDNAME=listener-127.0.0.1-\(gateway.port)"])
        #expect(
            next() == ["READY=1", "MAINPID=\(gateway.processID)", "STATUS=2/2 workers, generation 1"])
        try gateway.write(Self.configuration(extra: "other"))
        gateway.signal(SIGHUP)
        let reloading = next()
        #expect(reloading.first == "RELOADING=1")
        #expect(reloading.contains { $0.hasPrefix("MONOTONIC_USEC=") })
        #expect(next().last == "STATUS=2/2 workers, generation 2")
        try gateway.write("model_list: 3\n")
        gateway.signal(SIGHUP)
        #expect(next().first == "RELOADING=1")
        let failed = next()
        #expect(failed.first == "READY=1")
        #expect(failed.last?.hasPrefix("STATUS=reload failed: ") == true)
        gateway.signal(SIGTERM)
        #expect(next().first == "STOPPING=1")
        #expect(gateway.exitStatus(within: 10) == 0)
    }
}
