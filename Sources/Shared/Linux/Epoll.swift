internal import CLinux
internal import Glibc

/// The kernel's list of descriptors to watch; epoll(7). Every registration carries a number of the caller's.
public struct Epoll: ~Copyable {
    private let descriptor: FileDescriptor
    private var events: [clinux_event]

    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        public static let readable = Interest(rawValue: CLINUX_EPOLLIN)
        public static let writable = Interest(rawValue: CLINUX_EPOLLOUT)
        public static let peerClosed = Interest(rawValue: CLINUX_EPOLLRDHUP)
        public static let error = Interest(rawValue: CLINUX_EPOLLERR)
        public static let hangUp = Interest(rawValue: CLINUX_EPOLLHUP)
        public static let edgeTriggered = Interest(rawValue: CLINUX_EPOLLET)
        /// Wakes one of several processes that watch the same descriptor.
        public static let exclusive = Interest(rawValue: CLINUX_EPOLLEXCLUSIVE)
    }

    public init(eventsPerWait: Int = 256) throws(SystemError) {
        let number = epoll_create1(CLINUX_O_CLOEXEC)
        guard number >= 0 else { throw .last("epoll_create1") }
        descriptor = FileDescriptor(owning: number)
        events = [clinux_event](repeating: clinux_event(), count: eventsPerWait)
    }

    public func add(_ number: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        let result = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_ADD, number, interest.rawValue, token)
        guard result == 0 else { throw .last("epoll_ctl(ADD)") }
    }

    /// Refused (EINVAL) for a registration made with `.exclusive`: remove and add that one.
    public func change(_ number: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        let result = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_MOD, number, interest.rawValue, token)
        guard result == 0 else { throw .last("epoll_ctl(MOD)") }
    }

    /// Closing the last copy of a descriptor removes it too.
    public func remove(_ number: Int32) {
        _ = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_DEL, number, 0, 0)
    }

    /// Waits for events, at most `milliseconds` (-1: for ever); how many there are. Interrupted counts as none.
    public mutating func wait(milliseconds: Int32) -> Int {
        let number = descriptor.number
        let count = unsafe events.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_epoll_wait(number, buffer.baseAddress, Int32(buffer.count), milliseconds)
        }
        return max(0, Int(count))
    }

    /// The `index`th event of the last wait.
    public func event(_ index: Int) -> (token: UInt64, ready: Interest) {
        let event = events[index]
        return (event.token, Interest(rawValue: event.ready))
    }
}
