import Foundation
import Testing

extension Supervision {
    /// As process 1, within limits of the kernel, and with sockets that somebody else has opened.
    @Suite struct ContainerTests {
        /// A gateway that is process 1 of a namespace of its own, and its number outside of that.
        private func first() throws -> (gateway: SupervisedGateway, supervisor: Int32) {
            let gateway = try SupervisedGateway(
                Supervision.configuration(),
                launcher: [
                    "/usr/bin/unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc",
                ])
            let path = "/proc/\(gateway.processID)/task/\(gateway.processID)/children"
            let child = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ").first
            return (gateway, try #require(child.flatMap { Int32($0) }))
        }

        private func children(of process: Int32) throws -> [Int32] {
            try String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
                .split(separator: " ").compactMap { Int32($0) }
        }

        @Test(
            "41. 1,000 orphans of a process 1: no zombie is left after 2 s, and deaths of workers are told as such",
            .enabled(if: SupervisedGateway.canMount))
        func orphans() throws {
            let (gateway, supervisor) = try first()
            let script = "i=0; while [ $i -lt 1000 ]; do (sleep 0.2 & ) ; i=$((i+1)); done"
            let made = try SupervisedGateway.run(
                "/usr/bin/env",
                ["nsenter", "-t", "\(supervisor)", "-U", "-p", "--preserve-credentials", "sh", "-c", script])
            #expect(made.status == 0, "\(made.output)")
            let worker = try #require(try children(of: supervisor).first)
            kill(worker, SIGKILL)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-exit").count == 1 })
            #expect(gateway.events("worker-exit").first?["reason"] as? String == "signal")
            let begun = monotonicSeconds()
            #expect(waitUntil(seconds: 10) { ((try? children(of: supervisor).count) ?? 0) == 2 })
            figure("two children left \(Int((monotonicSeconds() - begun) * 1000)) ms after the last was made")
            #expect(monotonicSeconds() - begun < Supervision.pick(10, 2))
            kill(supervisor, SIGTERM)
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        @Test(
            "65. As process 1, HUP, TTIN and TERM act, and the exit status is ours",
            .enabled(if: SupervisedGateway.canMount))
        func signals() throws {
            let (gateway, supervisor) = try first()
            #expect(gateway.events("start").first?["pid"] as? Int == 1)
            try gateway.write(Supervision.configuration(extra: "other"))
            kill(supervisor, SIGHUP)
            #expect(waitUntil(seconds: 10) { gateway.events("reload").first?["result"] as? String == "ok" })
            kill(supervisor, SIGTTIN)
            #expect(waitUntil(seconds: 10) { gateway.events("worker-ready").count == 3 })
            #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("other")).status == 200)
            kill(supervisor, SIGTERM)
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        /// A memory cgroup of ours; nil where we may not make one.
        private static let group: URL? = {
            let files = FileManager.default
            let isSecond = files.fileExists(atPath: "/sys/fs/cgroup/cgroup.controllers")
            let parent = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
            let group = URL(fileURLWithPath: "\(parent)/tagway-test-\(getpid())")
            guard (try? files.createDirectory(at: group, withIntermediateDirectories: false)) != nil else { return nil }
            let limit = group.appendingPathComponent(isSecond ? "memory.max" : "memory.limit_in_bytes")
            guard (try? Data("314572800".utf8).write(to: limit)) != nil else {
                rmdir(group.path)
                return nil
            }
            return group
        }()

        @Test(
            "42. A worker killed by the memory limit of its cgroup: the log says so, the others go on",
            .enabled(if: group != nil))
        func memoryLimit() throws {
            let group = try #require(Self.group)
            defer { _ = waitUntil(seconds: 5) { rmdir(group.path) == 0 } }
            let script = "echo $$ > \(group.path)/cgroup.procs && exec \"$@\""
            let gateway = try SupervisedGateway(
                Supervision.configuration(), environment: try Faults.environment(),
                launcher: ["/bin/sh", "-c", script, "sh"])
            let worker = try gateway.workers()[1]
            kill(worker, Faults.swells)
            #expect(waitUntil(seconds: 30) { !gateway.events("worker-exit").isEmpty })
            let exit = try #require(gateway.events("worker-exit").first)
            #expect(exit["worker"] as? Int == Int(worker))
            #expect(exit["out_of_memory"] as? Bool == true)
            #expect((exit["detail"] as? String ?? "").contains("memory"), "\(exit)")
            for _ in 0..<20 {
                #expect(try PlainClient(port: gateway.port).exchange(PlainClient.chat("quick")).status == 200)
            }
            figure("\(exit["detail"] as? String ?? "")")
            gateway.signal(SIGTERM)
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        @Test(
            "8. LISTEN_FDS: a socket that matches is used, one that does not ends the start with 69",
            arguments: [false, true])
        func inheritedSockets(hasStranger: Bool) throws {
            let directory = try SupervisedGateway.makeDirectory()
            defer { try? FileManager.default.removeItem(at: directory) }
            let note = directory.appendingPathComponent("socket")
            // As a service manager: opens the sockets, says whose they are, becomes the program.
            let script = """
                import os, socket, sys
                first, port, stranger = socket.socket(), int(sys.argv[2]), socket.socket()
                first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                first.bind(("127.0.0.1", port)); first.listen(128)
                stranger.bind(("127.0.0.1", 0)); stranger.listen(1)
                with open(sys.argv[1], "w") as note: note.write(f"{os.fstat(first.fileno()).st_ino} {stranger.getsockname()[1]}")
                a, b = os.dup(first.fileno()), os.dup(stranger.fileno())
                os.dup2(a, 3); os.dup2(b, 4)
                count = int(sys.argv[3])
                for number in range(3 + count, 20):
                    try: os.close(number)
                    except OSError: pass
                for number in range(3, 3 + count): os.set_inheritable(number, True)
                os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
                os.execv(sys.argv[4], sys.argv[4:])
                """
            let port = StartTests.freePort()
            let launcher = ["/usr/bin/env", "python3", "-c", script, note.path, "\(port)", hasStranger ? "2" : "1"]
            if hasStranger {
                let file = directory.appendingPathComponent("config.yaml")
                try Data(Supervision.configuration().utf8).write(to: file)
                let (status, output) = try SupervisedGateway.run(
                    launcher[0],
                    launcher.dropFirst() + [
                        SupervisedGateway.executable.path, "serve", "--config", file.path, "--port", "\(port)",
                        "--run-dir", directory.path,
                    ])
                let named = try String(contentsOf: note, encoding: .utf8).split(separator: " ")
                #expect(status == 69)
                #expect(output.contains("127.0.0.1:\(named[1])"), "\(output)")
                return
            }
            let gateway = try SupervisedGateway(Supervision.configuration(), port: port, launcher: launcher)
            let inode = try String(contentsOf: note, encoding: .utf8).split(separator: " ")[0]
            #expect(gateway.events("listening").first?["origin"] as? String == "systemd")
            for process in try gateway.workers() + [gateway.processID] {
                #expect(try descriptors(of: process).values.contains("socket:[\(inode)]"))
            }
            #expect(try PlainClient(port: port).exchange(PlainClient.chat("quick")).status == 200)
        }
    }
}
