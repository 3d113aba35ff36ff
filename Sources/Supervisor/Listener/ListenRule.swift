internal import Shared

/// Where to listen: what the command line says, else the configuration, else the sockets that the service manager has
/// opened, else 127.0.0.1:4000. Pure.
struct ListenRule: Equatable {
    /// As the command line says; nil: it says nothing.
    private let told: [[SocketAddress]]?
    private let otherwise: [[SocketAddress]]

    /// `activated`: what the service manager has opened. Throws for a word that is no address.
    init(_ options: ServeOptions, activated: [SocketAddress]) throws(Supervisor.StartFailure) {
        var addresses: [[SocketAddress]] = []
        for host in options.hosts.isEmpty ? ["127.0.0.1"] : options.hosts {
            guard let found = SocketAddress.addresses(of: host, port: options.port) else {
                throw Supervisor.StartFailure(
                    ExitCode.usage, "--host \(host) is no address; give an IPv4 or IPv6 address, localhost or *")
            }
            addresses.append(found)
        }
        told = options.isPortGiven || !options.hosts.isEmpty ? addresses : nil
        otherwise = activated.isEmpty ? addresses : [activated]
    }

    /// One list for each word; the first of a list is the one that cannot be done without.
    func addresses(_ configuration: Configuration) -> [[SocketAddress]] {
        told ?? configuration.process.listen?.compactMap(SocketAddress.listening) ?? otherwise
    }

    /// What a reload may change it to; nil: nothing, for the command line says where to listen.
    func changedAddresses(_ configuration: Configuration) -> [[SocketAddress]]? {
        told == nil ? addresses(configuration) : nil
    }

    /// Whether nobody but this machine can reach it.
    func isLoopback(_ configuration: Configuration) -> Bool {
        addresses(configuration).joined().allSatisfy(\.isLoopback)
    }

    /// Whether `tagway.listen` is of no effect, for the command line says something else.
    func overrules(_ configuration: Configuration) -> Bool {
        told != nil && configuration.process.listen != nil
    }
}
