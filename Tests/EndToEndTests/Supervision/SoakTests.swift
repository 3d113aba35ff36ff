import Foundation
import Testing
import load_generator

extension Supervision {
    /// Everything at once, for as long as one likes.
    @Suite struct SoakTests {
        /// What happens to the gateway.
        private enum Happening: String, CaseIterable {
            case goodReload = "good reload"
            case badReload = "bad reload"
            case kill, stop, more, less, upgrade
        }

        private static let environment = ProcessInfo.processInfo.environment
        private static let seconds = Supervision.pick(
            6.0, (environment["SOAK_MINUTES"].flatMap { Double($0) } ?? 60) * 60)

        @Test("72. Loads K, N and S with a random event each 5 s: every failure accounted for, healthy at the end")
        func everything() throws {
            let seed = Self.environment["SOAK_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000)
            var random = Seeded(state: seed)
            // Deaths of a slot within 30 s have it wait, so there are a few.
            let loaded = try LoadedGateway(
                workers: 4, settings: "max_workers: 8, probation: 0", events: Supervision.pick(30, 600))
            let gateway = loaded.gateway
            let pause = Supervision.pick(1.0, 5.0)
            var counts: [Happening: Int] = [:]
            var most = 0
            let report = try loaded.run(.k + .n + .s) {
                let until = monotonicSeconds() + Self.seconds
                var round = 0
                while monotonicSeconds() < until {
                    Supervision.wait(pause)
                    round += 1
                    most = max(most, try WorkerMemory(gateway.processID).resident)
                    let happening = Happening.allCases.randomElement(using: &random) ?? .kill
                    counts[happening, default: 0] += 1
                    try happen(happening, round, loaded, &random)
                }
            }
            try loaded.write("at-the-end")
            #expect(waitUntil(seconds: 20) { (try? gateway.control("reload", "--wait").status) == 0 })
            #expect(waitUntil(seconds: 60) { (try? gateway.status()["state"] as? String) == "ready" })
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("at-the-end")).status == 200)
            let account = Account(report, gateway)
            let events = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.value) \($0.key.rawValue)" }
            let kinds = Dictionary(grouping: report.failures, by: \.kind).mapValues(\.count).sorted { $0.key < $1.key }
            figure(
                "\(Int(Self.seconds)) s, seed \(seed): \(events.joined(separator: ", ")); \(report.sent) requests, "
                    + "\(report.streams.events) events of streams; \(account.text)"
                    + "\(kinds.map { "; \($0.value) \($0.key)" }.joined()); supervisor at most \(most >> 20) MB")
            #expect(account.unexplained.isEmpty, "seed \(seed): \(account.unexplained.prefix(3))")
            #expect(account.unseen.count <= max(1, account.records / 20), "seed \(seed): \(account.unseen.prefix(3))")
            #expect(report.failures.count { $0.kind == "refused" } == 0, "seed \(seed)")
            #expect(report.failures.count { $0.kind.hasPrefix("event-") || $0.kind == "crossed" } == 0, "seed \(seed)")
            #expect(most > 0 && most < 32 << 20)
            gateway.signal(SIGTERM)
            #expect(gateway.exitStatus(within: 20) == 0)
        }

        private func happen(
            _ happening: Happening, _ round: Int, _ loaded: LoadedGateway, _ random: inout Seeded
        ) throws {
            let gateway = loaded.gateway
            let ready = try gateway.workerRows().filter { $0["state"] as? String == "ready" }
            let worker = (ready.randomElement(using: &random)?["pid"] as? Int).map(Int32.init)
            switch happening {
            case .goodReload:
                try loaded.write("round-\(round)")
                gateway.signal(SIGHUP)
            case .badReload:
                try gateway.write("model_list: \(round)\n")
                gateway.signal(SIGHUP)
            case .kill:
                if let worker, ready.count > 1 { Glibc.kill(worker, SIGKILL) }
            case .stop:
                guard let worker else { return }
                Glibc.kill(worker, SIGSTOP)
                Supervision.wait(Supervision.pick(1, 3))
                Glibc.kill(worker, SIGCONT)
            case .more: gateway.signal(SIGTTIN)
            case .less: if ready.count > 2 { gateway.signal(SIGTTOU) }
            case .upgrade:
                // What lies there may be bad by now, and a new image would not start with it.
                try loaded.write("round-\(round)")
                gateway.signal(SIGUSR2)
            }
        }
    }
}

/// Random numbers that come again with their seed; SplitMix64.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
