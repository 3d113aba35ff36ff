import Foundation
import Testing
import load_generator

extension Supervision {
    @Suite struct StartTests {
        /// A port that nobody uses now.
        static func freePort() -> UInt16 {
            let socket = ListeningSocket()
            return socket.port
        }

        /// Runs `serve` to its end, which is expected; how long that took.
        private func start(
            _ yaml: String, port: UInt16 = 0, environment: [String: String] = [:], _ more: String...
        ) throws -> (status: Int32, output: String, seconds: Double) {
            let directory = try SupervisedGateway.makeDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let file = directory.appendingPathComponent("config.yaml")
            try Data(yaml.utf8).write(to: file)
            let begun = monotonicSeconds()
            let (status, output) = try SupervisedGateway.run(
                ["serve", "--config", file.path, "--port", "\(port)", "--run-dir", directory.path] + more,
                environment: environment)
            return (status, output, monotonicSeconds() - begun)
        }

        @Test("1. Start to ready with 100 models: quick, and the first connect is answered")
        func readiness() throws {
            var models = "model_list:\n"
            for number in 0..<100 {
                models +=
                    "  - {model_name: m-\(number), litellm_params: {model: openai/m, api_key: k, mock_response: hi}}\n"
            }
            var times: [Int] = []
            for _ in 0..<3 {
                let port = Self.freePort()
                // Before anybody is ready a connect is refused, or waits until it is answered as it should be.
                let early = Background {
                    for _ in 0..<5000 {
                        if let client = try? PlainClient(port: port) {
                            return try? client.exchange(PlainClient.chat("m-7")).status
                        }
                        usleep(500)
                    }
                    return nil
                }
                let gateway = try SupervisedGateway(
                    "general_settings: {master_key: \(PlainClient.key)}\n" + models, port: port)
                #expect(try PlainClient(port: port).exchange(PlainClient.chat("m-99")).status == 200)
                #expect(early.value == 200)
                times.append(try #require(gateway.events("ready").first?["took_ms"] as? Int))
            }
            figure("ready after \(times) ms")
            #expect((times.min() ?? .max) < 500, "\(times) ms")
        }

        @Test("2. Invalid config at start: exit 78 within 1 s, every error with its place, port never bound")
        func invalidConfiguration() throws {
            let port = Self.freePort()
            let isOver = Flag()
            let connects = Background { () -> Int in
                var made = 0
                while !isOver.isSet {
                    if (try? PlainClient(port: port)) != nil { made += 1 }
                    usleep(200)
                }
                return made
            }
            let bad = try start(
                """
                router_settings: {enable_tag_filtering: "yes"}
                tagway: {workers: none}
                litellm_settings: {num_retries: -1}
                model_list:
                  - {model_name: a, litellm_params: {model: openai/a, rpm: "x"}}
                  - {model_name: 7}

                """, port: port)
            isOver.set()
            figure("exit \(bad.status) after \(Int(bad.seconds * 1000)) ms")
            #expect(bad.status == 78)
            #expect(bad.seconds < 1)
            for line in [1, 2, 3, 5, 6] { #expect(bad.output.contains("config.yaml:\(line):"), "\(bad.output)") }
            #expect(connects.value == 0)
            #expect(!bad.output.contains("listening"))
        }

        @Test("2. Whoever may be reached by others needs a key that is no example")
        func weakKey() throws {
            let weak = Supervision.configuration().replacing(PlainClient.key, with: "sk-1234")
            let open = try start(weak, "--host", "0.0.0.0")
            #expect(open.status == 78)
            #expect(open.output.contains("master_key"))
            #expect(!open.output.contains("sk-1234"))
            #expect(try start(weak, "--strict-config").status == 78)
            #expect(try start(Supervision.configuration(), "--host", "nowhere.example").status == 64)
        }

        @Test("3. Port held by a foreign process: exit 69, and the message names the address")
        func foreignPort() throws {
            let foreign = ListeningSocket()
            let refused = try start(Supervision.configuration(), port: foreign.port)
            #expect(refused.status == 69)
            #expect(refused.output.contains("127.0.0.1:\(foreign.port) is in use"), "\(refused.output)")
        }

        @Test("4. Second instance, same run directory: exit 73, while the first serves")
        func sameDirectory() throws {
            let loaded = try LoadedGateway()
            let gateway = loaded.gateway
            var attempts = 0
            let report = try loaded.run(.n) {
                let until = monotonicSeconds() + Supervision.pick(1.5, 10)
                while monotonicSeconds() < until {
                    let second = try SupervisedGateway.run([
                        "serve", "--config", gateway.configuration.path, "--port", "\(gateway.port)", "--run-dir",
                        gateway.runDirectory.path,
                    ])
                    attempts += 1
                    #expect(second.status == 73)
                    #expect(second.output.contains("process \(gateway.processID)"), "\(second.output)")
                }
            }
            figure("\(attempts) starts refused, \(report.failures.count) of \(report.sent) requests failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.fresh.answered > 100)
        }

        @Test("5. Second instance, other run directory, same port: exit 69")
        func samePort() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            let second = try start(Supervision.configuration(), port: gateway.port)
            #expect(second.status == 69)
            #expect(second.output.contains("127.0.0.1:\(gateway.port) is in use"), "\(second.output)")
            for _ in 0..<20 {
                #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
            }
        }

        @Test("6. Workers that cannot boot: exit 70 within 10 s, and their reason is printed")
        func unbootableWorkers() throws {
            let failed = try start(
                Supervision.configuration(), environment: try Faults.environment("boot"), "--workers", "2")
            figure("exit \(failed.status) after \(Int(failed.seconds * 1000)) ms")
            #expect(failed.status == 70)
            #expect(failed.seconds < 10)
            #expect(failed.output.contains("cannot read /nowhere/for-workers-only"), "\(failed.output)")
        }

        @Test("7. Started with TERM and HUP blocked and CHLD ignored: all three work")
        func inheritedSignals() throws {
            let gateway = try SupervisedGateway(
                Supervision.configuration(),
                launcher: ["/usr/bin/env", "--block-signal=TERM,HUP", "--ignore-signal=CHLD"])
            try gateway.write(Supervision.configuration(extra: "after"))
            gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 10) { gateway.events("reload").first?["result"] as? String == "ok" })
            kill(try #require(try gateway.workers().first), SIGKILL)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-exit").count == 1 })
            #expect(waitUntil(seconds: 10) { gateway.events("worker-ready").count == 3 })
            gateway.signal(SIGTERM)
            #expect(gateway.exitStatus(within: 10) == 0)
        }
    }
}
