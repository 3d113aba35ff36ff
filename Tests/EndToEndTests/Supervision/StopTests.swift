import Foundation
import Testing
import load_generator

extension Supervision {
    /// Everything accepted is answered or, at the deadline, told that it was cut.
    @Suite struct StopTests {
        @Test("50. TERM under Loads K and N: what had begun is answered, later connects are refused at once, exit 0")
        func underLoad() throws {
            let loaded = try LoadedGateway(delay: 5)
            var status: Int32?
            let report = try loaded.run(.k + .n) {
                Supervision.wait(Supervision.pick(1, 5))
                loaded.gateway.signal(SIGTERM)
                #expect(waitUntil(seconds: 5) { Supervision.refusal(loaded.gateway.port) == .refused(ECONNREFUSED) })
                let begun = monotonicSeconds()
                for _ in 0..<20 { #expect(Supervision.refusal(loaded.gateway.port) == .refused(ECONNREFUSED)) }
                #expect(monotonicSeconds() - begun < 1)
                status = loaded.gateway.exitStatus(within: 15)
            }
            let others = report.failures.filter { $0.kind != "refused" }
            figure(
                "exit \(status ?? -1), \(report.kept.answered + report.fresh.answered) answered, "
                    + "\(others.count) failed but for refused connects")
            #expect(status == 0)
            #expect(others.count == 0, "\(others.prefix(3))")
            #expect(report.kept.answered > 200)
        }

        /// One whose loop stood still while the grace of silent connections passed has not read what came meanwhile.
        @Test("9.1.3: a request that waits unread when its connection has been silent for long is answered")
        func requestThatWaits() throws {
            let gateway = try SupervisedGateway(Supervision.configuration("idle_grace: 2"), workers: 1)
            let worker = try #require(try gateway.workers().first)
            let clients = try (0..<20).map { _ in try PlainClient(port: gateway.port) }
            for client in clients {
                #expect(try client.exchange(PlainClient.chat("quick")).status == 200)
            }
            gateway.signal(SIGTERM)
            #expect(waitUntil(seconds: 10) { Supervision.refusal(gateway.port) == .refused(ECONNREFUSED) })
            kill(worker, SIGSTOP)
            for client in clients { try client.send(PlainClient.chat("quick")) }
            Supervision.wait(2.5)
            kill(worker, SIGCONT)
            for client in clients { #expect(try client.readHead().status == 200) }
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        @Test("51. TERM with Load S: all streams complete, exit 0 when the last has")
        func streamsComplete() throws {
            let seconds = Supervision.pick(3, 60)
            let loaded = try LoadedGateway(settings: "drain_timeout: 300", events: seconds * 10)
            let running = try loaded.start(.s)
            Supervision.wait(1.5)
            loaded.gateway.signal(SIGTERM)
            let begun = monotonicSeconds()
            #expect(waitUntil(seconds: 10) { Supervision.refusal(loaded.gateway.port) == .refused(ECONNREFUSED) })
            let report = try running.finish(endsStreams: false)
            let status = loaded.gateway.exitStatus(within: 10)
            let took = monotonicSeconds() - begun
            figure(
                "exit \(status ?? -1) after \(Int(took * 10) / 10) s, \(report.streams.answered) of "
                    + "\(report.streams.sent) streams whole")
            #expect(status == 0)
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.streams.answered == 50)
            #expect(report.streams.events == 50 * seconds * 10)
            #expect(took < Double(seconds) + 3)
        }

        @Test("52. TERM with a stream that outlasts the drain: told in its own format, exit 8, one record")
        func streamThatIsCut() throws {
            let drain = Supervision.pick(2, 5)
            let upstream = try NumberedUpstream(events: 6000)
            let gateway = try SupervisedGateway(
                Supervision.configuration(upstream: UInt16(upstream.port), drainTimeout: drain))
            let client = try PlainClient(port: gateway.port)
            try client.send(PlainClient.chat("slow", stream: true))
            #expect(try client.readHead().status == 200)
            gateway.signal(SIGTERM)
            let begun = monotonicSeconds()
            var last = ""
            do {
                while true {
                    let line = try client.readLine()
                    if line.hasPrefix("data: ") { last = line }
                }
            } catch {
                #expect(error == .closed)
            }
            #expect(gateway.exitStatus(within: 10) == 8)
            let took = monotonicSeconds() - begun
            figure("exit 8 after \(Int(took * 10) / 10) s of a drain of \(drain) s")
            let told = try JSONSerialization.jsonObject(with: Data(last.dropFirst(6).utf8)) as? [String: Any]
            #expect(told?["error"] is [String: Any], "\(last)")
            #expect(took <= Double(drain) + 2)
            let records = gateway.events("cut") + gateway.events("request-lost")
            #expect(records.count == 1)
            #expect(records.first?["model"] as? String == "slow")
            #expect(gateway.events("stop").first?["cut"] as? Int == 1)
        }

        @Test("53. A second TERM ends it within 3 s, QUIT within 1 s, and nothing is left", arguments: [false, true])
        func hurried(isQuit: Bool) throws {
            let upstream = try NumberedUpstream()
            let gateway = try SupervisedGateway(Supervision.configuration(upstream: UInt16(upstream.port)))
            let clients = try (0..<6).map { _ in try PlainClient(port: gateway.port) }
            for client in clients {
                try client.send(PlainClient.chat("slow", stream: true))
                #expect(try client.readHead().status == 200)
            }
            let workers = try gateway.workers()
            let begun = monotonicSeconds()
            gateway.signal(isQuit ? SIGQUIT : SIGTERM)
            if !isQuit {
                #expect(waitUntil(seconds: 5) { !gateway.events("stopping").isEmpty })
                gateway.signal(SIGTERM)
            }
            #expect(gateway.exitStatus(within: 5) == 8)
            let took = monotonicSeconds() - begun
            figure("\(isQuit ? "QUIT" : "second TERM"): \(Int(took * 1000)) ms")
            #expect(took < (isQuit ? 1 : 3))
            #expect(workers.count == 2)
            #expect(workers.allSatisfy { kill($0, 0) != 0 })
            #expect(Supervision.refusal(gateway.port) == .refused(ECONNREFUSED))
            let left = try FileManager.default.contentsOfDirectory(atPath: gateway.runDirectory.path)
            #expect(!left.contains("control.sock"))
            // Every stream that was cut has its record.
            let records = gateway.events("cut").count + gateway.events("request-lost").count
            #expect(records == 6)
        }

        @Test("54. Lame duck: readiness is 503 within 100 ms of TERM, while connects succeed until it is over")
        func lameDuck() throws {
            let seconds = Supervision.pick(2.0, 5.0)
            let gateway = try SupervisedGateway(Supervision.configuration("lame_duck: \(Int(seconds))"))
            let probe = "GET /health/readiness HTTP/1.1\r\nhost: x\r\n\r\n"
            #expect(try PlainClient(port: gateway.port).exchange(probe).status == 200)
            let begun = monotonicSeconds()
            gateway.signal(SIGTERM)
            #expect(waitUntil(seconds: 5) { (try? PlainClient(port: gateway.port).exchange(probe).status) == 503 })
            let unready = monotonicSeconds() - begun
            var served = 0
            while monotonicSeconds() - begun < seconds - 0.2 {
                let response = try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick"))
                #expect(response.status == 200)
                #expect(response.headers["connection"] == "close")
                served += 1
                usleep(20_000)
            }
            #expect(waitUntil(seconds: 5) { Supervision.refusal(gateway.port) == .refused(ECONNREFUSED) })
            #expect(gateway.exitStatus(within: 10) == 0)
            figure("503 after \(Int(unready * 1000)) ms, \(served) served in \(Int(seconds)) s of it")
            #expect(unready < Supervision.pick(1, 0.1))
            #expect(served > 5)
        }

        @Test("55. TERM at any time of a start or a reload: it stops, and nothing is left")
        func atAnyTime() throws {
            let port = StartTests.freePort()
            let rounds = Supervision.pick(8, 50)
            for round in 1...rounds {
                // In a start: also before it can hear of it.
                let directory = try SupervisedGateway.makeDirectory()
                defer { try? FileManager.default.removeItem(at: directory) }
                let file = directory.appendingPathComponent("config.yaml")
                try Data(Supervision.configuration().utf8).write(to: file)
                let process = Process()
                process.executableURL = SupervisedGateway.executable
                process.arguments = [
                    "serve", "--config", file.path, "--port", "\(port)", "--workers", "2", "--run-dir", directory.path,
                ]
                let log = directory.appendingPathComponent("log")
                try Data().write(to: log)
                process.standardError = try FileHandle(forWritingTo: log)
                try process.run()
                usleep(.random(in: 0...60_000))
                kill(process.processIdentifier, SIGTERM)
                #expect(waitUntil(seconds: 10) { !process.isRunning }, "round \(round)")
                if process.isRunning { kill(process.processIdentifier, SIGKILL) }
                process.waitUntilExit()
                let hasBegun = !EventLog(log).named("start").isEmpty
                if hasBegun || process.terminationReason == .exit { #expect(process.terminationStatus == 0) }
                #expect(Supervision.refusal(port) == .refused(ECONNREFUSED))
            }
            for round in 1...rounds {
                let gateway = try SupervisedGateway(Supervision.configuration(), port: port)
                let workers = try gateway.workers()
                try gateway.write(Supervision.configuration(extra: "round-\(round)"))
                gateway.signal(SIGHUP)
                usleep(.random(in: 0...5000))
                gateway.signal(SIGTERM)
                #expect(gateway.exitStatus(within: 10) == 0, "round \(round)")
                #expect(workers.allSatisfy { kill($0, 0) != 0 })
                #expect(Supervision.refusal(port) == .refused(ECONNREFUSED))
            }
            figure("\(2 * rounds) random moments")
        }

        @Test("56. `ctl stop --wait` blocks until the end and answers as the supervisor exits")
        func command() throws {
            let upstream = try NumberedUpstream()
            let gateway = try SupervisedGateway(Supervision.configuration(upstream: UInt16(upstream.port)))
            let client = try PlainClient(port: gateway.port)
            try client.send(PlainClient.chat("slow", stream: true))
            #expect(try client.readHead().status == 200)
            let (status, output) = try gateway.control("stop", "--now", "--wait")
            #expect(status == 8)
            #expect(output.contains("1 request"), "\(output)")
            #expect(gateway.exitStatus(within: 5) == 8)
            #expect(try gateway.control("status").status == 69)
            let idle = try SupervisedGateway(Supervision.configuration())
            #expect(try idle.control("stop", "--wait").status == 0)
            #expect(idle.exitStatus(within: 5) == 0)
        }
    }
}
