internal import CLinux
internal import Glibc

/// An IPv4 or IPv6 address with a port, or the path of a Unix socket.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Address in network order.
    case ipv4(UInt32, port: UInt16)
    /// 16 bytes in network order and a scope (interface) number.
    case ipv6([UInt8], port: UInt16, scope: UInt32)
    case unix(path: String)

    /// A numeric address; `host` may be `127.0.0.1`, `::1` or `[::1]`, never a name. inet_pton(3).
    public init?(host: String, port: UInt16) {
        var text = host
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self = .ipv4(four.s_addr, port: port)
            return
        }
        var six = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        self = .ipv6(six, port: port, scope: 0)
    }

    /// From what the kernel or getaddrinfo(3) filled in; nil for families other than the three.
    init?(storage: UnsafeRawPointer, length: Int) {
        guard length >= MemoryLayout<sa_family_t>.size else { return nil }
        switch Int32(unsafe storage.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            let four = unsafe storage.loadUnaligned(as: sockaddr_in.self)
            self = .ipv4(four.sin_addr.s_addr, port: UInt16(bigEndian: four.sin_port))
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            let six = unsafe storage.loadUnaligned(as: sockaddr_in6.self)
            let bytes = unsafe withUnsafeBytes(of: six.sin6_addr) { unsafe [UInt8]($0) }
            self = .ipv6(bytes, port: UInt16(bigEndian: six.sin6_port), scope: six.sin6_scope_id)
        case AF_UNIX:
            self = .unix(path: "")
        default:
            return nil
        }
    }

    /// The addresses that a word stands for: an address, `localhost`, or `*` for every address of this machine, as IPv4
    /// and as IPv6. Nil for anything else; names are none.
    public static func addresses(of host: String, port: UInt16) -> [SocketAddress]? {
        let words: [String] =
            switch host {
            case "*": ["0.0.0.0", "::"]
            case "localhost": ["127.0.0.1", "::1"]
            default: [host]
            }
        var addresses: [SocketAddress] = []
        for word in words {
            guard let address = SocketAddress(host: word, port: port) else { return nil }
            addresses.append(address)
        }
        return addresses
    }

    /// The same for a word with a port behind it: `127.0.0.1:4000`, `[::1]:4000`, `*:4000`.
    public static func listening(_ text: String) -> [SocketAddress]? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        let host = String(text[..<colon])
        // Without brackets the end of an IPv6 address would be taken for the port.
        guard host.hasPrefix("[") || !host.contains(":") else { return nil }
        return addresses(of: host, port: port)
    }

    public var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port, _): port
        case .unix: nil
        }
    }

    /// 127.0.0.0/8, ::1 and Unix sockets: reachable from this machine only.
    public var isLoopback: Bool {
        switch self {
        case .ipv4(let address, _): UInt32(bigEndian: address) >> 24 == 127
        case .ipv6(let bytes, _, _): bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        case .unix: true
        }
    }

    /// `127.0.0.1:4000`, `[::1]:4000`, `unix:/path`.
    public var description: String {
        switch self {
        case .ipv4(let address, let port):
            let a = UInt32(bigEndian: address)
            return "\(a >> 24).\(a >> 16 & 255).\(a >> 8 & 255).\(a & 255):\(port)"
        case .ipv6(let bytes, let port, _):
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            _ = unsafe inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count))
            return "[\(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))]:\(port)"
        case .unix(let path):
            return "unix:\(path)"
        }
    }

    var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Lends the address in the kernel's form; unix(7), ip(7), ipv6(7). A path too long for it is cut, and the
    /// call it is meant for then fails.
    func withSocketAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var storage = sockaddr_storage()
        var length: Int
        switch self {
        case .ipv4(let address, let port):
            length = MemoryLayout<sockaddr_in>.size
            var four = sockaddr_in()
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            four.sin_addr.s_addr = address
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: four, as: sockaddr_in.self) }
        case .ipv6(let bytes, let port, let scope):
            length = MemoryLayout<sockaddr_in6>.size
            var six = sockaddr_in6()
            six.sin6_family = sa_family_t(AF_INET6)
            six.sin6_port = port.bigEndian
            six.sin6_scope_id = scope
            unsafe withUnsafeMutableBytes(of: &six.sin6_addr) { unsafe $0.copyBytes(from: bytes.prefix(16)) }
            unsafe withUnsafeMutableBytes(of: &storage) { unsafe $0.storeBytes(of: six, as: sockaddr_in6.self) }
        case .unix(let path):
            // "@name" is the abstract namespace: a leading zero byte, and the length has no terminator.
            var bytes = [UInt8](path.utf8.prefix(107))
            let isAbstract = bytes.first == 0x40
            if isAbstract { bytes[0] = 0 }
            length = 2 + bytes.count + (isAbstract ? 0 : 1)
            storage.ss_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &storage) { raw in
                for (index, byte) in bytes.enumerated() { unsafe raw[2 + index] = byte }
            }
        }
        return unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe body(pointer, socklen_t(length))
            }
        }
    }
}
