import Testing

@testable import Shared
@testable import tagway

@Suite struct InheritedSocketsTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let environment: [String: String]
        let numbers: [Int32]
        let names: [String]
    }

    @Test(arguments: [
        Case(testDescription: "nothing", environment: [:], numbers: [], names: []),
        Case(
            testDescription: "two with names",
            environment: ["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "tagway:listener-[--1]-80"],
            numbers: [3, 4], names: ["tagway", "listener-[--1]-80"]),
        Case(
            testDescription: "without names", environment: ["LISTEN_PID": "7", "LISTEN_FDS": "1"], numbers: [3],
            names: [""]),
        Case(
            testDescription: "for another process", environment: ["LISTEN_PID": "8", "LISTEN_FDS": "1"], numbers: [],
            names: []),
        Case(
            testDescription: "no number", environment: ["LISTEN_PID": "7", "LISTEN_FDS": "x"], numbers: [], names: []),
        Case(
            testDescription: "less than none", environment: ["LISTEN_PID": "7", "LISTEN_FDS": "-1"], numbers: [],
            names: []),
    ])
    func whatTheEnvironmentAnnounces(_ c: Case) {
        let announced = InheritedSockets.announced(c.environment, process: 7)
        #expect(announced.map(\.number) == c.numbers)
        #expect(announced.map(\.name) == c.names)
    }

    /// systemd takes no colon and no control character in a name.
    @Test func aStoredNameIsKnownAgain() throws {
        let address = try #require(SocketAddress(host: "::1", port: 4000))
        let name = InheritedSockets.storedName(of: address)
        #expect(name == "listener-[--1]-4000")
        #expect(InheritedSockets.One(number: 3, name: name).isStored)
        #expect(!InheritedSockets.One(number: 3, name: "tagway").isStored)
    }

    private func bound(storedAs name: String?, origin: ListenerSet.Origin = .systemd) throws -> ListenerSet.Listener {
        let wanted = try #require(SocketAddress.addresses(of: "127.0.0.1", port: 0))
        var listener = try ListenerSet(binding: [wanted]).listeners[0]
        listener.origin = origin
        listener.storedAs = name
        return listener
    }

    @Test func aWantedOneIsUsed() throws {
        let given = try bound(storedAs: "listener-a")
        let set = try ListenerSet(binding: [[given.address]], inherited: [given])
        #expect(set.listeners.map(\.socket.number) == [given.socket.number])
        #expect(set.outdated.isEmpty)
    }

    @Test func oneThatTheManagerOpenedAndNobodyWantsIsAnError() throws {
        let given = try bound(storedAs: nil)
        do throws(ListenerSet.BindError) {
            _ = try ListenerSet(binding: [SocketAddress.addresses(of: "127.0.0.1", port: 0) ?? []], inherited: [given])
            Issue.record("left it unused")
        } catch {
            #expect(error.message == "the inherited socket \(given.address) is none of the addresses to listen on")
            #expect(error.exitCode == ExitCode.unavailable)
        }
    }

    /// We were told to listen elsewhere since: nobody has to empty the store by hand.
    @Test func oneThatWeStoredAndNobodyWantsIsOutdated() throws {
        let given = try bound(storedAs: "listener-a")
        let set = try ListenerSet(
            binding: [SocketAddress.addresses(of: "127.0.0.1", port: 0) ?? []], inherited: [given])
        #expect(set.outdated == ["listener-a"])
        #expect(set.listeners.map(\.origin) == [.bound])
    }

    /// The service manager still has it while we bind.
    @Test func oneThatOverlapsWhatWeStoredIsBoundBesideIt() throws {
        let given = try bound(storedAs: "listener-a")
        let everywhere = try #require(SocketAddress(host: "0.0.0.0", port: given.address.port ?? 0))
        let set = try ListenerSet(binding: [[everywhere]], inherited: [given])
        #expect(set.listeners.map(\.address) == [everywhere])
        #expect(throws: ListenerSet.BindError.self) { try ListenerSet(binding: [[everywhere]]) }
    }

    /// A successor inherits the very socket: what is done to it before its end would be done to the successor.
    @Test(arguments: [(nil, ListenerSet.Origin.bound, false), ("listener-a", .bound, true), (nil, .systemd, true)])
    func onlyWhatNobodyKeepsIsShutToNewConnections(
        _ storedAs: String?, _ origin: ListenerSet.Origin, _ isStillOpen: Bool
    ) throws {
        let listener = try bound(storedAs: storedAs, origin: origin)
        var set = ListenerSet(adopting: [listener])
        set.close()
        let client = try Socket.stream(for: listener.address)
        _ = try Socket.connect(client, to: listener.address)
        // On loopback the handshake is over when connect(2) returns, or its first packet was dropped.
        #expect((try Socket.accept(listener.socket.number) != nil) == isStillOpen)
        // Whoever takes it over opens it again.
        try Socket.adopt(listener.socket.number)
        let second = try Socket.stream(for: listener.address)
        _ = try Socket.connect(second, to: listener.address)
        #expect(try Socket.accept(listener.socket.number) != nil)
    }

    /// It is taken out of the store as well: nobody will serve what it would let in.
    @Test(arguments: [(nil, ListenerSet.Origin.bound, false), ("listener-a", .bound, false), (nil, .systemd, true)])
    func whatIsGoneForGoodIsShutUnlessTheManagerHasOpenedIt(
        _ storedAs: String?, _ origin: ListenerSet.Origin, _ isStillOpen: Bool
    ) throws {
        let listener = try bound(storedAs: storedAs, origin: origin)
        listener.refuseConnections(isGone: true)
        let client = try Socket.stream(for: listener.address)
        _ = try Socket.connect(client, to: listener.address)
        #expect((try Socket.accept(listener.socket.number) != nil) == isStillOpen)
    }

    /// Whoever keeps a set keeps its sockets open, but not those that it leaves.
    @Test func whatIsLeftAtAReloadIsKnownByNameOnly() throws {
        let first = try bound(storedAs: "listener-a", origin: .bound)
        let second = try bound(storedAs: nil, origin: .bound)
        let set = ListenerSet(adopting: [first, second])
        let next = try set.changed(to: [[second.address]])
        #expect(next.listeners.map(\.socket.number) == [second.socket.number])
        #expect(next.outdated == ["listener-a"])
    }

    @Test(arguments: [
        (["NOTIFY_SOCKET": "/x", "FDSTORE": "8"], 8), (["FDSTORE": "8"], 0), (["NOTIFY_SOCKET": "/x"], 0),
    ])
    func nothingIsStoredWhereNobodyKeepsIt(_ environment: [String: String], _ size: Int) {
        #expect(ServiceManager(environment: environment).storeSize == size)
    }
}
