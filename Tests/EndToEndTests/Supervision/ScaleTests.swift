import Foundation
import Testing
import load_generator

extension Supervision {
    /// Workers come and go on demand, and no client notices.
    @Suite struct ScaleTests {
        @Test("57. TTIN and TTOU six times each under Load N: no request fails, the count is right, one stays")
        func signals() throws {
            let loaded = try LoadedGateway(settings: "max_workers: 8")
            let gateway = loaded.gateway
            let report = try loaded.run(.n) {
                for round in 1...6 {
                    gateway.signal(SIGTTIN)
                    #expect(waitUntil(seconds: 10) { gateway.events("scale").count == round })
                }
                #expect(loaded.settle(workers: 8))
                for round in 1...6 {
                    gateway.signal(SIGTTOU)
                    #expect(waitUntil(seconds: 10) { gateway.events("scale").count == 6 + round })
                }
                #expect(loaded.settle(workers: 2))
                Supervision.wait(0.5)
            }
            figure("2 to 8 to 2 workers, \(report.failures.count) of \(report.sent) requests failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.fresh.answered > 50)
            #expect(gateway.events("worker-exit").allSatisfy { $0["level"] as? String == "info" })
            for _ in 0..<4 {
                gateway.signal(SIGTTOU)
                usleep(20_000)
            }
            #expect(loaded.settle(workers: 1))
            #expect(try gateway.status()["workers_wanted"] as? Int == 1)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
            #expect(try gateway.control("scale", "3").status == 0)
            #expect(loaded.settle(workers: 3))
            #expect(try gateway.control("scale", "99").status == 1)
        }

        @Test("9.4: a worker that gets TERM, or is drained by ctl, is replaced first", arguments: [false, true])
        func replacedFirst(byCommand: Bool) throws {
            let loaded = try LoadedGateway(delay: 5)
            let gateway = loaded.gateway
            let worker = try gateway.workers()[1]
            let report = try loaded.run(.k) {
                Supervision.wait(0.3)
                if byCommand {
                    let status = try gateway.control("drain", "1").status
                    #expect(status == 0)
                } else {
                    kill(worker, SIGTERM)
                }
                #expect(waitUntil(seconds: 20) { gateway.events("worker-exit").count == 1 })
                #expect(loaded.settle(workers: 2))
            }
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            // Whoever was on that worker was told so with an answer, or was silent for the grace period.
            #expect(report.kept.closedAnnounced + report.kept.closedIdle > 0)
            let exit = try #require(gateway.events("worker-exit").first)
            #expect(exit["worker"] as? Int == Int(worker))
            #expect(exit["reason"] as? String == "drained")
            let successor = gateway.events("worker-ready").firstIndex { $0["incarnation"] as? Int == 2 }
            #expect(successor == 2)
        }
    }
}
