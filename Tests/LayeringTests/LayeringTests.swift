import Foundation
import Testing

@Suite struct LayeringTests {
    @Test(arguments: LayeringRule.all)
    func everySourceKeepsTheRule(_ rule: LayeringRule) {
        #expect(rule.violations(SourceFile.sources) == [])
    }

    @Test func thereAreSourcesToLookAt() {
        #expect(SourceFile.sources.count > 80)
        #expect(
            SourceFile.sources.contains { $0.path == "Shared/HTTP/HeadParser.swift" && $0.types.contains("HeadParser") }
        )
    }

    /// Tests and benchmarks may do what they like, but the product's C targets have no C in them.
    @Test func noSourceIsWrittenInC() {
        let names = FileManager.default.enumerator(atPath: SourceFile.project.appending(path: "Sources").path)?
            .compactMap { $0 as? String }
        #expect(names?.filter { $0.hasSuffix(".c") || $0.hasSuffix(".cpp") } == [])
    }
}

/// Each rule is shown a small tree that breaks it: a rule that cannot fail guards nothing.
@Suite struct LayeringRuleTests {
    struct Sample: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let path: String
        let text: String
        /// What the one violation says.
        let violation: String

        init(_ path: String, _ text: String, _ violation: String? = nil) {
            self.path = path
            self.text = text
            self.violation = violation ?? path
            testDescription = "\(path): \(text)"
        }
    }

    /// What the samples are seen beside.
    private static let others = [
        SourceFile(path: "Worker/Gateway/Exchange.swift", text: "final class Exchange {}"),
        SourceFile(path: "Worker/Listener/Listener.swift", text: "@Loop final class ClientConnection {}"),
        SourceFile(path: "Shared/Linux/Clock.swift", text: "public struct Instant {}\npublic struct Signals {}"),
        SourceFile(path: "Shared/Router/TagFilter.swift", text: "public enum TagFilter {}"),
    ]

    static let samples = [
        Sample("Worker/Gateway/Exchange+Stream.swift", "internal import Glibc"),
        Sample("Supervisor/Reload/Reload.swift", "import CLinux"),
        Sample("Shared/Log/Log.swift", "private import Synchronization"),
        Sample("Worker/Upstream/UpstreamPool.swift", "public import COpenSSL"),
        Sample("Shared/Config/Configuration.swift", "internal import CYAML"),
        Sample("Supervisor/Reload/Reload.swift", "internal import Worker"),
        Sample("Shared/Log/Log.swift", "import Foundation", "Shared/Log/Log.swift imports Foundation"),
        Sample("Shared/HTTP/HeadParser.swift", "let x = unsafe y", "Shared/HTTP/HeadParser.swift says unsafe"),
        Sample("Worker/Worker.swift", "@globalActor actor A {}", "Worker/Worker.swift says globalActor"),
        Sample("Worker/Worker.swift", "Task { await x() }", "Worker/Worker.swift says Task"),
        Sample("Worker/Worker.swift", "let l = Mutex(0)", "Worker/Worker.swift says Mutex"),
        Sample("Worker/Worker.swift", "pthread_create(&thread)", "Worker/Worker.swift says pthread_create"),
        Sample("Worker/Worker.swift", "let l = Atomic(0)", "Worker/Worker.swift says Atomic"),
        Sample("Worker/Worker.swift", "final class A: @unchecked Sendable {}", "Worker/Worker.swift says unchecked"),
        Sample("Worker/Worker.swift", "let x = try! y()"),
        Sample("Worker/Worker.swift", "let x = y as! Z"),
        Sample("Shared/Router/Balancer.swift", "let t = Clock.now", "Shared/Router/Balancer.swift says Clock"),
        Sample("Shared/JSON/JSONWriter.swift", "func f() async {}", "Shared/JSON/JSONWriter.swift says async"),
        Sample(
            "Worker/Gateway/Endpoint.swift", "/// What is asked. Pure.\nlet d: FileDescriptor",
            "Worker/Gateway/Endpoint.swift says FileDescriptor"),
        Sample(
            "Worker/Upstream/UpstreamPool.swift", "let e: Exchange",
            "Worker/Upstream/UpstreamPool.swift names Exchange of Worker/Gateway"),
        Sample(
            "Worker/Listener/HTTPServer.swift", "let e: Exchange",
            "Worker/Listener/HTTPServer.swift names Exchange of Worker/Gateway"),
        Sample(
            "Worker/Upstream/Resolver.swift", "let c: ClientConnection",
            "Worker/Upstream/Resolver.swift names ClientConnection of Worker/Listener"),
        Sample(
            "Shared/Router/RoutingTable.swift", "let s: Signals",
            "Shared/Router/RoutingTable.swift names Signals of Shared/Linux"),
        Sample(
            "Shared/HTTP/HeadWriter.swift", "let f = TagFilter.self",
            "Shared/HTTP/HeadWriter.swift names TagFilter of Shared/Router"),
        Sample(
            "Shared/Config/Secret.swift", "let f = TagFilter.self",
            "Shared/Config/Secret.swift names TagFilter of Shared/Router"),
    ]

    @Test(arguments: samples)
    func aRuleSeesTheSampleThatBreaksIt(_ sample: Sample) {
        let files = Self.others + [SourceFile(path: sample.path, text: sample.text)]
        let found = LayeringRule.all.flatMap { $0.violations(files) }
        #expect(found.contains(sample.violation), "found: \(found)")
    }

    @Test func everyRuleHasASampleThatBreaksIt() {
        for rule in LayeringRule.all {
            let isBroken = Self.samples.contains { sample in
                !rule.violations(Self.others + [SourceFile(path: sample.path, text: sample.text)]).isEmpty
            }
            #expect(isBroken, "no sample breaks: \(rule.testDescription)")
        }
    }

    @Test func theOthersKeepAllRules() {
        #expect(LayeringRule.all.flatMap { $0.violations(Self.others) } == [])
    }

    @Test(arguments: [
        "// unsafe, Task, Clock", "/* import Foundation */", "let x = \"unsafe \\\" Task\"",
        "let x = \"\"\"\n  Task { }\n  \"\"\"", "let unsafely = taskCount",
        "/// `try!` is never used\nlet instant: Instant",
    ])
    func commentsAndStringsBreakNothing(_ text: String) {
        let files = Self.others + [SourceFile(path: "Shared/Router/Balancer.swift", text: text)]
        #expect(LayeringRule.all.flatMap { $0.violations(files) } == [])
    }
}
