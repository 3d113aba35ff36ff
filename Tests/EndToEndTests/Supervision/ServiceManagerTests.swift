import Foundation
import Testing

extension Supervision {
    /// What whoever started us is told, and what our own children are given.
    @Suite struct ServiceManagerTests {
        @Test("62. sd_notify: ready, reload good and bad, stop, in order", arguments: [false, true])
        func transcript(isAbstract: Bool) throws {
            let manager = try FakeManager(isAbstract: isAbstract)
            let gateway = try SupervisedGateway(
                Supervision.configuration(), environment: ["NOTIFY_SOCKET": manager.address, "FDSTORE": "1"])
            #expect(manager.next() == ["FDSTORE=1", "FDNAME=listener-127.0.0.1-\(gateway.port)"])
            #expect(
                manager.next() == ["READY=1", "MAINPID=\(gateway.processID)", "STATUS=2/2 workers, generation 1"])
            for isGood in [true, false] {
                try gateway.write(isGood ? Supervision.configuration(extra: "other") : "model_list: 3\n")
                let asked = monotonicSeconds()
                gateway.signal(SIGHUP)
                let reloading = manager.next()
                #expect(reloading.first == "RELOADING=1")
                let stamp = reloading.first { $0.hasPrefix("MONOTONIC_USEC=") }.flatMap { Double($0.dropFirst(15)) }
                let seconds = try #require(stamp) / 1e6
                #expect(seconds >= asked - 0.001 && seconds <= monotonicSeconds())
                let after = manager.next()
                #expect(after.first == "READY=1")
                if isGood {
                    #expect(after.last == "STATUS=2/2 workers, generation 2")
                } else {
                    #expect(after.last?.hasPrefix("STATUS=reload failed: ") == true, "\(after)")
                }
            }
            gateway.signal(SIGTERM)
            #expect(manager.next().first == "STOPPING=1")
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        @Test("63. WATCHDOG=1 comes at least twice in WATCHDOG_USEC, and not from a supervisor that is stopped")
        func watchdog() throws {
            let manager = try FakeManager(isAbstract: false)
            let gateway = try SupervisedGateway(
                Supervision.configuration(), environment: ["NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "600000"])
            func signs(for seconds: Double) -> [Double] {
                var times: [Double] = []
                let until = monotonicSeconds() + seconds
                while monotonicSeconds() < until {
                    if manager.receive(within: 0.05).contains("WATCHDOG=1") { times.append(monotonicSeconds()) }
                }
                return times
            }
            let alive = signs(for: Supervision.pick(1.4, 10))
            var gaps = zip(alive, alive.dropFirst()).map { $1 - $0 }.sorted()
            if gaps.isEmpty { gaps = [.infinity] }
            gateway.signal(SIGSTOP)
            _ = signs(for: 0.2)
            let stopped = signs(for: 0.7)
            gateway.signal(SIGCONT)
            let again = signs(for: 0.7)
            figure("every \(Int(gaps[gaps.count / 2] * 1000)) ms of 600 ms, at most \(Int(gaps.last! * 1000)) ms")
            #expect(alive.count >= 4)
            // A busy machine may hold up one of them.
            #expect(gaps[gaps.count / 2] <= 0.3)
            #expect(stopped.isEmpty)
            #expect(!again.isEmpty)
        }

        /// As s6 starts a service: the number of a pipe's end on the command line.
        @Test func aDescriptorIsToldWhenAllWorkersServe() throws {
            let directory = try SupervisedGateway.makeDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            try Data(Supervision.configuration().utf8).write(to: directory.appendingPathComponent("config.yaml"))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            let serve = "serve --config config.yaml --port 0 --workers 1 --run-dir run"
            process.arguments = [
                "-c", "exec 9>&1 >log 2>&1; exec \"$0\" \(serve) --ready-fd 9", SupervisedGateway.executable.path,
            ]
            process.currentDirectoryURL = directory
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            defer { kill(process.processIdentifier, SIGKILL) }
            // To its end: neither the supervisor nor a worker has it open any longer.
            #expect(pipe.fileHandleForReading.readDataToEndOfFile() == Data("\n".utf8))
            let log = try String(contentsOf: directory.appendingPathComponent("log"), encoding: .utf8)
            #expect(log.contains(#""event":"ready""#))
            process.terminate()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }

        @Test func aDescriptorThatIsNotOpenIsAMistakeOfTheCommandLine() throws {
            let (status, output) = try SupervisedGateway.run(["serve", "--config", "/nonexistent", "--ready-fd", "900"])
            #expect(status == 64)
            #expect(output.contains("--ready-fd: descriptor 900: Bad file descriptor"))
        }

        @Test("67. A worker has descriptors 0, 1, 2, its channel, listeners, scoreboard and its own, and hands none on")
        func descriptorAudit() throws {
            let gateway = try SupervisedGateway(Supervision.configuration(), workers: 2)
            for worker in try gateway.workers() {
                let targets = try descriptors(of: worker)
                var own = targets.filter { $0.key > 2 }.map(\.value)
                func take(_ prefix: String) -> Int {
                    defer { own.removeAll { $0.hasPrefix(prefix) } }
                    return own.count { $0.hasPrefix(prefix) }
                }
                // Control channel and one listener.
                #expect(take("socket:") == 2, "\(targets)")
                #expect(take("/memfd:tagway-scoreboard") == 1, "\(targets)")
                // The configuration that it serves with, from which it reads a deployment when it needs it.
                #expect(take("/memfd:generation-") == 1, "\(targets)")
                #expect(take("anon_inode:[eventpoll]") == 1, "\(targets)")
                #expect(take("anon_inode:[signalfd]") == 1, "\(targets)")
                // What ends a wait of its loop at the next deadline.
                #expect(take("anon_inode:[timerfd]") == 1, "\(targets)")
                // The bell of its resolver, if it has one.
                #expect(take("anon_inode:[eventfd]") <= 1, "\(targets)")
                #expect(own.isEmpty, "\(own)")
                for number in targets.keys where number > 2 {
                    let info = try String(contentsOfFile: "/proc/\(worker)/fdinfo/\(number)", encoding: .utf8)
                    let flags = info.split(separator: "\n").first { $0.hasPrefix("flags:") }?.split(separator: "\t")
                    let value = try #require(flags?.last.flatMap { Int($0, radix: 8) })
                    // O_CLOEXEC: whatever a worker starts gets none of them.
                    #expect(value & 0o2000000 != 0, "\(number): \(targets[number] ?? "")")
                }
                #expect(try WorkerMemory(worker).threads <= 2)
            }
        }

        @Test("68. Workers know nothing of our manager, and no secret stands in a command line or a status")
        func environmentAudit() throws {
            let manager = try FakeManager(isAbstract: false)
            let gateway = try SupervisedGateway(
                Supervision.configuration(),
                environment: [
                    "NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "30000000", "LISTEN_FDS": "0",
                    "LISTEN_FDNAMES": "x", "LISTEN_PID": "1", "FDSTORE": "0",
                ])
            let (_, status) = try gateway.control("status", "--json")
            let (_, text) = try gateway.control("status")
            for one in try gateway.workers() + [gateway.processID] {
                let arguments = try String(contentsOfFile: "/proc/\(one)/cmdline", encoding: .utf8)
                #expect(!arguments.contains("sk-"))
                guard one != gateway.processID else { continue }
                let environment = try String(contentsOfFile: "/proc/\(one)/environ", encoding: .utf8)
                for name in ["NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "FDSTORE"] {
                    #expect(!environment.contains(name))
                }
            }
            for output in [status, text, gateway.log] { #expect(!output.contains("sk-")) }
        }
    }
}

/// A service manager's end of sd_notify(3).
private final class FakeManager {
    let address: String
    private let socket: Int32
    private let directory: URL

    struct CannotListen: Error { let code: Int32 }

    init(isAbstract: Bool) throws {
        directory = try SupervisedGateway.makeDirectory()
        let name = isAbstract ? "tagway-\(UUID().uuidString)" : directory.appendingPathComponent("notify").path
        address = isAbstract ? "@\(name)" : name
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: (isAbstract ? [0] : []) + Array(name.utf8)) }
        let length = isAbstract ? 2 + 1 + name.utf8.count : MemoryLayout<sockaddr_un>.size
        let result = withUnsafePointer(to: &target) { [socket] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, socklen_t(length)) }
        }
        guard result == 0 else { throw CannotListen(code: errno) }
    }

    deinit {
        close(socket)
        try? FileManager.default.removeItem(at: directory)
    }

    /// The lines of the next message; none when there is none in time.
    func receive(within seconds: Double) -> [String] {
        var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(seconds * 1e6) % 1_000_000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var room = [UInt8](repeating: 0, count: 4096)
        let count = recv(socket, &room, room.count, 0)
        guard count > 0 else { return [] }
        return String(decoding: room[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The next message that says more than a status.
    func next() -> [String] {
        while true {
            let lines = receive(within: 10)
            if lines.count != 1 { return lines }
        }
    }
}
