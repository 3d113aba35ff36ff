internal import Shared

/// Listening sockets that a service manager has opened for us, or kept since an earlier process gave it copies;
/// sd_listen_fds(3), without its library.
struct InheritedSockets {
    struct One {
        let number: Int32
        let name: String

        /// Given to the manager by an earlier process of ours.
        var isStored: Bool { name.hasPrefix(InheritedSockets.storedPrefix) }
    }

    private static let storedPrefix = "listener-"

    /// What the manager is to call its copy of a listener. A colon separates names there. Pure.
    static func storedName(of address: SocketAddress) -> String {
        storedPrefix + String("\(address)".map { $0 == ":" ? "-" : $0 })
    }

    static let first: Int32 = 3

    /// What the environment says of them; empty unless it speaks of this process. Pure.
    static func announced(_ environment: [String: String], process: Int32) -> [One] {
        guard environment["LISTEN_PID"] == "\(process)", let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }),
            (1...64).contains(count)
        else { return [] }
        let names = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        return (0..<count).map { index in
            One(number: first + index, name: Int(index) < names.count ? String(names[Int(index)]) : "")
        }
    }

    /// Takes them over. They stay the manager's: closing ours leaves its copy open.
    static func take(_ announced: [One]) throws(ListenerSet.BindError) -> [ListenerSet.Listener] {
        var listeners: [ListenerSet.Listener] = []
        for one in announced {
            let socket = DescriptorBox(FileDescriptor(owning: one.number))
            do throws(SystemError) {
                try Socket.adopt(one.number)
                let address = try Socket.localAddress(one.number)
                listeners.append(
                    ListenerSet.Listener(
                        address: address, socket: socket, origin: .systemd, storedAs: one.isStored ? one.name : nil))
            } catch {
                throw ListenerSet.BindError(address: "inherited socket \(one.number) \(one.name)", error: error)
            }
        }
        return listeners
    }
}
