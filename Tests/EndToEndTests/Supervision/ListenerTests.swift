import Foundation
import Testing
import load_generator

extension Supervision {
    /// Addresses come and go with a reload.
    @Suite struct ListenerTests {
        private func yaml(_ ports: [UInt16], upstream: NumberedUpstream? = nil) -> String {
            let addresses = ports.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
            let settings = "listen: [\(addresses)]"
            if let upstream { return LoadedGateway.configuration(upstream.port, settings, "first") }
            return Supervision.configuration(settings)
        }

        @Test("24. An address added at a reload serves at once; one that cannot be bound fails the reload")
        func added() throws {
            let (first, second, foreign) = (StartTests.freePort(), StartTests.freePort(), ListeningSocket())
            let gateway = try SupervisedGateway(yaml([first]), port: nil)
            #expect(gateway.port == first)
            #expect(Supervision.refusal(second) == .refused(ECONNREFUSED))
            try gateway.write(yaml([first, second]))
            #expect(try gateway.control("reload", "--wait").status == 0)
            let begun = monotonicSeconds()
            #expect(try PlainClient(port: second).exchange(PlainClient.chat("quick")).status == 200)
            let took = monotonicSeconds() - begun
            figure("served \(Int(took * 1000)) ms after the reload")
            #expect(took < Supervision.pick(1, 0.1))
            // Every worker has it.
            for _ in 0..<20 {
                #expect(try PlainClient(port: second).exchange(PlainClient.chat("quick")).status == 200)
            }
            try gateway.write(yaml([first, second, foreign.port]))
            let (status, output) = try gateway.control("reload", "--wait")
            #expect(status == 1)
            #expect(output.contains("127.0.0.1:\(foreign.port)"), "\(output)")
            for port in [first, second] {
                #expect(try PlainClient(port: port).exchange(PlainClient.chat("quick")).status == 200)
            }
            // A worker that comes later has them, too.
            kill(try gateway.workers()[0], SIGKILL)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-ready").count == 3 })
            for port in [first, second] {
                for _ in 0..<10 {
                    #expect(try PlainClient(port: port).exchange(PlainClient.chat("quick")).status == 200)
                }
            }
            // The files say something else than what is in force, and a new image knows it.
            #expect(try gateway.status()["config_drift"] as? Bool == true)
            #expect(try gateway.control("upgrade", "--wait").status == 0)
            #expect(try gateway.status()["config_drift"] as? Bool == true)
        }

        @Test("25. An address removed under Load N on it: who was connected is answered, later ones are refused")
        func removed() throws {
            let (first, second) = (StartTests.freePort(), StartTests.freePort())
            let upstream = try NumberedUpstream(delay: 5)
            let gateway = try SupervisedGateway(yaml([first, second], upstream: upstream), port: nil)
            let kept = try PlainClient(port: second)
            #expect(try kept.exchange(PlainClient.chat("quick")).status == 200)
            let other = try RunningLoad(.n, port: first, upstream: upstream)
            let running = try RunningLoad(.n, port: second, upstream: upstream)
            Supervision.wait(Supervision.pick(0.5, 5))
            try gateway.write(yaml([first], upstream: upstream))
            #expect(try gateway.control("reload", "--wait").status == 0)
            #expect(waitUntil(seconds: 5) { Supervision.refusal(second) == .refused(ECONNREFUSED) })
            Supervision.wait(Supervision.pick(0.3, 5))
            let (gone, stayed) = (try running.finish(), try other.finish())
            let answered = try kept.exchange(PlainClient.chat("quick")).status
            let others = gone.failures.filter { $0.kind != "refused" }
            figure(
                "\(gone.fresh.answered) answered there, \(others.count) failed but for refused connects; "
                    + "\(stayed.failures.count) of \(stayed.sent) failed at the other address")
            #expect(answered == 200)
            #expect(others.count == 0, "\(others.prefix(3))")
            #expect(gone.fresh.failures("refused") > 0)
            #expect(gone.fresh.answered > 50)
            #expect(stayed.failures.count == 0, "\(stayed.failures.prefix(3))")
        }
    }
}
