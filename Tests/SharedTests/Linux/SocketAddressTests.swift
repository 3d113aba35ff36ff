import Testing

@testable import Shared

@Suite struct SocketAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "0.0.0.0:80"), ("255.255.255.255", "255.255.255.255:80"),
        ("::1", "[::1]:80"), ("[::1]", "[::1]:80"), ("::", "[::]:80"), ("2001:DB8::0:1", "[2001:db8::1]:80"),
        ("::ffff:1.2.3.4", "[::ffff:1.2.3.4]:80"),
    ])
    func readsNumericAddresses(_ host: String, _ description: String) throws {
        let address = try #require(SocketAddress(host: host, port: 80))
        #expect(address.description == description)
        #expect(address.port == 80)
    }

    @Test(arguments: [
        "", "localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4x", ":", ":::", "[::1",
        "::1]", "[127.0.0.1", "12345::", "g::1", "1.2.3.4:80", "[::1]:80", "127.1",
    ])
    func refusesNamesAndWhatIsNone(_ host: String) {
        #expect(SocketAddress(host: host, port: 80) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.9", true), ("128.0.0.1", false), ("0.0.0.0", false), ("::1", true),
        ("::", false), ("::2", false), ("10.0.0.1", false), ("::ffff:127.0.0.1", false),
    ])
    func knowsWhatNobodyElseReaches(_ host: String, _ isLoopback: Bool) throws {
        #expect(try #require(SocketAddress(host: host, port: 1)).isLoopback == isLoopback)
    }

    @Test func unixSocketsHaveAPathAndNoPort() {
        let address = SocketAddress.unix(path: "/run/x.sock")
        #expect(address.description == "unix:/run/x.sock")
        #expect(address.port == nil)
        #expect(address.isLoopback)
    }

    /// In the kernel's form and back.
    @Test(arguments: ["1.2.3.4", "::1", "2001:db8::ff"])
    func theKernelsFormSaysTheSame(_ host: String) throws {
        let address = try #require(SocketAddress(host: host, port: 54321))
        let back = address.withSocketAddress { pointer, length in
            SocketAddress(storage: UnsafeRawPointer(pointer), length: Int(length))
        }
        #expect(back == address)
    }

    @Test func aCutKernelAddressIsNone() throws {
        let address = try #require(SocketAddress(host: "::1", port: 1))
        let back = address.withSocketAddress { pointer, _ in
            SocketAddress(storage: UnsafeRawPointer(pointer), length: 8)
        }
        #expect(back == nil)
    }
}
