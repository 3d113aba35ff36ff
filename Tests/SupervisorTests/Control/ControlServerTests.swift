import Foundation
import Testing

@testable import Shared
@testable import tagway

@Suite struct ControlServerTests {
    private let path = FileManager.default.temporaryDirectory.appendingPathComponent(
        "tagway-test-\(UUID().uuidString.prefix(8)).sock"
    ).path
    private let now = Instant(nanoseconds: 1_000_000_000)

    private func connect() throws -> FileDescriptor {
        let address = SocketAddress.unix(path: path)
        let socket = try Socket.stream(for: address)
        _ = try Socket.connect(socket, to: address)
        return socket
    }

    private func send(_ text: String, _ socket: borrowing FileDescriptor) throws {
        let bytes = Array(text.utf8)
        _ = try Socket.send(socket.number, bytes, 0..<bytes.count)
    }

    @Test(arguments: ControlOptions.Action.allCases)
    func aRequestComesBackAsItWas(_ action: ControlOptions.Action) {
        let request = ControlRequest(action, waits: true)
        #expect(ControlRequest(Array(request.encoded().dropLast())) == request)
    }

    @Test func anAnswerComesBackAsItWas() {
        let answer = ControlAnswer(exit: 8, text: "two\nlines \"quoted\"")
        #expect(ControlAnswer(Array(answer.encoded().dropLast())) == answer)
        #expect(answer.encoded().count { $0 == 0x0A } == 1)
    }

    @Test(arguments: ["", "x", "[]", "{}", #"{"command":"dance"}"#, #"{"command":1}"#])
    func whatIsNoRequestIsNoRequest(_ line: String) {
        #expect(ControlRequest(Array(line.utf8)) == nil)
    }

    @Test func linesComeOutWholeHoweverTheyCameIn() throws {
        let server = try ControlServer(at: path)
        defer { server.remove() }
        let client = try connect()
        let id = try #require(server.accept(now: now).first)
        try send("{\"a\":", client)
        #expect(server.read(id, now: now).isEmpty)
        try send("1}\n{\"b\":2}\n{", client)
        #expect(server.read(id, now: now).map { String(decoding: $0, as: UTF8.self) } == ["{\"a\":1}", "{\"b\":2}"])
        server.answer(id, ControlAnswer(text: "yes"))
        let buffer = ByteBuffer(capacity: 64)
        _ = try buffer.receive(from: client.number)
        #expect(ControlAnswer(Array(buffer.storage[buffer.start..<buffer.end - 1]))?.text == "yes")
    }

    @Test func aRequestWithoutAnEndIsNotCollectedForEver() throws {
        let server = try ControlServer(at: path)
        defer { server.remove() }
        let client = try connect()
        let id = try #require(server.accept(now: now).first)
        try send(String(repeating: "x", count: 5000), client)
        _ = server.read(id, now: now)
        #expect(!server.hasClients)
    }

    @Test func thereAreSixteenClientsAndTheSilentOnesLeave() throws {
        let server = try ControlServer(at: path)
        defer { server.remove() }
        var clients: [DescriptorBox] = []
        for _ in 0..<16 { clients.append(DescriptorBox(try connect())) }
        #expect(server.accept(now: now) == Array(1...16))
        // The first waits for an answer; of the others the second was silent longest when one more came.
        server.promise(1)
        for id in 3...16 { _ = server.read(id, now: now + .seconds(1)) }
        let beyond = try connect()
        #expect(server.accept(now: now + .seconds(1)) == [17])
        #expect(server.descriptor(of: 2) == nil)
        let buffer = ByteBuffer(capacity: 64)
        #expect(try buffer.receive(from: clients[1].number) == .end)
        server.closeIdle(now: now + .seconds(12))
        #expect(server.descriptor(of: 1) != nil)
        #expect(server.descriptor(of: 3) == nil)
        // Who waits for an answer keeps the place.
        for id in 18...32 {
            clients.append(DescriptorBox(try connect()))
            #expect(server.accept(now: now + .seconds(12)) == [id])
            server.promise(id)
        }
        let refused = try connect()
        #expect(server.accept(now: now + .seconds(12)).isEmpty)
        #expect(try buffer.receive(from: refused.number) == .end)
        _ = beyond.number
    }

    @Test func onlyThisUserMayOpenTheSocket() throws {
        let server = try ControlServer(at: path)
        defer { server.remove() }
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        // What a supervisor that was killed has left behind is no obstacle.
        let second = try ControlServer(at: path)
        #expect(second.number >= 0)
    }

    // MARK: The run directory

    @Test(arguments: [
        ([:], "/tmp/tagway-7/4000"), (["XDG_RUNTIME_DIR": "/run/user/7"], "/run/user/7/tagway/4000"),
        (["RUNTIME_DIRECTORY": "/run/tagway:/run/other", "XDG_RUNTIME_DIR": "/x"], "/run/tagway"),
    ])
    func theRunDirectoryIsTheUsersOrTheServices(_ environment: [String: String], _ path: String) {
        #expect(RunDirectory.path(told: nil, port: 4000, environment: environment, user: 7) == path)
        #expect(RunDirectory.path(told: "/a", port: 4000, environment: environment, user: 7) == "/a")
    }

    @Test func aSecondSupervisorIsToldWhoHoldsTheLock() throws {
        let directory = path + ".d"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let first = try RunDirectory(taking: directory)
        do throws(RunDirectory.Failure) {
            _ = try RunDirectory(taking: directory)
            Issue.record("two hold one lock")
        } catch {
            guard case .held(let holder) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(holder == "process \(ProcessInfo.processInfo.processIdentifier)")
        }
        #expect(first.path == directory)
    }

    @Test func aPathThatIsTooLongForASocketIsRefused() {
        #expect(throws: RunDirectory.Failure.self) {
            _ = try RunDirectory(taking: "/tmp/" + String(repeating: "x", count: 100))
        }
    }
}
