import Foundation
import Testing

extension Supervision {
    /// Whoever operates it is always answered.
    @Suite struct ControlTests {
        /// Milliseconds until the status is answered, the quickest of three: what the machine does meanwhile is no
        /// reason of ours.
        private func statusTime(_ gateway: SupervisedGateway) throws -> Double {
            var times: [Double] = []
            for _ in 0..<3 {
                let begun = monotonicSeconds()
                #expect(try gateway.status()["state"] != nil)
                times.append((monotonicSeconds() - begun) * 1000)
            }
            return times.min() ?? .infinity
        }

        @Test("69. Another user is refused at the control socket", .enabled(if: getuid() == 0))
        func otherUser() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            func status() throws -> (status: Int32, output: String) {
                try SupervisedGateway.run(
                    "/usr/bin/env",
                    [
                        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                        SupervisedGateway.executable.path, "ctl", "status", "--run-dir", gateway.runDirectory.path,
                    ])
            }
            // By the directory, and with the doors open by the supervisor itself, which asks who it is.
            #expect(try status().status != 0)
            chmod(gateway.directory.path, 0o755)
            chmod(gateway.runDirectory.path, 0o755)
            chmod(gateway.runDirectory.appendingPathComponent("control.sock").path, 0o666)
            let refused = try status()
            #expect(refused.status != 0)
            #expect(!refused.output.contains("generation"), "\(refused.output)")
            #expect(try gateway.control("status").status == 0)
        }

        @Test("69. 1,000 lines of garbage and 16 idle clients: the status is answered within 100 ms")
        func crowd() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            let idle = try (0..<16).map { _ in try ControlSocket(gateway.runDirectory) }
            // Pages of its code come back as they are needed.
            let before = try WorkerMemory(gateway.processID).anonymous
            for _ in 0..<10 {
                let noisy = try ControlSocket(gateway.runDirectory)
                noisy.send(String(repeating: "{\"command\":\u{1}}\n", count: 100))
            }
            let took = try statusTime(gateway)
            let after = try WorkerMemory(gateway.processID).anonymous
            figure("\(Int(took * 10) / 10) ms, \(before >> 10) to \(after >> 10) KB of its own")
            #expect(took < 100)
            #expect(after < before + 2 << 20)
            withExtendedLifetime(idle) {}
        }

        @Test("70. The status is answered within 100 ms while every worker is stopped, and says so")
        func everyWorkerStopped() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            let workers = try gateway.workers()
            for worker in workers { kill(worker, SIGSTOP) }
            defer { for worker in workers { kill(worker, SIGCONT) } }
            usleep(3_200_000)
            let took = try statusTime(gateway)
            figure("\(Int(took * 10) / 10) ms")
            #expect(took < 100)
            #expect(try gateway.workerRows().map { $0["silent"] as? Bool } == [true, true])
            #expect(try gateway.control("status").output.contains("silent"))
        }

        @Test("71. Counters never fall over worker deaths, and their sum is what clients were answered")
        func counters() throws {
            let gateway = try SupervisedGateway(
                Supervision.configuration("probation: 0"), workers: Supervision.pick(4, 16))
            let name = #"litellm_proxy_total_requests_metric_total{status_code="200"}"#
            let deaths = Supervision.pick(8, 50)
            var answered = 0
            var last = try Metrics(gateway)
            for round in 1...deaths {
                for _ in 0..<20 {
                    #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
                    answered += 1
                }
                // An answer is counted just after its last byte has left.
                var now = last
                let isWhole = waitUntil(seconds: 5) {
                    if let metrics = try? Metrics(gateway) { now = metrics }
                    return now[name] == Double(answered)
                }
                #expect(isWhole, "round \(round): \(now[name] ?? -1) of \(answered)")
                for (key, value) in last.counters {
                    #expect((now[key] ?? -1) >= value, "\(key) fell from \(value) to \(now[key] ?? -1)")
                }
                last = now
                let ready = try gateway.workerRows().filter { $0["state"] as? String == "ready" }
                let worker = try #require(ready.randomElement()?["pid"] as? Int)
                kill(Int32(worker), SIGKILL)
                #expect(waitUntil(seconds: 20) { gateway.events("worker-exit").count == round })
            }
            let isWell = waitUntil(seconds: 30) {
                (try? Metrics(gateway))?[#"gateway_workers{state="ready"}"#] == Supervision.pick(4, 16)
            }
            #expect(isWell)
            let now = try Metrics(gateway)
            figure("\(deaths) deaths, \(answered) answers, all counted")
            #expect(now[name] == Double(answered))
            #expect(now.counters.filter { $0.key.contains("worker") }.values.reduce(0, +) >= Double(deaths))
        }
    }
}
