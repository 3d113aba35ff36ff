import Testing

@testable import Shared
@testable import tagway

@Suite struct ListenerSetTests {
    private func bind(_ host: String, port: UInt16 = 0) throws -> ListenerSet {
        try ListenerSet(binding: [try #require(SocketAddress.addresses(of: host, port: port))])
    }

    @Test(arguments: [
        ("127.0.0.1", ["127.0.0.1:80"]), ("::1", ["[::1]:80"]), ("[::1]", ["[::1]:80"]),
        ("localhost", ["127.0.0.1:80", "[::1]:80"]), ("*", ["0.0.0.0:80", "[::]:80"]),
    ])
    func wordsStandForAddresses(_ host: String, _ expected: [String]) {
        #expect(SocketAddress.addresses(of: host, port: 80)?.map(\.description) == expected)
    }

    @Test(arguments: ["example.com", "", "1.2.3", "127.0.0.1:80"])
    func namesAreNoAddresses(_ host: String) {
        #expect(SocketAddress.addresses(of: host, port: 80) == nil)
    }

    @Test func theKernelPicksAPortAndBothFamiliesShareIt() throws {
        let set = try bind("localhost")
        #expect(set.port != 0)
        #expect(set.isLoopback)
        #expect(Set(set.listeners.map { $0.address.port }) == [set.port])
        #expect(set.listeners.count + set.skipped.count == 2)
    }

    @Test func connectionsAreAcceptedThroughACopy() throws {
        let set = try bind("127.0.0.1")
        let copy = try set.listeners[0].socket.duplicate()
        let client = try Socket.stream(for: set.listeners[0].address)
        _ = try Socket.connect(client, to: set.listeners[0].address)
        #expect(try Socket.accept(copy.number) != nil)
    }

    @Test func aPortInUseIsRefusedThoughTheKernelWouldLetUsIn() throws {
        let first = try bind("127.0.0.1")
        #expect(throws: ListenerSet.BindError.self) { try bind("127.0.0.1", port: first.port) }
        do throws(ListenerSet.BindError) {
            _ = try ListenerSet(binding: [[first.listeners[0].address]])
        } catch {
            #expect(error.message == "127.0.0.1:\(first.port) is in use by another process")
            #expect(error.exitCode == ExitCode.unavailable)
        }
    }

    @Test func aPortIsFreeAgainOnceItsListenersAreClosed() throws {
        var first = try bind("127.0.0.1")
        let port = first.port
        first.close()
        #expect(try bind("127.0.0.1", port: port).port == port)
    }

    @Test func anAddressOfAnotherMachineIsRefused() {
        do throws(ListenerSet.BindError) {
            _ = try ListenerSet(binding: [SocketAddress.addresses(of: "192.0.2.1", port: 0) ?? []])
            Issue.record("bound an address of documentation")
        } catch {
            #expect(error.message.hasPrefix("cannot listen on 192.0.2.1:0"))
        }
    }
}
