import Foundation
import Synchronization
import Testing

@testable import mock_upstream

extension Supervision {
    /// What is in force after a reload: the newest file, whole, everywhere.
    @Suite struct GenerationTests {
        private static let rounds = Supervision.pick(30, 100)

        /// Clients in threads of their own, each with one connection, that do `ask` until they are told to end.
        private final class Clients: Sendable {
            let failures = Mutex<[String]>([])
            let asked = Atomic<Int>(0)
            private let isOver = Flag()
            private let threads: [Background<Void>]

            init(_ count: Int, port: UInt16, _ ask: @escaping @Sendable (PlainClient, Clients) throws -> Void) {
                let box = Mutex<Clients?>(nil)
                let (isOver, begin) = (isOver, Flag())
                threads = (0..<count).map { _ in
                    Background {
                        while !begin.isSet { usleep(500) }
                        guard let clients = box.withLock({ $0 }) else { return }
                        do {
                            let client = try PlainClient(port: port)
                            while !isOver.isSet {
                                try ask(client, clients)
                                clients.asked.add(1, ordering: .relaxed)
                            }
                        } catch {
                            clients.fail("\(error)")
                        }
                    }
                }
                box.withLock { $0 = self }
                begin.set()
            }

            func fail(_ text: String) { failures.withLock { $0.append(text) } }

            func end() -> (asked: Int, failures: [String]) {
                isOver.set()
                for thread in threads { _ = thread.value }
                return (asked.load(ordering: .relaxed), failures.withLock { $0 })
            }
        }

        private func reload(_ gateway: SupervisedGateway, to yaml: (Int) -> String) throws {
            for round in 1...Self.rounds {
                try gateway.write(yaml(round))
                gateway.signal(SIGHUP)
                #expect(waitUntil(seconds: 10) { gateway.events("reload").count == round }, "reload \(round)")
                usleep(10_000)
            }
        }

        @Test("12. When `ctl reload --wait` returns, every old and new connection sees the new models")
        func effect() throws {
            let gateway = try SupervisedGateway(Supervision.configuration(extra: "before"), workers: 3)
            let old = try (0..<50).map { _ in try PlainClient(port: gateway.port) }
            for client in old { #expect(try client.exchange(PlainClient.chat("before")).status == 200) }
            try gateway.write(Supervision.configuration(extra: "after"))
            let (status, output) = try gateway.control("reload", "--wait")
            #expect(status == 0)
            #expect(output == "generation 2 is in force; added after; removed before\n")
            var requests = 0
            for client in old + (try (0..<50).map { _ in try PlainClient(port: gateway.port) }) {
                for model in ["after", "before", "after", "after", "before"] {
                    let isServed = try client.exchange(PlainClient.chat(model)).status == 200
                    try #require(isServed == (model == "after"))
                    requests += 1
                }
                for _ in 0..<5 { try #require(try client.exchange(PlainClient.chat("after")).status == 200) }
                requests += 5
            }
            figure("\(requests) requests over 100 connections")
            #expect(requests == 1000)
        }

        @Test("13. Settings that change together are never mixed in a request")
        func atomicity() throws {
            let upstream = try MockUpstream()
            defer { upstream.shutDown() }
            func yaml(_ number: Int) -> String {
                """
                tagway: {access_log: false}
                general_settings: {master_key: \(PlainClient.key)}
                model_list:
                  - model_name: pair
                    litellm_params: {model: openai/m\(number), api_key: sk-\(number), api_base: "http://127.0.0.1:\(upstream.port)/n\(number)/v1"}
                    model_info: {id: id-\(number)}

                """
            }
            let gateway = try SupervisedGateway(yaml(0))
            let clients = Clients(8, port: gateway.port) { client, clients in
                let response = try client.exchange(PlainClient.chat("pair"))
                let id = response.headers["x-litellm-model-id"]?.dropFirst(3) ?? "none"
                let base = response.headers["x-litellm-model-api-base"] ?? ""
                if response.status != 200 || !base.hasSuffix("/n\(id)/v1") || !response.body.contains("ok:n\(id)\"") {
                    clients.fail("\(id) at \(base): \(response.status) \(response.body)")
                }
            }
            try reload(gateway, to: yaml)
            let (asked, failures) = clients.end()
            let received = upstream.received()
            let mixed = received.filter { one in
                let number = one.name.dropFirst()
                return one.headers["authorization"] != "Bearer sk-\(number)"
                    || one.json["model"] as? String != "m\(number)"
            }
            figure("\(Self.rounds) reloads, \(asked) requests, \(mixed.count + failures.count) mixed")
            #expect(failures.isEmpty, "\(failures.prefix(3))")
            #expect(mixed.count == 0)
            #expect(received.count >= asked)
            // Old and new ones were seen.
            #expect(Set(received.map(\.name)).count > Self.rounds / 2)
        }

        @Test("14. On one connection the generation never goes down")
        func order() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            // The generation of the last answer, by thread.
            let last = Mutex<[ObjectIdentifier: Int]>([:])
            let clients = Clients(16, port: gateway.port) { client, clients in
                let response = try client.exchange("GET /health/readiness HTTP/1.1\r\nhost: x\r\n\r\n")
                let body = try JSONSerialization.jsonObject(with: Data(response.body.utf8)) as? [String: Any]
                guard let generation = body?["generation"] as? Int else { return clients.fail(response.body) }
                last.withLock { last in
                    let before = last.updateValue(generation, forKey: ObjectIdentifier(client)) ?? 0
                    if generation < before { clients.fail("\(generation) after \(before)") }
                }
            }
            try reload(gateway) { Supervision.configuration(extra: "extra-\($0)") }
            let newest = Self.rounds + 1
            #expect(waitUntil(seconds: 10) { last.withLock { $0.values.allSatisfy { $0 == newest } } })
            let (asked, failures) = clients.end()
            figure("\(Self.rounds) reloads, \(asked) answers on 16 connections, \(failures.count) out of order")
            #expect(failures.isEmpty, "\(failures.prefix(3))")
            #expect(last.withLock { $0.count } == 16)
        }

        @Test("15. A stream outlives its model, of which new requests are told that it is unknown")
        func inFlight() throws {
            let seconds = Supervision.pick(2, 30)
            let upstream = try NumberedUpstream(events: seconds * 10)
            let gateway = try SupervisedGateway(Supervision.configuration(upstream: UInt16(upstream.port)))
            let client = try PlainClient(port: gateway.port)
            try client.send(PlainClient.chat("slow", stream: true))
            #expect(try client.readHead().status == 200)
            try gateway.write(Supervision.configuration())
            #expect(try gateway.control("reload", "--wait").status == 0)
            let refused = try PlainClient(port: gateway.port).exchange(PlainClient.chat("slow"))
            #expect(refused.status == 400 || refused.status == 404)
            var events = 0
            var line = ""
            while line != "data: [DONE]" {
                line = try client.readLine()
                if line.hasPrefix("data: {") {
                    #expect(line.contains("n\(events)n"), "\(line)")
                    events += 1
                }
            }
            figure("\(events) events of \(seconds * 10)")
            #expect(events == seconds * 10)
        }

        @Test("17. The next reload after a failed one is in force, and the metric says so")
        func mended() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            let client = try PlainClient(port: gateway.port)
            try gateway.write(
                Supervision.configuration().replacing("mock_response: extra", with: "tags: free, weight: \"x\""))
            gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 10) { gateway.events("reload").count == 1 })
            let errors = try #require(gateway.events("reload").first?["errors"] as? [String])
            #expect(errors.count == 2)
            #expect(errors.allSatisfy { $0.contains("config.yaml:7:") })
            #expect(try Metrics(gateway)["gateway_config_last_reload_success"] == 0)
            #expect(try client.exchange(PlainClient.chat("extra")).status == 200)
            try gateway.write(Supervision.configuration(extra: "good"))
            #expect(try gateway.control("reload", "--wait").status == 0)
            #expect(try client.exchange(PlainClient.chat("good")).status == 200)
            #expect(try Metrics(gateway)["gateway_config_last_reload_success"] == 1)
        }

        @Test("19. A file that is replaced all the time: no generation holds a mix, a half-written one is refused")
        func replacedFiles() throws {
            func yaml(_ number: Int) -> String {
                // In one flow mapping, so that no part of it is a whole configuration.
                let models = ["a", "b"].map { name in
                    "{model_name: \(name)-\(number), litellm_params: {model: openai/m, mock_response: hi, api_key: k}}"
                }
                return "{model_list: [\(models.joined(separator: ",\n"))],\n"
                    + "general_settings: {master_key: \(PlainClient.key)}}\n"
            }
            let gateway = try SupervisedGateway(yaml(0))
            let replacements = Supervision.pick(60, 200)
            for number in 1...replacements {
                if number % 3 == 0 {
                    // As a careless program writes: cut short, then in two pieces.
                    let text = Data(yaml(number).utf8)
                    let file = try FileHandle(forWritingTo: gateway.configuration)
                    try file.truncate(atOffset: 0)
                    try file.write(contentsOf: text.prefix(.random(in: 0..<text.count)))
                    gateway.signal(SIGHUP)
                    usleep(500)
                    try file.seek(toOffset: 0)
                    try file.write(contentsOf: text)
                    try file.close()
                } else {
                    try gateway.write(yaml(number))
                }
                gateway.signal(SIGHUP)
                usleep(2000)
            }
            #expect(try gateway.control("reload", "--wait").status == 0)
            let reloads = gateway.events("reload")
            var good = 0
            for reload in reloads where reload["result"] as? String == "ok" {
                let added = reload["added"] as? [String] ?? []
                let removed = reload["removed"] as? [String] ?? []
                for names in [added, removed] {
                    #expect(names.count == 2)
                    #expect(Set(names.map { $0.dropFirst(2) }).count == 1, "\(names)")
                }
                good += 1
            }
            let client = try PlainClient(port: gateway.port)
            for name in ["a", "b"] {
                #expect(try client.exchange(PlainClient.chat("\(name)-\(replacements)")).status == 200)
            }
            let failed = reloads.count { $0["result"] as? String == "failed" }
            figure("\(replacements) files, \(good) generations, none mixed, \(failed) refused")
            #expect(good > 10)
        }

        @Test("20. HUP without a change: the result is `unchanged`, the generation the same")
        func unchanged() throws {
            let gateway = try SupervisedGateway(Supervision.configuration())
            try gateway.write(Supervision.configuration())
            gateway.signal(SIGHUP)
            #expect(waitUntil(seconds: 10) { gateway.events("reload").count == 1 })
            #expect(gateway.events("reload").first?["result"] as? String == "unchanged")
            #expect(gateway.events("reload").first?["generation"] as? Int == 1)
            #expect(try gateway.status()["generation"] as? Int == 1)
            #expect(try gateway.control("reload", "--wait").output.hasPrefix("nothing has changed"))
        }
    }
}
