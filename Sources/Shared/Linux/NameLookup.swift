internal import CLinux
internal import Glibc

/// Asks getaddrinfo(3) on a thread of its own, for it blocks.
///
/// Reference counts in this program are not atomic (`-assume-single-threaded`), so the thread touches nothing that is
/// counted: questions travel there and back as pointers through two pipes, and are read and freed on this side. The
/// thread is made with the first question; the pipe of answers can be watched by an event loop.
public final class NameLookup {
    public struct Answer: Sendable {
        public let name: String
        /// Empty when the name cannot be resolved.
        public let addresses: [SocketAddress]
        /// Why not; gai_strerror(3).
        public let reason: String
    }

    /// Memory of malloc(3), which belongs to the side that holds its pointer.
    @unsafe private struct Question {
        var name: UnsafeMutablePointer<CChar>
        var list: UnsafeMutablePointer<addrinfo>?
        var code: Int32
    }

    /// What the thread is told: its ends of the pipes.
    private struct Ends {
        var questions: Int32
        var answers: Int32
    }

    private let questions: (reading: DescriptorBox, writing: DescriptorBox)
    private let answers: (reading: DescriptorBox, writing: DescriptorBox)
    private var isRunning = false
    private var waiting = 0

    public init() throws(SystemError) {
        questions = try Pipe.make()
        answers = try Pipe.make()
        // The thread waits here.
        guard clinux_fcntl(questions.reading.number, F_SETFL, 0) == 0 else { throw .last("fcntl(F_SETFL)") }
    }

    /// Turns readable when there are answers.
    public var descriptor: Int32 { answers.reading.number }

    /// Asks for the addresses of `name`. At most 1024 questions wait; more are refused.
    public func ask(_ name: String) throws(SystemError) {
        guard waiting < 1024 else { throw SystemError(call: "getaddrinfo", code: EAGAIN) }
        if !isRunning { try startThread() }
        guard let copy = unsafe strdup(name) else { throw .last("strdup") }
        let question = UnsafeMutablePointer<Question>.allocate(capacity: 1)
        unsafe question.initialize(to: Question(name: copy, list: nil, code: 0))
        // Far less than a pipe holds, so that it goes at once and whole; pipe(7).
        unsafe Self.send(question, through: questions.writing.number)
        waiting += 1
    }

    /// What was found since the last call.
    public func takeAnswers() -> [Answer] {
        var found: [Answer] = []
        while let question = unsafe Self.receive(from: answers.reading.number) {
            unsafe found.append(Self.answer(question.pointee))
            if let list = unsafe question.pointee.list { unsafe freeaddrinfo(list) }
            unsafe free(question.pointee.name)
            unsafe question.deallocate()
            waiting -= 1
        }
        return found
    }

    private static func answer(_ question: Question) -> Answer {
        let name = unsafe String(cString: question.name)
        guard unsafe question.code == 0 else {
            return Answer(name: name, addresses: [], reason: unsafe String(cString: gai_strerror(question.code)))
        }
        var addresses: [SocketAddress] = []
        var entry = unsafe question.list
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

    // MARK: The thread

    private func startThread() throws(SystemError) {
        let own = UnsafeMutablePointer<Ends>.allocate(capacity: 1)
        unsafe own.initialize(to: Ends(questions: questions.reading.number, answers: answers.writing.number))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { own in
                // Nothing in here is counted: pointers, numbers and C functions.
                guard let own = unsafe own?.assumingMemoryBound(to: Ends.self) else { return nil }
                let ends = unsafe own.pointee
                unsafe own.deallocate()
                var hints = unsafe addrinfo()
                unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
                unsafe hints.ai_flags = AI_ADDRCONFIG
                while let question = unsafe NameLookup.receive(from: ends.questions) {
                    unsafe question.pointee.code = getaddrinfo(
                        question.pointee.name, nil, &hints, &question.pointee.list)
                    unsafe NameLookup.send(question, through: ends.answers)
                }
                return nil
            }, own)
        guard code == 0 else {
            unsafe own.deallocate()
            throw SystemError(call: "pthread_create", code: code)
        }
        pthread_detach(thread)
        isRunning = true
        // Lives as long as the process, and so do the pipes.
        unsafe _ = Unmanaged.passRetained(self)
    }

    private static func send(_ question: UnsafeMutablePointer<Question>, through number: Int32) {
        var pointer = unsafe question
        _ = unsafe write(number, &pointer, MemoryLayout.size(ofValue: pointer))
    }

    /// Nil at the end, or where none waits and the pipe does not block.
    private static func receive(from number: Int32) -> UnsafeMutablePointer<Question>? {
        var pointer: UnsafeMutablePointer<Question>?
        while true {
            let count = unsafe read(number, &pointer, MemoryLayout<UnsafeMutablePointer<Question>>.size)
            if count > 0 { return unsafe pointer }
            guard count < 0, errno == EINTR else { return nil }
        }
    }
}

extension SocketAddress {
    public func with(port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let address, _): .ipv4(address, port: port)
        case .ipv6(let bytes, _, let scope): .ipv6(bytes, port: port, scope: scope)
        case .unix: self
        }
    }
}
