import Foundation
import Testing

@testable import Shared
@testable import tagway

/// Workers that answer late, die, hang and refuse, in every order that a seed gives.
@Suite struct FleetRandomWalkTests {
    /// A worker as it behaves: takes orders one by one, and breaks down when they make no sense.
    struct Simulated {
        var orders: [ControlMessage] = []
        var told: Set<UInt64> = []
        var prepared: UInt64?
        var generation: UInt64 = 0
        var isReady = false
        var isDraining = false
        var isHung = false
    }

    struct World {
        var fleet: Fleet
        var random: SeededRandom
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var workers: [Int: Simulated] = [:]
        var isKilled: Set<Int> = []
        var lastGeneration: UInt64 = 1
        var inForce: UInt64 = 1
        var openReloads = 0
        var exit: Int32?
        var isStopping = false
        var violations: [String] = []

        init(seed: UInt64) {
            fleet = Fleet(seed: seed)
            fleet.timing.drain = .seconds(20)
            random = SeededRandom(seed: seed)
        }

        mutating func handle(_ event: Fleet.Event) {
            for action in fleet.handle(event, now: now) { perform(action) }
            check()
        }

        mutating func perform(_ action: Fleet.Action) {
            switch action {
            case .spawn(let id, _, _):
                if isStopping { violations.append("spawned while stopping") }
                workers[id] = Simulated()
            case .send(let id, let message):
                if message == .drain, !isStopping, let worker = fleet.workers[id], worker.slot < fleet.size,
                    !fleet.workers.values.contains(where: { $0.slot == worker.slot && $0.phase == .ready })
                {
                    violations.append("drained without a successor")
                }
                if case .prepare(let number) = message, workers[id]?.told.insert(number).inserted == false {
                    violations.append("told of a generation twice")
                }
                workers[id]?.orders.append(message)
            case .kill(let id, _): isKilled.insert(id)
            case .closeListeners: break
            case .tell(.reloaded): openReloads -= 1
            case .tell: break
            case .exit(let code): exit = code
            }
        }

        mutating func check() {
            if fleet.generation < inForce { violations.append("the generation went down") }
            inForce = fleet.generation
            if fleet.isRenewing, fleet.renewal == nil { violations.append("renewals wait for nothing") }
            if exit == nil, fleet.nextDeadline <= now { violations.append("a deadline was passed over") }
            if openReloads < 0 || openReloads > 1 { violations.append("\(openReloads) reloads are open") }
            if (openReloads == 1) != fleet.isReloading { violations.append("a reload was not reported") }
            guard !isStopping else { return }
            for slot in 0..<fleet.size where !fleet.isCaredFor(slot) {
                violations.append("slot \(slot) is forgotten")
            }
        }

        /// The worker takes its next order.
        mutating func advance(_ id: Int) {
            guard var worker = workers[id], !worker.isHung, !isKilled.contains(id), !worker.orders.isEmpty else {
                return
            }
            var answers: [ControlMessage] = []
            var ends = false
            switch worker.orders.removeFirst() {
            case .prepare(let number):
                if worker.isReady, Int.random(in: 0..<20, using: &random) == 0 {
                    answers = [.refused(generation: number, reason: "no")]
                } else {
                    worker.prepared = number
                    answers = [.prepared(generation: number)]
                }
            case .commit(let number):
                if worker.prepared != number { violations.append("commit of what was not prepared") }
                if number < worker.generation { violations.append("a worker went back") }
                worker.prepared = nil
                worker.generation = number
                answers = [.committed(generation: number)]
                if !worker.isReady { answers.append(.ready(generation: number)) }
                worker.isReady = true
            case .abort(let number): if worker.prepared == number { worker.prepared = nil }
            case .poke, .open, .close, .lameDuck, .logLevel: break
            case .drain: worker.isDraining = true
            case .finish: ends = true
            case .prepared, .refused, .committed, .ready, .leaving, .drained:
                violations.append("an answer as an order")
            }
            workers[id] = worker
            for answer in answers { handle(.said(id, answer)) }
            if ends { end(id, .code(8)) }
        }

        mutating func end(_ id: Int, _ status: Shared.ExitStatus) {
            guard workers.removeValue(forKey: id) != nil else { return }
            isKilled.remove(id)
            handle(.exited(id, status, lost: Int.random(in: 0..<3, using: &random)))
        }

        mutating func step() {
            let ids = workers.keys.sorted()
            let id = ids.randomElement(using: &random)
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<60: if let id { advance(id) }
            case 60..<63: if let id { end(id, .signal(11)) }
            case 63..<64: if let id { workers[id]?.isHung = true }
            case 64..<67: if let id, workers[id]?.isReady == true { handle(.said(id, .leaving)) }
            case 67..<73: reapOne()
            case 73..<78:
                guard openReloads == 0, !isStopping else { return }
                openReloads = 1
                lastGeneration += 1
                handle(.reload(generation: lastGeneration))
            case 78..<80: handle(.resize(Int.random(in: 1...5, using: &random)))
            case 80..<82: if let id { handle(.broke(id, nil)) }
            case 82..<84: if let id { handle(.hung(id, silence: .seconds(10))) }
            case 84..<86:
                let slots = (0..<fleet.size).filter { _ in Bool.random(using: &random) }
                handle(.renew(slots, Bool.random(using: &random) ? .recycled : .replaced, reason: "walk"))
            case 86: upgrade()
            default:
                now = now + .milliseconds(Int.random(in: 1...1500, using: &random))
                handle(.clock)
            }
        }

        /// Another image takes over what this one has, as after an exec.
        mutating func upgrade() {
            guard !fleet.isReloading, !fleet.isRenewing, fleet.hasStarted, !isStopping else { return }
            let (workers, slots, size) = (fleet.sorted, fleet.slots, fleet.size)
            var next = Fleet(seed: random.next())
            next.timing = fleet.timing
            next.nextID = fleet.nextID
            fleet = next
            handle(.adopt(workers, slots: slots, workers: size, generation: inForce))
            handle(.renew(Array(0..<size), .replaced, reason: "upgraded"))
        }

        mutating func reapOne() {
            if let id = isKilled.sorted().first {
                end(id, .signal(9))
            } else if let id = workers.filter({ $0.value.isDraining }).keys.sorted().first {
                end(id, .code(0))
            }
        }

        /// No more faults: everybody answers, and time goes on.
        mutating func settle() {
            for _ in 0..<400 where exit == nil {
                for id in workers.keys.sorted() {
                    for _ in 0..<20 where workers[id]?.orders.isEmpty == false { advance(id) }
                }
                reapOne()
                now = now + .milliseconds(300)
                handle(.clock)
            }
        }
    }

    /// 500 walks by default; TAGWAY_WALKS asks for more.
    static let walks = ProcessInfo.processInfo.environment["TAGWAY_WALKS"].flatMap { Int($0) } ?? 500
    static let walksOfCase = 100

    /// Each case has the next seeds.
    @Test(arguments: stride(from: 1, through: walks, by: walksOfCase).map { $0 })
    func everyOrderOfEventsKeepsTheInvariants(_ first: Int) {
        for seed in first..<min(first + Self.walksOfCase, Self.walks + 1) { walk(seed) }
    }

    private func walk(_ seed: Int) {
        var world = World(seed: UInt64(seed))
        world.handle(.start(workers: 3, generation: 1))
        // A start that fails three times over ends; the walk is about what comes after it.
        world.settle()
        for _ in 0..<400 where world.exit == nil { world.step() }
        world.settle()
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations.prefix(3))")
        #expect(world.exit == nil, "seed \(seed)")
        #expect(world.fleet.readyCount == world.fleet.size, "seed \(seed)")
        #expect(world.fleet.workers.count == world.fleet.size, "seed \(seed)")
        #expect(!world.fleet.isReloading, "seed \(seed)")
        #expect(!world.fleet.isRenewing, "seed \(seed)")
        for worker in world.fleet.sorted {
            #expect(worker.generation == world.fleet.generation, "seed \(seed)")
            #expect(world.workers[worker.id]?.generation == worker.generation, "seed \(seed)")
        }
        world.isStopping = true
        world.handle(.stop)
        world.settle()
        #expect(world.exit == 0 || world.exit == ExitCode.cut, "seed \(seed)")
        #expect(world.violations.isEmpty, "seed \(seed): \(world.violations.prefix(3))")
    }
}
