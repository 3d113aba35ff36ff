import Foundation
import Testing
import load_generator

extension Supervision {
    /// A reload loses nothing, under every kind of load.
    @Suite struct ReloadTests {
        private static let rounds = Supervision.pick(25, 100)

        /// Reloads with changes, 80 ms apart, each of them waited for.
        private func reload(_ loaded: LoadedGateway, rounds: Int = rounds) throws {
            for round in 1...rounds {
                let begun = monotonicSeconds()
                try loaded.write("extra-\(round)")
                loaded.gateway.signal(SIGHUP)
                #expect(waitUntil(seconds: 10) { loaded.gateway.events("reload").count == round }, "reload \(round)")
                Supervision.wait(max(0, begun + 0.08 - monotonicSeconds()))
            }
            #expect(loaded.gateway.events("reload").allSatisfy { $0["result"] as? String == "ok" })
        }

        @Test("9. Reloads with changes, 80 ms apart, under Load K: no request fails, no connection is closed")
        func underKeptConnections() throws {
            let loaded = try LoadedGateway()
            let report = try loaded.run(.k) { try reload(loaded) }
            figure(
                "\(Self.rounds) reloads, \(report.failures.count) of \(report.sent) failed, "
                    + "\(report.kept.connects) connects in total")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.kept.connects == 64)
            #expect(report.kept.closedIdle + report.kept.closedAnnounced == 0)
            #expect(report.kept.answered > 500)
            let rows = try loaded.gateway.workerRows()
            #expect(rows.map { $0["incarnation"] as? Int } == [1, 1])
            #expect(rows.map { $0["generation"] as? Int } == [Self.rounds + 1, Self.rounds + 1])
        }

        @Test("10. Reloads with changes, 80 ms apart, under Load N: no request fails")
        func underNewConnections() throws {
            let loaded = try LoadedGateway()
            let report = try loaded.run(.n) { try reload(loaded) }
            figure("\(Self.rounds) reloads, \(report.failures.count) of \(report.sent) failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.fresh.answered > 300)
        }

        @Test("11. Reloads with changes, 80 ms apart, under Load S: no stream broken, no event missing or doubled")
        func underStreams() throws {
            let loaded = try LoadedGateway()
            let report = try loaded.run(.s) {
                // All of them under way.
                Supervision.wait(1)
                try reload(loaded)
                if isSoak { Supervision.wait(50) }
            }
            figure(
                "\(Self.rounds) reloads, \(report.streams.answered) of \(report.streams.sent) streams whole, "
                    + "\(report.streams.events) events in order")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            // More, when reloads take so long that streams end by themselves and the next begin.
            #expect(report.streams.sent >= 50)
            #expect(report.streams.answered == report.streams.sent)
            #expect(report.streams.events > 1000)
        }

        @Test("16. Invalid file and HUP under Load K: nothing fails, nothing changes, and every reload says why")
        func invalidFiles() throws {
            let loaded = try LoadedGateway()
            let rounds = Supervision.pick(20, 50)
            let report = try loaded.run(.k) {
                try loaded.gateway.write("general_settings:\n  master_key: 3\nmodel_list: 3\n")
                for round in 1...rounds {
                    Supervision.wait(0.03)
                    loaded.gateway.signal(SIGHUP)
                    #expect(waitUntil(seconds: 10) { loaded.gateway.events("reload").count == round })
                }
            }
            let reloads = loaded.gateway.events("reload")
            figure("\(reloads.count) reloads failed, \(report.failures.count) of \(report.sent) requests")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.kept.answered > 50)
            #expect(reloads.count == rounds)
            #expect(reloads.allSatisfy { $0["result"] as? String == "failed" && $0["generation"] as? Int == 1 })
            #expect(
                reloads.allSatisfy { ($0["errors"] as? [String])?.contains { $0.contains("config.yaml:3:") } == true })
            #expect(try loaded.gateway.status()["generation"] as? Int == 1)
            let (status, output) = try loaded.gateway.control("reload", "--wait")
            #expect(status == 1)
            #expect(output.contains("config.yaml:3:"))
            #expect(output.hasSuffix("generation 1 is still in force\n"))
        }

        @Test("18. 1,000 HUPs at once: the newest file is in force, at most 3 reloads ran, nothing failed")
        func stormOfSignals() throws {
            let loaded = try LoadedGateway()
            var took = 0.0
            let report = try loaded.run(.k + .n) {
                Supervision.wait(0.3)
                try loaded.write("newest")
                let begun = monotonicSeconds()
                for _ in 0..<1000 { loaded.gateway.signal(SIGHUP) }
                took = monotonicSeconds() - begun
                #expect(waitUntil(seconds: 10) { !loaded.gateway.events("reload").isEmpty })
                Supervision.wait(1)
            }
            let reloads = loaded.gateway.events("reload")
            figure(
                "1,000 in \(Int(took * 1000)) ms, \(reloads.count) reloads, "
                    + "\(report.failures.count) of \(report.sent) requests failed")
            #expect(took < 0.1)
            #expect((1...3).contains(reloads.count))
            #expect(reloads.first?["added"] as? [String] == ["newest"])
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(
                try PlainClient(port: loaded.gateway.port).exchange(PlainClient.chat("newest")).status == 200)
        }

        @Test("21. One worker stopped during a reload: it ends within 8 s, and others serve")
        func stoppedWorker() throws {
            let loaded = try LoadedGateway(workers: 3)
            let stopped = try #require(try loaded.gateway.workers().first)
            defer { kill(stopped, SIGCONT) }
            var took = 0.0
            var held = 0
            // A worker that is stopped accepts nothing, so that every new connection is another's.
            let report = try loaded.run(.n) {
                Supervision.wait(0.3)
                kill(stopped, SIGSTOP)
                Supervision.wait(0.1)
                let row = try loaded.gateway.workerRows().first { $0["pid"] as? Int == Int(stopped) }
                held = row?["connections"] as? Int ?? 0
                try loaded.write("after")
                let begun = monotonicSeconds()
                loaded.gateway.signal(SIGHUP)
                #expect(waitUntil(seconds: 10) { !loaded.gateway.events("reload").isEmpty })
                took = monotonicSeconds() - begun
            }
            let result = loaded.gateway.events("reload").first?["result"] as? String
            let account = Account(report, loaded.gateway)
            figure("\(result ?? "no result") after \(Int(took * 1000)) ms, \(account.text) of \(report.sent)")
            #expect(took < 8)
            #expect(result == "ok" || result == "failed")
            // What the stopped one has accepted waits in vain, and one more if it was stopped within an accept.
            #expect(account.unexplained.allSatisfy { $0.kind == "timeout" }, "\(account.unexplained)")
            #expect(report.failures.count <= held + 1)
            #expect(report.fresh.answered > 300)
        }

        @Test("23. Supervisor killed during reloads: workers are gone, no port is bound, a restart succeeds")
        func killedSupervisor() throws {
            let port = StartTests.freePort()
            let rounds = Supervision.pick(1, 50)
            var slowest = 0.0
            for round in 1...rounds {
                let gateway = try SupervisedGateway(Supervision.configuration(), port: port)
                let clients = try (0..<4).map { _ in try PlainClient(port: port) }
                for client in clients { #expect(try client.exchange(PlainClient.chat("quick")).status == 200) }
                let workers = try gateway.workers()
                #expect(workers.count == 2)
                try gateway.write(Supervision.configuration(extra: "round-\(round)"))
                gateway.signal(SIGHUP)
                usleep(.random(in: 0...4000))
                gateway.signal(SIGKILL)
                let begun = monotonicSeconds()
                // The time to drain when orphaned, and 2 s.
                #expect(waitUntil(seconds: 12) { workers.allSatisfy { kill($0, 0) != 0 } })
                slowest = max(slowest, monotonicSeconds() - begun)
                #expect(Supervision.refusal(port) == .refused(ECONNREFUSED))
            }
            figure("\(rounds) kills, workers gone after \(Int(slowest * 1000)) ms at most")
        }
    }
}
