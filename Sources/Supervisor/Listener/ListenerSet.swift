internal import Shared

/// The listening sockets: bound once, kept for the supervisor's whole life, lent to every worker.
///
/// One socket per address, shared by all workers, so that a worker's death or hang never strands a connection in a
/// queue of its own. It carries SO_REUSEPORT, for a later binary or another socket beside it; that this would also
/// let a second supervisor of the same user in is what `probe` is for.
struct ListenerSet {
    struct Listener {
        let address: SocketAddress
        let socket: DescriptorBox
        var origin = Origin.bound
        /// What the service manager calls the copy that we gave it.
        var storedAs: String?

        /// Whether the service manager has a copy, in which connections wait for our successor.
        var isKept: Bool { origin == .systemd || storedAs != nil }

        /// Has the kernel complete no further ones, unless they are our successor's. `isGone`: it has no successor either,
        /// but for a socket that the manager has opened.
        func refuseConnections(isGone: Bool = false) {
            if !isKept || isGone && storedAs != nil { Socket.ignoreNewConnections(socket.number) }
        }
    }

    /// Where a socket comes from.
    enum Origin: String {
        case bound
        /// Opened by the service manager.
        case systemd
    }

    private(set) var listeners: [Listener] = []
    /// Addresses of this machine that could not be used, though every address was asked for.
    private(set) var skipped: [String] = []
    /// What the service manager still keeps, though nobody listens on it any more.
    private(set) var outdated: [String] = []

    /// What the kernel keeps of connections that nobody has accepted yet, if net.core.somaxconn allows.
    static let backlog: Int32 = 4096

    struct BindError: Error, Equatable {
        let address: String
        let error: SystemError
        /// Was handed to us, and is not what we were told to listen on.
        var isUnwanted = false
        /// The listener of ours that has its port.
        var holder: String?

        static let inUse: Int32 = 98
        static let denied: Int32 = 13

        var message: String {
            switch error.code {
            case _ where isUnwanted: "the inherited socket \(address) is none of the addresses to listen on"
            case Self.inUse where holder != nil:
                "\(address) is in use, by our listener \(holder ?? "") or by another process; a restart can change it"
            case Self.inUse: "\(address) is in use by another process"
            case Self.denied: "no permission to listen on \(address)"
            default: "cannot listen on \(address): \(error)"
            }
        }

        var exitCode: Int32 { error.code == Self.denied ? ExitCode.permission : ExitCode.unavailable }
    }

    /// Binds one socket for each address. Where port 0 asks the kernel to choose, all get the same port.
    ///
    /// An IPv6 address that stands for a word (`*`, `localhost`) is left out on a machine without IPv6.
    ///
    /// `inherited` sockets are used where they have a wanted address. One that has not is an error, unless it was stored
    /// by ourselves, when we were told otherwise.
    init(binding hosts: [[SocketAddress]], inherited: [Listener] = []) throws(BindError) {
        var chosen: UInt16 = 0
        let wanted = Set(hosts.joined())
        outdated = inherited.filter { !wanted.contains($0.address) }.compactMap(\.storedAs)
        if let other = inherited.first(where: { $0.storedAs == nil && !wanted.contains($0.address) }) {
            throw BindError(
                address: "\(other.address)", error: SystemError(call: "LISTEN_FDS", code: 0), isUnwanted: true)
        }
        let left = Set(
            inherited.filter { $0.storedAs != nil && !wanted.contains($0.address) }.compactMap(\.address.port))
        for addresses in hosts { try add(addresses, from: inherited, &chosen, besides: left) }
    }

    private mutating func add(
        _ addresses: [SocketAddress], from open: [Listener], _ chosen: inout UInt16, besides left: Set<UInt16> = []
    ) throws(BindError) {
        for (index, wanted) in addresses.enumerated() {
            if let given = open.first(where: { $0.address == wanted }) {
                listeners.append(given)
                continue
            }
            let address = wanted.port == 0 ? wanted.with(port: chosen) : wanted
            do throws(SystemError) {
                // What the service manager still keeps of ours, `*` beside 127.0.0.1 for example, is no other supervisor.
                if !left.contains(address.port ?? 0) { try Self.probe(address) }
                let listener = try Self.bind(address)
                chosen = listener.address.port ?? chosen
                listeners.append(listener)
            } catch {
                guard index > 0, Self.noSuchFamily.contains(error.code) else {
                    throw BindError(address: "\(address)", error: error)
                }
                skipped.append("\(address)")
            }
        }
    }

    /// The set that listens on other addresses: sockets of addresses that stay are the same, those of new ones are
    /// bound, those of addresses that are not wanted any more are not closed yet.
    func changed(to hosts: [[SocketAddress]]) throws(BindError) -> ListenerSet {
        var next = ListenerSet(adopting: [])
        var chosen: UInt16 = 0
        do throws(BindError) {
            for addresses in hosts { try next.add(addresses, from: listeners, &chosen) }
        } catch {
            // `*` and one of the addresses that it stands for cannot be had at once, nor one before the other.
            guard error.error.code == BindError.inUse,
                let own = listeners.first(where: { error.address.hasSuffix(":\($0.address.port ?? 0)") })
            else { throw error }
            throw BindError(address: "\(error.address)", error: error.error, holder: "\(own.address)")
        }
        next.outdated = outdated + listeners.filter { !next.has($0.address) }.compactMap(\.storedAs)
        return next
    }

    func has(_ address: SocketAddress) -> Bool {
        listeners.contains { $0.address == address }
    }

    /// Sockets that are open already, whatever their addresses.
    init(adopting listeners: [Listener]) {
        self.listeners = listeners
    }

    /// EAFNOSUPPORT, EADDRNOTAVAIL.
    private static let noSuchFamily: Set<Int32> = [97, 99]

    private static func bind(_ address: SocketAddress) throws(SystemError) -> Listener {
        let socket = try Socket.stream(for: address)
        try Socket.set(.reuseAddress, to: 1, on: socket.number)
        try Socket.set(.reusePort, to: 1, on: socket.number)
        if case .ipv6 = address { try Socket.set(.onlyIPv6, to: 1, on: socket.number) }
        try Socket.bind(socket, to: address)
        try Socket.listen(socket, backlog: backlog)
        return Listener(address: try Socket.localAddress(socket.number), socket: DescriptorBox(socket))
    }

    /// Fails with EADDRINUSE when anybody listens there: without SO_REUSEPORT nobody is let in beside another.
    private static func probe(_ address: SocketAddress) throws(SystemError) {
        guard address.port != 0 else { return }
        let socket = try Socket.stream(for: address)
        try Socket.set(.reuseAddress, to: 1, on: socket.number)
        if case .ipv6 = address { try Socket.set(.onlyIPv6, to: 1, on: socket.number) }
        try Socket.bind(socket, to: address)
    }

    /// Gives the service manager a copy of each socket that it has none of, as far as it takes them, and takes back those
    /// that nobody wants any more.
    mutating func store(in manager: ServiceManager) {
        for name in outdated { manager.forget(name) }
        outdated = []
        var left = manager.storeSize - listeners.count { $0.storedAs != nil }
        for index in listeners.indices where left > 0 && !listeners[index].isKept {
            let name = InheritedSockets.storedName(of: listeners[index].address)
            guard manager.store(listeners[index].socket, as: name) else { continue }
            listeners[index].storedAs = name
            left -= 1
        }
    }

    var isLoopback: Bool { listeners.allSatisfy { $0.address.isLoopback } }

    var port: UInt16 { listeners.first?.address.port ?? 0 }

    /// Lets go of all sockets; the workers' copies live on until what is queued is accepted.
    mutating func close() {
        for listener in listeners { listener.refuseConnections() }
        listeners = []
    }

    /// What the kernel allows at most, where that is less than `backlog`; listen(2).
    static func smallerBacklog() -> Int? {
        guard case .success(let bytes) = File.read("/proc/sys/net/core/somaxconn", limit: 64) else { return nil }
        let digits = bytes.prefix { ASCII.isDigit($0) }
        guard let most = Int(String(decoding: digits, as: UTF8.self)), most < backlog else { return nil }
        return most
    }
}
