import Foundation
import Testing
import load_generator

extension Supervision {
    /// Large, many, poisonous and hypothetical configurations.
    @Suite struct ConfigurationTests {
        @Test("22. Workers killed while a reload is under way: it is done, and successors have the new generation")
        func killedMeanwhile() throws {
            var tries = 0
            for _ in 0..<Supervision.pick(2, 42) {
                // Each slot dies for the first time, so that its successor starts at once.
                let gateway = try SupervisedGateway(Supervision.configuration("probation: 0"), workers: 12)
                for (slot, worker) in try gateway.workers().enumerated() {
                    tries += 1
                    try gateway.write(Supervision.configuration("probation: 0", extra: "extra-\(slot)"))
                    gateway.signal(SIGHUP)
                    usleep(.random(in: 0...3000))
                    kill(worker, SIGKILL)
                    #expect(waitUntil(seconds: 10) { gateway.events("reload").count == slot + 1 })
                    #expect(gateway.events("reload").last?["result"] as? String == "ok")
                }
                #expect(
                    waitUntil(seconds: 20) {
                        let rows = (try? gateway.workerRows()) ?? []
                        return rows.count == 12
                            && rows.allSatisfy {
                                $0["state"] as? String == "ready" && $0["generation"] as? Int == 13
                                    && $0["incarnation"] as? Int == 2
                            }
                    })
            }
            figure("\(tries) kills at random moments of a reload")
        }

        @Test("27. A large configuration is reloaded under Load K: nothing fails, p99 stays within three times")
        func large() throws {
            let models = Supervision.pick(500, 20_000)
            let loaded = try LoadedGateway()
            func yaml(_ number: Int) -> String {
                var text = loaded.yaml("large-\(number)")
                let padding = String(repeating: "x", count: 380)
                for model in 0..<models {
                    text +=
                        "  - {model_name: m-\(number)-\(model), litellm_params: {model: openai/m, api_key: k, "
                        + "mock_response: \(padding)}}\n"
                }
                return text
            }
            let (first, second) = (yaml(1), yaml(2))
            let running = try loaded.start(.k)
            Supervision.wait(Supervision.pick(1, 5))
            try loaded.gateway.write(first)
            running.beginPhase()
            let begun = monotonicSeconds()
            loaded.gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 60) { loaded.gateway.events("reload").count == 1 })
            try loaded.gateway.write(second)
            loaded.gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 60) { loaded.gateway.events("reload").count == 2 })
            let took = monotonicSeconds() - begun
            let report = try running.finish()
            // More names than an answer can hold.
            try loaded.gateway.write(first)
            let (status, output) = try loaded.gateway.control("reload", "--wait")
            #expect(status == 0)
            #expect(output.contains("and \(models - 99) more"), "\(output.prefix(200))")
            #expect(loaded.gateway.events("reload").allSatisfy { $0["result"] as? String == "ok" })
            let (before, during) = (report.kept.phases[0].p99, report.kept.phases[1].p99)
            figure(
                "\(models) models, \(first.utf8.count >> 10) KB, two reloads in \(Int(took * 1000)) ms, p99 \(before) us "
                    + "before and \(during) us meanwhile, \(report.failures.count) of \(report.sent) failed")
            #expect(report.failures.count == 0, "\(report.failures.prefix(3))")
            #expect(report.kept.phases[1].answered > 10)
            // In a debug build, and beside others, some milliseconds say nothing.
            #expect(Double(during) < 3 * Double(before) + Supervision.pick(100_000, 0))
        }

        @Test("28. Memory: after many reloads a worker has grown by less than a tenth, and no descriptor is left open")
        func memory() throws {
            let gateway = try SupervisedGateway(Supervision.configuration(), workers: 1)
            let worker = try gateway.workers()[0]
            func reload(_ rounds: Range<Int>) throws {
                for round in rounds {
                    try gateway.write(Supervision.configuration(extra: "extra-\(round)"))
                    gateway.signal(SIGHUP)
                    try #require(waitUntil(seconds: 10) { gateway.events("reload").count == round })
                }
            }
            try reload(1..<101)
            // What a worker does once a second has run then: its code would count as growth.
            Supervision.wait(1.5)
            let (before, opened) = (try WorkerMemory(worker).resident, try descriptors(of: worker).count)
            try reload(101..<Supervision.pick(301, 1001))
            let (after, open) = (try WorkerMemory(worker).resident, try descriptors(of: worker).count)
            figure("\(before >> 10) to \(after >> 10) KB resident, \(opened) to \(open) descriptors")
            #expect(Double(after) < 1.1 * Double(before))
            #expect(open == opened)
            #expect(try gateway.workers() == [worker])
        }

        /// The crashes are made from outside; the supervisor cannot tell.
        @Test("29. A configuration under which workers crash is rolled back, and refused until it changes")
        func poison() throws {
            let gateway = try SupervisedGateway(
                Supervision.configuration(),
                environment: try Faults.environment(more: ["SWIFT_BACKTRACE": "enable=no"]))
            try gateway.write(Supervision.configuration(extra: "poison"))
            #expect(try gateway.control("reload", "--wait").status == 0)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("poison")).status == 200)
            let begun = monotonicSeconds()
            for worker in try gateway.workers() { kill(worker, Faults.crashes) }
            #expect(waitUntil(seconds: 10) { gateway.events("reload").count == 2 })
            figure("rolled back after \(Int((monotonicSeconds() - begun) * 1000)) ms")
            #expect(gateway.events("reload").last?["result"] as? String == "rolled-back")
            #expect(gateway.events("reload-rolled-back").count == 1)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("extra")).status == 200)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("poison")).status != 200)
            let refused = try gateway.control("reload", "--wait")
            #expect(refused.status == 1)
            #expect(refused.output.contains("crash"), "\(refused.output)")
            #expect(waitUntil(seconds: 5) { (try? gateway.status()["config_drift"] as? Bool) == true })
            #expect(try gateway.control("reload", "--wait", "--force").status == 0)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("poison")).status == 200)
        }

        @Test("31. A dry run lists the difference and changes nothing")
        func dryRun() throws {
            let gateway = try SupervisedGateway(Supervision.configuration(), workers: 1)
            #expect(try gateway.control("reload", "--dry-run").output == "nothing would change\n")
            try gateway.write(Supervision.configuration("idle_grace: 2", extra: "other"))
            let (status, output) = try gateway.control("reload", "--dry-run")
            #expect(status == 0)
            for words in ["added: other", "removed: extra", "tagway"] { #expect(output.contains(words), "\(output)") }
            #expect(try gateway.status()["generation"] as? Int == 1)
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("extra")).status == 200)
            try gateway.write("model_list: 3\n")
            #expect(try gateway.control("reload", "--dry-run").status == 1)
            #expect(gateway.events("reload").isEmpty)
        }
    }
}
