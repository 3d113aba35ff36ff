import Foundation
import Testing
import load_generator

extension Supervision {
    /// A worker's death costs what was under way on it, and every bit of that has a record.
    @Suite struct DeathTests {
        /// Kills a random worker every 500 ms; how many.
        private func kill(_ loaded: LoadedGateway, for seconds: Double) throws -> Int {
            var killed: Set<Int> = []
            let until = monotonicSeconds() + seconds
            while monotonicSeconds() < until {
                Supervision.wait(0.5)
                // One whose death is not known yet counts as ready still.
                let ready = try loaded.gateway.workerRows().filter {
                    $0["state"] as? String == "ready" && !killed.contains($0["pid"] as? Int ?? 0)
                }
                // One that is left serves while the others wait for their next try.
                guard ready.count > 1, let worker = ready.randomElement()?["pid"] as? Int else { continue }
                Glibc.kill(Int32(worker), SIGKILL)
                killed.insert(worker)
            }
            #expect(waitUntil(seconds: 15) { loaded.gateway.events("worker-exit").count == killed.count })
            return killed.count
        }

        /// Deaths of one slot have it wait: so many workers that some are always there.
        private static let workers = Supervision.pick(6, 16)
        private static let seconds = Supervision.pick(3.0, 60.0)
        /// Milliseconds of an answer: so many that something is under way on each worker at every moment.
        private static let delay = Supervision.pick(50, 5)

        private func lost(_ gateway: SupervisedGateway) -> Int {
            gateway.events("worker-exit").reduce(0) { $0 + ($1["in_flight_lost"] as? Int ?? 0) }
        }

        /// A worker that dies may have answered a request in full, but for the mark that says so: one, for it does one thing at a
        /// time. A machine that is busy puts processes aside just then, for a client has been woken.
        private func expectFewUnseen(_ account: Account) {
            #expect(account.mostUnseen <= 1, "\(account.unseen)")
            if isSoak { #expect(account.unseen.count <= max(1, account.records / 20), "\(account.unseen)") }
        }

        @Test("32. SIGKILL of a random worker every 500 ms under Load N: only what was under way on it, all named")
        func underNewConnections() throws {
            let loaded = try LoadedGateway(workers: Self.workers, settings: "probation: 0", delay: Self.delay)
            var kills = 0
            let report = try loaded.run(.n) { kills = try kill(loaded, for: Self.seconds) }
            let account = Account(report, loaded.gateway)
            figure(
                "\(kills) kills, \(report.sent) requests, \(report.fresh.failures("refused")) refused, \(account.text)")
            #expect(kills > 3)
            #expect(report.fresh.failures("refused") == 0)
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
            #expect(report.failures.count - account.unread <= lost(loaded.gateway))
            #expect(account.named > 0)
            expectFewUnseen(account)
        }

        @Test("33. SIGKILL of a random worker every 500 ms under Loads K and S: only connections of the killed fail")
        func underConnectionsThatStay() throws {
            let loaded = try LoadedGateway(
                workers: Self.workers, settings: "probation: 0", events: Supervision.pick(20, 100),
                delay: Self.delay)
            var kills = 0
            let report = try loaded.run(.k + .s) { kills = try kill(loaded, for: Self.seconds) }
            let account = Account(report, loaded.gateway)
            let missing = report.streams.failures.count { $0.kind.hasPrefix("event-") || $0.kind == "no-end" }
            figure(
                "\(kills) kills, \(report.sent) requests, \(report.streams.events) events, "
                    + "\(missing) missing or doubled, \(account.text)")
            #expect(kills > 3)
            #expect(missing == 0)
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
            #expect(report.failures.count - account.unread <= lost(loaded.gateway))
            #expect(report.streams.failures.count > 0)
            expectFewUnseen(account)
        }

        @Test("34. Respawn: the successor of a killed worker is ready within 250 ms")
        func respawn() throws {
            var times: [Double] = []
            for _ in 0..<Supervision.pick(2, 13) {
                let gateway = try SupervisedGateway(Supervision.configuration("probation: 0"), workers: 8)
                // Each slot dies for the first time; the wait grows only with the deaths of one slot.
                for (slot, worker) in try gateway.workers().enumerated() {
                    let killed = Date()
                    Glibc.kill(worker, SIGKILL)
                    #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
                    var ready: Date?
                    #expect(
                        waitUntil(seconds: 10) {
                            let event = gateway.events("worker-ready").first {
                                $0["slot"] as? Int == slot && $0["incarnation"] as? Int == 2
                            }
                            ready = Account.date(event?["ts"])
                            return ready != nil
                        })
                    times.append((ready ?? .distantFuture).timeIntervalSince(killed) * 1000)
                }
                #expect(gateway.events("worker-exit").count == 8)
            }
            times.sort()
            let (median, worst) = (times[times.count / 2], times[times.count * 99 / 100])
            figure("median \(Int(median)) ms, p99 \(Int(worst)) ms of \(times.count)")
            // Of a few on a machine that does other things, one may be late for reasons of its own.
            #expect((isSoak ? worst : median) < 250)
        }

        @Test("35. A worker that always dies waits longer each time, is called a crash loop once, and others serve")
        func crashLoop() throws {
            let loaded = try LoadedGateway(
                settings: "probation: 0", environment: try Faults.environment("dies:0:200"))
            let deaths = Supervision.pick(5, 11)
            var load = Load.n
            load.fresh = Supervision.pick(100, 500)
            var processorShare = 0.0
            let report = try loaded.run(load) {
                #expect(waitUntil(seconds: 60) { loaded.gateway.events("worker-exit").count >= deaths - 1 })
                let (begun, before) = (monotonicSeconds(), try ProcessTimes(loaded.gateway.processID).seconds)
                #expect(waitUntil(seconds: 60) { loaded.gateway.events("worker-exit").count >= deaths })
                let used = try ProcessTimes(loaded.gateway.processID).seconds - before
                processorShare = used / (monotonicSeconds() - begun)
            }
            let exits = loaded.gateway.events("worker-exit").prefix(deaths)
            let waits = exits.compactMap { $0["next_try_ms"] as? Int }
            let account = Account(report, loaded.gateway)
            figure(
                "waits \(waits) ms, supervisor \(Int(processorShare * 1000) / 10) % of a processor, "
                    + "\(account.text) of \(report.sent)")
            #expect(exits.allSatisfy { $0["slot"] as? Int == 0 })
            for (index, wait) in waits.enumerated() {
                let middle = index == 0 ? 0 : min(10_000, 100 << (index - 1))
                #expect((middle * 3 / 4...middle * 5 / 4).contains(wait), "\(waits)")
            }
            #expect(loaded.gateway.events("crash-loop").count == 1)
            #expect(try loaded.gateway.status()["state"] as? String == "degraded")
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
            // Only on the slot that dies.
            let slots = loaded.gateway.events("request-lost").compactMap { $0["slot"] as? Int }
            #expect(slots.allSatisfy { $0 == 0 })
            #expect(processorShare < 0.02)
        }

        @Test("36. All workers killed at once: connects wait, none is refused, all are answered within 1 s")
        func allAtOnce() throws {
            let gateway = try SupervisedGateway(Supervision.configuration("probation: 0"), workers: 4)
            for worker in try gateway.workers() { Glibc.kill(worker, SIGKILL) }
            let begun = monotonicSeconds()
            let clients = try (0..<100).map { _ in try PlainClient(port: gateway.port) }
            for client in clients { #expect(try client.exchange(PlainClient.chat("quick")).status == 200) }
            let took = monotonicSeconds() - begun
            figure("100 connects answered after \(Int(took * 1000)) ms")
            #expect(took < 1)
        }

        @Test("37. One worker, killed every second under 200 connections a second: none is refused")
        func singleWorker() throws {
            let loaded = try LoadedGateway(workers: 1, settings: "probation: 0")
            var kills = 0
            let report = try loaded.run(Load(fresh: 200)) {
                for _ in 0..<Supervision.pick(3, 20) {
                    Supervision.wait(1)
                    let row = try loaded.gateway.workerRows().first { $0["state"] as? String == "ready" }
                    guard let worker = row?["pid"] as? Int else { continue }
                    Glibc.kill(Int32(worker), SIGKILL)
                    kills += 1
                }
                #expect(waitUntil(seconds: 15) { loaded.gateway.events("worker-exit").count == kills })
                #expect(loaded.settle(workers: 1))
            }
            let account = Account(report, loaded.gateway)
            let waits = loaded.gateway.events("worker-exit").compactMap { $0["next_try_ms"] as? Int }
            figure(
                "\(kills) kills, \(report.sent) connections, \(report.fresh.failures("refused")) refused; "
                    + "\(report.fresh.failures("timeout")) waited in vain for 5 s at the socket, while the only slot paused "
                    + "for up to \(waits.max() ?? 0) ms after its deaths; \(account.text)")
            #expect(kills > 2)
            #expect(report.fresh.failures("refused") == 0)
            #expect(report.fresh.connects == report.fresh.sent)
            // After many deaths a slot waits for up to 10 s, longer than a client does.
            #expect(account.unexplained.allSatisfy { $0.kind == "timeout" })
            if !isSoak { #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))") }
        }

        @Test("43. A worker that exits with 0 unasked has died: logged, and replaced")
        func exitUnasked() throws {
            let gateway = try SupervisedGateway(
                Supervision.configuration(), environment: try Faults.environment())
            let worker = try #require(try gateway.workers().first)
            Glibc.kill(worker, Faults.exitsWithZero)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-exit").count == 1 })
            let exit = try #require(gateway.events("worker-exit").first)
            #expect(exit["level"] as? String != "info")
            #expect(exit["slot"] as? Int == 0)
            #expect(exit["reason"] as? String == "exit")
            #expect(exit["code"] as? Int == 0)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-ready").count == 3 })
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
        }

        @Test("44. What a crashing worker writes is whole, and named as its slot's")
        func lastWords() throws {
            // The build beside the tests, whose runtime finds the toolchain's backtracer.
            let gateway = try SupervisedGateway(
                Supervision.configuration(),
                environment: try Faults.environment(more: ["SWIFT_BACKTRACE": "enable=yes,color=no,interactive=no"]),
                program: SupervisedGateway.besideTests.appendingPathComponent("tagway"))
            let worker = try gateway.workers()[1]
            Glibc.kill(worker, Faults.crashes)
            #expect(waitUntil(seconds: 40) { gateway.events("worker-exit").count == 1 })
            let output = gateway.events("worker-output")
            let lines = output.compactMap { $0["line"] as? String }
            figure("\(lines.count) lines of a crash kept")
            #expect(lines.contains { $0.contains("Crash") || $0.contains("crash") || $0.contains("Illegal") })
            #expect(output.allSatisfy { $0["slot"] as? Int == 1 && $0["worker"] as? Int == Int(worker) })
            // A backtrace is whole when it ends as it should: with the images of the process.
            #expect(lines.count > 20)
            let deaths = try #require(try gateway.status()["last_deaths"] as? [[String: Any]])
            #expect(deaths.first?["output"] as? [String] == lines)
            #expect(deaths.first?["slot"] as? Int == 1)
        }
    }
}
