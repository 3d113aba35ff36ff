import Foundation
import Testing
import load_generator

extension Supervision {
    /// The running binary is replaced without a break, and a bad one gives way to the old.
    @Suite struct UpgradeTests {
        /// Another file with the same program.
        private func copy(_ name: String, for gateway: SupervisedGateway) throws -> String {
            let target = gateway.directory.appendingPathComponent(name)
            try FileManager.default.copyItem(at: SupervisedGateway.executable, to: target)
            return target.path
        }

        @Test("58. Upgrade under Loads K, N and S: nothing fails, same process, other binary, old streams complete")
        func underLoad() throws {
            let loaded = try LoadedGateway()
            let gateway = loaded.gateway
            let copy = try copy("tagway-next", for: gateway)
            let before = try gateway.workers()
            let report = try loaded.run(.k + .n + .s) {
                // Every stream is under way.
                Supervision.wait(1.2)
                let (status, output) = try gateway.control("upgrade", copy, "--wait")
                #expect(status == 0, "\(output)")
                Supervision.wait(Supervision.pick(1, 10))
            }
            let took = gateway.events("upgrade-done").first?["took_ms"] as? Int
            figure(
                "\(took ?? -1) ms, \(report.failures.count) of \(report.sent) failed, "
                    + "\(report.streams.answered) of \(report.streams.sent) streams whole")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.streams.answered == 50)
            #expect(report.streams.sent == 50)
            #expect(gateway.isRunning)
            #expect(try gateway.status()["pid"] as? Int == Int(gateway.processID))
            let image = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(gateway.processID)/exe")
            #expect(image == copy)
            #expect(loaded.settle(workers: 2))
            for worker in try gateway.workers() {
                #expect(!before.contains(worker))
                #expect(
                    try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(worker)/exe") == copy)
            }
            #expect(gateway.events("worker-exit").allSatisfy { $0["level"] as? String == "info" })
        }

        @Test(
            "59. Upgrade to a binary that fails: the old one serves on, nothing fails, and the step is told",
            arguments: [
                ("bad-preflight", "preflight"), ("bad-serve", "replace"), ("bad-worker", "replace"),
                ("no-program", "preflight"),
            ])
        func badBinary(name: String, step: String) throws {
            let loaded = try LoadedGateway(
                settings: "probation: 0", environment: try Faults.environment(more: ["SWIFT_BACKTRACE": "enable=no"]))
            let gateway = loaded.gateway
            let path = try copy(name, for: gateway)
            if name == "no-program" { try Data("#!/nonexistent\n".utf8).write(to: URL(fileURLWithPath: path)) }
            let report = try loaded.run(.k + .n) {
                Supervision.wait(0.3)
                let (status, output) = try gateway.control("upgrade", path, "--wait")
                #expect(status != 0, "\(output)")
                #expect(waitUntil(seconds: 20) { !gateway.events("upgrade-failed").isEmpty })
                Supervision.wait(0.5)
            }
            figure("\(name): \(report.failures.count) of \(report.sent) requests failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(gateway.events("upgrade-failed").first?["step"] as? String == step)
            let image = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(gateway.processID)/exe")
            #expect(image == SupervisedGateway.executable.resolvingSymlinksInPath().path)
            #expect(loaded.settle(workers: 2))
            try loaded.write("afterwards")
            #expect(try gateway.control("reload", "--wait").status == 0)
        }

        @Test("59. Upgrade to a binary that hangs in preflight: it is given 30 s", .enabled(if: isSoak))
        func hangingBinary() throws {
            let loaded = try LoadedGateway(environment: try Faults.environment())
            let path = try copy("bad-hang", for: loaded.gateway)
            let report = try loaded.run(.n) {
                loaded.gateway.signal(SIGHUP)
                let (status, output) = try loaded.gateway.control("upgrade", path)
                #expect(status == 0, "\(output)")
                #expect(waitUntil(seconds: 40) { !loaded.gateway.events("upgrade-failed").isEmpty })
            }
            figure("bad-hang: \(report.failures.count) of \(report.sent) requests failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(loaded.gateway.events("upgrade-failed").first?["step"] as? String == "preflight")
        }

        @Test("60. Upgrades in a row: no descriptor, process or memory is left over")
        func manyUpgrades() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            let rounds = Supervision.pick(4, 20)
            var kinds: [[String]] = []
            var resident: [Int] = []
            for round in 1...rounds {
                #expect(try gateway.control("upgrade", "--wait").status == 0, "round \(round)")
                #expect(waitUntil(seconds: 20) { gateway.events("worker-exit").count == 2 * round })
                // A connection of ours, or a look at a file, may be open for a moment.
                var seen: [String] = []
                _ = waitUntil(seconds: 5) {
                    let targets = (try? descriptors(of: gateway.processID).values.map { String($0) }) ?? []
                    // Sockets and pipes are other ones each time.
                    seen = targets.map { $0.split(separator: "[")[0].description }.sorted()
                    return kinds.isEmpty || seen == kinds[0]
                }
                kinds.append(seen)
                resident.append(try WorkerMemory(gateway.processID).resident)
            }
            let children = try String(
                contentsOfFile: "/proc/\(gateway.processID)/task/\(gateway.processID)/children", encoding: .utf8)
            figure(
                "\(rounds) upgrades, \(kinds[0].count) descriptors after each, "
                    + "\(resident.first! >> 10) to \(resident.last! >> 10) KB resident")
            #expect(Set(kinds).count == 1, "\(kinds.last ?? [])")
            #expect(children.split(separator: " ").count == 2)
            #expect(Double(resident.last!) < 1.1 * Double(resident.first!))
        }

        @Test("61. A HUP that comes during an upgrade is not lost")
        func hangUpMeanwhile() throws {
            let rounds = Supervision.pick(4, 20)
            for round in 0..<rounds {
                let gateway = try SupervisedGateway(Supervision.configuration())
                #expect(try gateway.control("upgrade").status == 0)
                try gateway.write(Supervision.configuration(extra: "round-\(round)"))
                // The preflight takes a few milliseconds, and so does what the new image begins with.
                usleep(UInt32(round * 60_000 / rounds))
                gateway.signal(SIGHUP)
                #expect(
                    waitUntil(seconds: 20) {
                        gateway.events("reload").contains { $0["added"] as? [String] == ["round-\(round)"] }
                    }, "round \(round)")
                #expect(waitUntil(seconds: 20) { !gateway.events("upgrade-done").isEmpty })
                // Numbered on, whichever image has read the files.
                #expect(try gateway.control("reload", "--wait").status == 0)
                #expect(gateway.events("reload").map { $0["id"] as? Int } == [1, 2])
                #expect(
                    try PlainClient(port: gateway.port).exchange(PlainClient.chat("round-\(round)")).status == 200)
            }
            figure("\(rounds) moments")
        }

        @Test("55. TERM at any time of an upgrade: it stops, and nothing is left")
        func stopMeanwhile() throws {
            let rounds = Supervision.pick(4, 50)
            for round in 0..<rounds {
                let gateway = try SupervisedGateway(Supervision.configuration())
                let workers = try gateway.workers()
                #expect(try gateway.control("upgrade").status == 0)
                usleep(.random(in: 0...80_000))
                gateway.signal(SIGTERM)
                #expect(gateway.exitStatus(within: 10) == 0, "round \(round)")
                let spawned = gateway.events("worker-spawn").compactMap { ($0["worker"] as? Int).map(Int32.init) }
                #expect((workers + spawned).allSatisfy { kill($0, 0) != 0 })
                #expect(Supervision.refusal(gateway.port) == .refused(ECONNREFUSED))
            }
            figure("\(rounds) random moments")
        }
    }
}
