import Foundation
import Testing

@testable import Shared

/// Orders that reach a worker while it builds a generation, which takes it many turns.
@Suite struct WorkerOrderTests {
    /// A worker without a supervisor: the test gives the orders.
    private final class BareWorker {
        let channel: ControlChannel
        let child: ChildProcess
        private let scoreboard: Scoreboard
        private var files: [DescriptorBox] = []

        init() throws {
            let (channel, theirs) = try ControlChannel.pair()
            self.channel = channel
            scoreboard = try Scoreboard()
            scoreboard.prepare(0, slot: 0)
            child = try ChildProcess(
                starting: SupervisedGateway.executable.path,
                arguments: [
                    "tagway", "worker", "--parent", "\(getpid())", "--slot", "0", "--incarnation", "1", "--block", "0",
                    "--listeners", "0",
                ], environment: [:],
                descriptors: [
                    (theirs.number, ControlChannel.workerDescriptor),
                    (scoreboard.memory.descriptor.number, ControlChannel.firstListener),
                ])
        }

        deinit { child.send(.kill) }

        func prepare(_ number: UInt64, deployments: Int) throws {
            var configuration = Configuration()
            for index in 0..<deployments {
                var deployment = Deployment()
                deployment.modelName = "model-\(index)"
                deployment.id = "id-\(index)"
                deployment.origin = Origin(isSecure: false, host: "127.0.0.1", port: 1)
                configuration.deployments.append(deployment)
            }
            let file = try SealedBytes.make(named: "generation", configuration.encoded())
            #expect(channel.send(.prepare(generation: number), with: file))
        }

        /// Gives orders that the worker finds all at once.
        func together(_ orders: () throws -> Void) rethrows {
            kill(child.id, SIGSTOP)
            defer { kill(child.id, SIGCONT) }
            try orders()
        }

        /// What the worker says next; nil when it has gone.
        func hear() throws -> ControlMessage? {
            for _ in 0..<20_000 {
                switch channel.receive() {
                case .message(let message, _): return message
                case .end: return nil
                case .broken(let reason): throw Broken(reason: reason)
                case .wouldBlock: usleep(1000)
                }
            }
            throw Broken(reason: "silence")
        }

        struct Broken: Error { let reason: String }
    }

    /// More than are built before the loop turns.
    private static let many = 5000

    @Test func anotherOrderToPrepareTakesTheFirstOnesPlace() throws {
        let worker = try BareWorker()
        try worker.together {
            try worker.prepare(1, deployments: Self.many)
            try worker.prepare(2, deployments: 1)
        }
        #expect(try worker.hear() == .prepared(generation: 2))
        #expect(worker.channel.send(.commit(generation: 2)))
        #expect(try worker.hear() == .committed(generation: 2))
        #expect(try worker.hear() == .ready(generation: 2))
    }

    @Test func whatIsAbortedIsNotAnswered() throws {
        let worker = try BareWorker()
        try worker.together {
            try worker.prepare(1, deployments: Self.many)
            #expect(worker.channel.send(.abort(generation: 1)))
            // Nobody's: nothing happens.
            #expect(worker.channel.send(.abort(generation: 7)))
            try worker.prepare(2, deployments: Self.many)
        }
        #expect(try worker.hear() == .prepared(generation: 2))
    }

    @Test func aWorkerLeavesWhileItPrepares() throws {
        let worker = try BareWorker()
        try worker.prepare(1, deployments: 1)
        #expect(try worker.hear() == .prepared(generation: 1))
        #expect(worker.channel.send(.commit(generation: 1)))
        #expect(try worker.hear() == .committed(generation: 1))
        #expect(try worker.hear() == .ready(generation: 1))
        try worker.together {
            try worker.prepare(2, deployments: Self.many)
            #expect(worker.channel.send(.drain))
        }
        #expect(try worker.hear() == .drained(cut: 0))
        #expect(try worker.hear() == nil)
    }

    @Test func whatIsNotAConfigurationIsRefused() throws {
        let worker = try BareWorker()
        let file = try SealedBytes.make(named: "generation", Array(repeating: 7, count: 100))
        #expect(worker.channel.send(.prepare(generation: 1), with: file))
        guard case .refused(1, let reason)? = try worker.hear() else { throw BareWorker.Broken(reason: "not refused") }
        #expect(reason.contains("format"))
    }
}
