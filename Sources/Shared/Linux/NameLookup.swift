internal import CLinux
internal import Glibc
internal import Synchronization

/// Asks getaddrinfo(3) on a thread of its own, for it blocks. The thread is made with the first question and knows
/// nothing but this queue; answers are announced through an eventfd(2) that an event loop can watch.
package final class NameLookup: Sendable {
    package struct Answer: Sendable {
        package let name: String
        /// Empty when the name cannot be resolved.
        package let addresses: [SocketAddress]
        /// Why not; gai_strerror(3).
        package let reason: String
    }

    private struct Queue: ~Copyable {
        var questions: [String] = []
        var answers: [Answer] = []
        var isRunning = false
    }

    private let queue = Mutex(Queue())
    private let asked: Int32
    private let answered: Int32

    package init() throws(SystemError) {
        asked = eventfd(0, Int32(CLINUX_O_CLOEXEC))
        guard asked >= 0 else { throw .last("eventfd") }
        answered = eventfd(0, Int32(CLINUX_O_CLOEXEC) | Int32(O_NONBLOCK))
        guard answered >= 0 else { throw .last("eventfd") }
    }

    /// Turns readable when there are answers.
    package var descriptor: Int32 { answered }

    /// Asks for the addresses of `name`. At most 1024 questions wait; more are answered with none at once.
    package func ask(_ name: String) throws(SystemError) {
        let (start, isFull) = queue.withLock { queue in
            guard queue.questions.count < 1024 else { return (false, true) }
            queue.questions.append(name)
            defer { queue.isRunning = true }
            return (!queue.isRunning, false)
        }
        if isFull { throw SystemError(call: "getaddrinfo", code: EAGAIN) }
        if start { try startThread() }
        signal(asked)
    }

    /// What was found since the last call.
    package func takeAnswers() -> [Answer] {
        var count: UInt64 = 0
        _ = unsafe read(answered, &count, 8)
        return queue.withLock { queue in
            defer { queue.answers = [] }
            return queue.answers
        }
    }

    private func startThread() throws(SystemError) {
        var thread = pthread_t()
        let own = unsafe Unmanaged.passRetained(self).toOpaque()
        let code = unsafe pthread_create(
            &thread, nil,
            { own in
                guard let own = unsafe own else { return nil }
                // Lives as long as the process.
                unsafe Unmanaged<NameLookup>.fromOpaque(own).takeRetainedValue().work()
                return nil
            }, own)
        guard code == 0 else {
            queue.withLock { $0.isRunning = false }
            throw SystemError(call: "pthread_create", code: code)
        }
        pthread_detach(thread)
    }

    private func work() {
        while true {
            var count: UInt64 = 0
            _ = unsafe read(asked, &count, 8)
            while let name = queue.withLock({ $0.questions.isEmpty ? nil : $0.questions.removeFirst() }) {
                let answer = Self.resolve(name)
                queue.withLock { $0.answers.append(answer) }
                signal(answered)
            }
        }
    }

    private func signal(_ number: Int32) {
        var one: UInt64 = 1
        _ = unsafe write(number, &one, 8)
    }

    private static func resolve(_ name: String) -> Answer {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else {
            return Answer(name: name, addresses: [], reason: unsafe String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = unsafe list
        while let current = unsafe entry {
            if let raw = unsafe current.pointee.ai_addr,
                let address = unsafe SocketAddress(storage: raw, length: Int(current.pointee.ai_addrlen)),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            unsafe entry = current.pointee.ai_next
        }
        return Answer(name: name, addresses: addresses, reason: "no address")
    }
}

extension SocketAddress {
    package func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let bytes, _, let scope): .ipv6(bytes, port: port, scope: scope)
        case .unix: self
        }
    }
}
