internal import CLinux
internal import Glibc

/// The kernel's list of descriptors to watch; epoll(7). Every registration carries a number of the caller's.
package struct Epoll: ~Copyable {
    private let descriptor: FileDescriptor
    private var events: [clinux_event]

    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32

        package init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        package static let readable = Interest(rawValue: CLINUX_EPOLLIN)
        package static let writable = Interest(rawValue: CLINUX_EPOLLOUT)
        package static let peerClosed = Interest(rawValue: CLINUX_EPOLLRDHUP)
        package static let error = Interest(rawValue: CLINUX_EPOLLERR)
        package static let hangUp = Interest(rawValue: CLINUX_EPOLLHUP)
        package static let edgeTriggered = Interest(rawValue: CLINUX_EPOLLET)
        /// Wakes one of several processes that watch the same descriptor.
        package static let exclusive = Interest(rawValue: CLINUX_EPOLLEXCLUSIVE)
    }

    package init(eventsPerWait: Int = 256) throws(SystemError) {
        let number = epoll_create1(CLINUX_O_CLOEXEC)
        guard number >= 0 else { throw .last("epoll_create1") }
        descriptor = FileDescriptor(owning: number)
        events = [clinux_event](repeating: clinux_event(), count: eventsPerWait)
    }

    package func add(_ number: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        let result = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_ADD, number, interest.rawValue, token)
        guard result == 0 else { throw .last("epoll_ctl(ADD)") }
    }

    /// Refused (EINVAL) for a registration made with `.exclusive`: remove and add that one.
    package func change(_ number: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        let result = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_MOD, number, interest.rawValue, token)
        guard result == 0 else { throw .last("epoll_ctl(MOD)") }
    }

    /// Closing the last copy of a descriptor removes it too.
    package func remove(_ number: Int32) {
        _ = clinux_epoll_ctl(descriptor.number, EPOLL_CTL_DEL, number, 0, 0)
    }

    /// Waits for events, at most `milliseconds` (-1: for ever); how many there are. Interrupted counts as none.
    package mutating func wait(milliseconds: Int32) -> Int {
        let number = descriptor.number
        let count = unsafe events.withUnsafeMutableBufferPointer { buffer in
            unsafe clinux_epoll_wait(number, buffer.baseAddress, Int32(buffer.count), milliseconds)
        }
        return max(0, Int(count))
    }

    /// The `index`th event of the last wait.
    package func event(_ index: Int) -> (token: UInt64, ready: Interest) {
        let event = events[index]
        return (event.token, Interest(rawValue: event.ready))
    }
}
