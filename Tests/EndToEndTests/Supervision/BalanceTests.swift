import Foundation
import Testing
import load_generator

extension Supervision {
    /// Connections spread over the workers, and none waits while somebody is idle.
    @Suite struct BalanceTests {
        private func shares(_ gateway: SupervisedGateway) throws -> [Int] {
            try gateway.workerRows().compactMap { $0["connections"] as? Int }
        }

        @Test("46. Kept-alive connections over 4 idle workers", arguments: [(8, 2.0), (16, 2.0), (64, 1.6)])
        func keptAlive(count: Int, most: Double) throws {
            var best = Double.infinity
            var shares: [Int] = []
            // Workers that are not idle, because the machine has other things to do, take turns as they can.
            for _ in 0..<3 where best > most {
                let gateway = try SupervisedGateway(Supervision.configuration(), workers: 4)
                // They have only just begun to live.
                Supervision.wait(0.2)
                var clients: [PlainClient] = []
                for _ in 0..<count {
                    let client = try PlainClient(port: gateway.port)
                    #expect(try client.exchange(PlainClient.chat("quick")).status == 200)
                    clients.append(client)
                }
                #expect(
                    waitUntil(seconds: 5) {
                        shares = (try? self.shares(gateway)) ?? []
                        return shares.reduce(0, +) == count
                    }, "\(shares)")
                #expect(shares.count == 4)
                best = min(best, Double(shares.max() ?? 0) / Double(max(1, shares.min() ?? 0)))
                withExtendedLifetime(clients) {}
            }
            figure("\(count): \(shares.map { "\($0)" }.joined(separator: "/"))")
            #expect(best <= most, "\(shares)")
        }

        /// How long 400 connections take that are all there at once, with a request each, and end when it is answered.
        private func serveBrief(_ gateway: SupervisedGateway) throws -> Double {
            let begun = monotonicSeconds()
            var clients: [PlainClient?] = []
            for _ in 0..<400 {
                let client = try PlainClient(port: gateway.port)
                try client.send(PlainClient.chat("quick"))
                clients.append(client)
            }
            for index in clients.indices {
                #expect(try clients[index]?.readHead().status == 200)
                clients[index] = nil
            }
            return monotonicSeconds() - begun
        }

        /// Its share is 8 connections as long as the other, which is stopped, may yet take some. What it does not do is to wait
        /// out the 20 ms after which it would look at the others again: 45 of them would be 0.9 s.
        @Test("4.3: a worker with more than its share goes on as soon as connections of its own have ended")
        func briefConnections() throws {
            let alone = try SupervisedGateway(Supervision.configuration(), workers: 1)
            let gateway = try SupervisedGateway(Supervision.configuration(), workers: 2)
            var (took, most) = (Double.infinity, 0.0)
            for _ in 0..<3 where took > most {
                most = 2 * (try serveBrief(alone)) + 0.3
                let other = try gateway.workers()[1]
                kill(other, SIGSTOP)
                took = try serveBrief(gateway)
                kill(other, SIGCONT)
                Supervision.wait(1)
            }
            #expect(took <= most)
        }

        @Test("47. Long streams opened slowly: no worker has more than 1.3 times the mean")
        func streams() throws {
            let count = Supervision.pick(120, 1000)
            let loaded = try LoadedGateway(workers: 4, pause: Supervision.pick(100, 1000))
            var shares: [Int] = []
            // One every 20 ms.
            let report = try loaded.run(Load(streams: count)) {
                #expect(
                    waitUntil(seconds: Double(count) / 50 + 10) {
                        shares = (try? self.shares(loaded.gateway)) ?? []
                        usleep(20_000)
                        return shares.reduce(0, +) == count
                    }, "\(shares)")
            }
            let ratio = Double(shares.max() ?? 0) * Double(shares.count) / Double(count)
            figure("\(count): \(shares.map { "\($0)" }.joined(separator: "/")), max/mean \(Int(ratio * 100)) %")
            #expect(ratio <= 1.3)
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
        }

        @Test("48. After a death, Load K with 5 % turnover of connections: max/mean at most 1.5")
        func afterDeath() throws {
            let loaded = try LoadedGateway(workers: 4)
            var load = Load.k
            load.turnover = Supervision.pick(150, 50)
            let looks = Supervision.pick(20, 270)
            var ratios: [Double] = []
            let report = try loaded.run(load) {
                Supervision.wait(0.5)
                kill(try loaded.gateway.workers()[1], SIGKILL)
                // Until the successor has had its chances: 5 % of all requests come over new connections.
                #expect(loaded.settle(workers: 4))
                Supervision.wait(Supervision.pick(3, 30))
                for _ in 0..<looks {
                    let shares = try self.shares(loaded.gateway)
                    ratios.append(Double(shares.max() ?? 0) * 4 / Double(max(1, shares.reduce(0, +))))
                    Supervision.wait(Supervision.pick(0.05, 1))
                }
            }
            let account = Account(report, loaded.gateway)
            let atTheEnd = ratios[ratios.count - 1]
            ratios.sort()
            let (median, worst) = (ratios[ratios.count / 2], ratios[ratios.count - 1])
            figure(
                "max/mean \(Int(atTheEnd * 100)) % at the end, \(Int(median * 100)) % as the median of \(looks) looks, "
                    + "\(Int(worst * 100)) % at most; \(report.kept.connects) connects, \(account.text)")
            #expect(worst <= 1.5)
            #expect(median >= 1)
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
        }

        @Test("49. At 5 connections a second with random SIGKILLs, none waits more than 1 s while a worker is idle")
        func lostWakeUps() throws {
            let loaded = try LoadedGateway(workers: 4, settings: "probation: 0")
            var kills = 0
            let report = try loaded.run(Load(fresh: 5)) {
                let until = monotonicSeconds() + Supervision.pick(4, 600)
                while monotonicSeconds() < until {
                    Supervision.wait(.random(in: Supervision.pick(0.2...1, 0.5...5)))
                    let ready = try loaded.gateway.workerRows().filter { $0["state"] as? String == "ready" }
                    guard ready.count > 1, let worker = ready.randomElement()?["pid"] as? Int else { continue }
                    kill(Int32(worker), SIGKILL)
                    kills += 1
                }
            }
            let slowest = report.fresh.phases.map(\.largest).max() ?? 0
            let account = Account(report, loaded.gateway)
            figure("\(kills) kills, \(report.sent) connections, the slowest \(slowest / 1000) ms, \(account.text)")
            #expect(kills > 2)
            // The try that every worker makes once a second, and the answer itself.
            #expect(slowest < 1_200_000)
            #expect(account.unexplained.isEmpty, "\(account.unexplained.prefix(3))")
        }
    }
}
