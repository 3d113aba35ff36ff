import Foundation
import Testing
import load_generator

extension Supervision {
    /// A hang delays nobody who is not on the worker that hangs, and ends within a bounded time.
    @Suite struct HangTests {
        /// The watchdog's limit, and the 2 s and the ticks within which it acts.
        private static let limit = Supervision.pick(2, 10)

        @Test("38. One worker stopped: others serve as before, it is killed 10 to 14 s later and replaced")
        func stoppedWorker() throws {
            let loaded = try LoadedGateway(workers: 3, settings: "watchdog_timeout: \(Self.limit), probation: 0")
            let running = try loaded.start(.n)
            Supervision.wait(Supervision.pick(1.5, 8))
            running.beginPhase()
            let worker = try loaded.gateway.workers()[1]
            kill(worker, SIGSTOP)
            defer { kill(worker, SIGCONT) }
            let stopped = monotonicSeconds()
            #expect(
                waitUntil(seconds: Double(Self.limit) + 20) { !loaded.gateway.events("worker-exit").isEmpty })
            let took = monotonicSeconds() - stopped
            #expect(loaded.settle(workers: 3))
            let report = try running.finish()
            let (before, during) = (report.fresh.phases[0], report.fresh.phases[1])
            let account = Account(report, loaded.gateway)
            figure(
                "killed after \(Int(took * 10) / 10) s of a limit of \(Self.limit) s, p99 \(before.p99) us before and "
                    + "\(during.p99) us meanwhile, \(account.text) of \(report.sent)")
            #expect(took >= Double(Self.limit) - 0.5)
            #expect(took <= Double(Self.limit) + 4)
            let hang = try #require(loaded.gateway.events("worker-hang").first)
            #expect(hang["worker"] as? Int == Int(worker))
            #expect((hang["silent_ms"] as? Int ?? 0) >= Self.limit * 1000)
            #expect(loaded.gateway.events("worker-exit").first?["reason"] as? String == "watchdog")
            #expect(account.unexplained.allSatisfy { $0.kind == "timeout" }, "\(account.unexplained.prefix(3))")
            // What it had accepted, and one more if it was stopped within an accept.
            let held = loaded.gateway.events("worker-exit").first?["connections_lost"] as? Int ?? 0
            #expect(report.failures.count <= held + 1)
            #expect(during.answered > 100)
            // Who waited for the worker that hangs waited for the limit, 2 s; beside other tests a busy machine makes
            // anybody wait for tens of milliseconds. The soak, which has the machine to itself, asks for a fifth.
            #expect(Double(during.p99) <= Double(before.p99) * 1.2 + Supervision.pick(500_000, 1000))
        }

        @Test("39. The supervisor stopped for 15 s: no worker is killed, nothing fails, a reload works afterwards")
        func stoppedSupervisor() throws {
            let loaded = try LoadedGateway(settings: "watchdog_timeout: \(Supervision.pick(2, 10))")
            let report = try loaded.run(.k) {
                Supervision.wait(0.3)
                loaded.gateway.signal(SIGSTOP)
                Supervision.wait(Supervision.pick(3, 15))
                loaded.gateway.signal(SIGCONT)
                Supervision.wait(Supervision.pick(1.2, 12))
            }
            figure("\(report.failures.count) of \(report.sent) requests failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.kept.answered > 1000)
            #expect(loaded.gateway.events("worker-exit").isEmpty)
            #expect(loaded.gateway.events("worker-hang").isEmpty)
            try loaded.write("afterwards")
            #expect(try loaded.gateway.control("reload", "--wait").status == 0)
        }

        @Test("40. A worker that is busy, but whose loop turns, is not killed")
        func busyWorker() throws {
            // 20 threads of work in its process, on fewer processors, for longer than the watchdog waits.
            let milliseconds = Supervision.pick(300, 5000)
            let gateway = try SupervisedGateway(
                Supervision.configuration("watchdog_timeout: \(Supervision.pick(2, 10))"),
                environment: try Faults.environment(more: ["TAGWAY_FAULT_BUSY_MS": "\(milliseconds)"]))
            let worker = try gateway.workers()[0]
            let before = try ProcessTimes(worker).seconds
            kill(worker, Faults.toils)
            let wanted = before + Double(20 * milliseconds) / 1000
            let begun = monotonicSeconds()
            #expect(waitUntil(seconds: 300) { ((try? ProcessTimes(worker).seconds) ?? .infinity) >= wanted })
            let took = monotonicSeconds() - begun
            figure("busy for \(Int(took)) s")
            #expect(took > Double(Supervision.pick(2, 10)))
            #expect(gateway.events("worker-exit").isEmpty)
            #expect(try gateway.workers()[0] == worker)
        }

        @Test("45. A supervisor that cannot spawn tries again, and workers that run are not concerned")
        func noDescriptors() throws {
            let loaded = try LoadedGateway(settings: "probation: 0")
            let supervisor = loaded.gateway.processID
            func limit(_ count: Int) throws {
                let words = ["prlimit", "--pid", "\(supervisor)", "--nofile=\(count):1024"]
                try #require(SupervisedGateway.run("/usr/bin/env", words).status == 0)
            }
            let report = try loaded.run(.n) {
                try limit(try descriptors(of: supervisor).count)
                kill(try loaded.gateway.workers()[0], SIGKILL)
                #expect(waitUntil(seconds: 10) { loaded.gateway.events("worker-exit").count >= 3 })
                #expect(try loaded.gateway.workerRows().count { $0["state"] as? String == "ready" } == 1)
                try limit(1024)
                #expect(loaded.settle(workers: 2))
            }
            let exits = loaded.gateway.events("worker-exit")
            let waits = exits.compactMap { $0["next_try_ms"] as? Int }
            let account = Account(report, loaded.gateway)
            figure("\(exits.count - 1) tries failed, waits \(waits) ms, \(account.text) of \(report.sent)")
            #expect(waits == waits.sorted() || waits.count > 5)
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
            #expect(report.fresh.failures("refused") == 0)
        }
    }
}
