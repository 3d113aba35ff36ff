import Testing

@testable import Shared
@testable import tagway

@Suite struct ListenRuleTests {
    private func listens(
        _ change: (inout ServeOptions) -> Void = { _ in }, activated: [SocketAddress] = [], configured: [String]? = nil
    ) throws -> [String] {
        var options = ServeOptions()
        change(&options)
        var configuration = Configuration()
        configuration.process.listen = configured
        return try ListenRule(options, activated: activated).addresses(configuration).joined().map(\.description)
    }

    @Test func theCommandLineCountsBeforeTheConfigurationAndThatBeforeTheManager() throws {
        let given = try #require(SocketAddress(host: "127.0.0.1", port: 80))
        #expect(try listens() == ["127.0.0.1:4000"])
        #expect(try listens(activated: [given]) == ["127.0.0.1:80"])
        #expect(try listens(activated: [given], configured: ["[::1]:81"]) == ["[::1]:81"])
        #expect(try listens({ $0.hosts = ["::1"] }, activated: [given], configured: ["*:81"]) == ["[::1]:4000"])
        let port: (inout ServeOptions) -> Void = {
            $0.port = 82
            $0.isPortGiven = true
        }
        #expect(try listens(port, configured: ["*:81"]) == ["127.0.0.1:82"])
    }

    @Test func aWordThatIsNoAddressIsAMistakeOfUse() throws {
        #expect(throws: Supervisor.StartFailure.self) { try listens { $0.hosts = ["example.com"] } }
    }

    @Test func whatIsReachableFromElsewhereIsNotLoopback() throws {
        let rule = try ListenRule(ServeOptions(), activated: [])
        var configuration = Configuration()
        #expect(rule.isLoopback(configuration) && !rule.overrules(configuration))
        configuration.process.listen = ["127.0.0.1:1", "192.0.2.1:1"]
        #expect(!rule.isLoopback(configuration) && !rule.overrules(configuration))
        var options = ServeOptions()
        options.isPortGiven = true
        #expect(try ListenRule(options, activated: []).overrules(configuration))
    }

    @Test func socketsOfAddressesThatStayAreTheSame() throws {
        let first = try ListenerSet(binding: [SocketAddress.addresses(of: "127.0.0.1", port: 0) ?? []])
        let kept = first.listeners[0]
        let free = try ListenerSet(binding: [SocketAddress.addresses(of: "127.0.0.1", port: 0) ?? []]).listeners[0]
            .address
        let second = try first.changed(to: [[kept.address], [free]])
        #expect(second.listeners.map(\.address) == [kept.address, free])
        #expect(second.listeners[0].socket.number == kept.socket.number)
        let third = try second.changed(to: [[free]])
        #expect(third.listeners.map(\.socket.number) == [second.listeners[1].socket.number])
        #expect(throws: ListenerSet.BindError.self) {
            let other = try Socket.stream(for: kept.address)
            try Socket.bind(other, to: try #require(SocketAddress(host: "127.0.0.1", port: 0)))
            try Socket.listen(other, backlog: 1)
            _ = try first.changed(to: [[kept.address], [try Socket.localAddress(other.number)]])
        }
    }
}
