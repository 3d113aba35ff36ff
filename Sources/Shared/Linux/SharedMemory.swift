internal import CLinux
internal import Glibc
internal import Synchronization

/// Memory that several processes map; memfd_create(2), mmap(2). Zero at birth, pages exist once written to.
///
/// Readers and writers take care of order themselves: a store of 8 aligned bytes is never seen half done.
@safe public final class SharedMemory {
    public let descriptor: DescriptorBox
    public let size: Int
    private let base: UnsafeMutableRawPointer

    /// New memory of `size` bytes.
    public convenience init(named name: String, size: Int) throws(SystemError) {
        let number = unsafe name.withCString { unsafe memfd_create($0, CLINUX_MFD_CLOEXEC) }
        guard number >= 0 else { throw .last("memfd_create") }
        let descriptor = DescriptorBox(FileDescriptor(owning: number))
        guard ftruncate(number, size) == 0 else { throw .last("ftruncate") }
        try self.init(mapping: descriptor)
    }

    /// The memory behind a descriptor that another process has handed over.
    public init(mapping descriptor: DescriptorBox) throws(SystemError) {
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else { throw .last("fstat") }
        let size = Int(status.st_size)
        guard size > 0 else { throw SystemError(call: "mmap", code: EINVAL) }
        let mapped = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, 0)
        guard let mapped = unsafe mapped, unsafe mapped != MAP_FAILED else { throw .last("mmap") }
        self.descriptor = descriptor
        self.size = size
        unsafe base = mapped
    }

    deinit {
        unsafe munmap(base, size)
    }

    /// The mapping itself, for what is laid out in it; valid while this object lives.
    public var pointer: UnsafeMutableRawPointer { unsafe base }

    @inline(__always)
    public func load(_ offset: Int) -> Int64 {
        precondition(offset >= 0 && offset <= size - 8 && offset & 7 == 0, "outside of the shared memory")
        return unsafe base.load(fromByteOffset: offset, as: Int64.self)
    }

    @inline(__always)
    public func store(_ value: Int64, _ offset: Int) {
        precondition(offset >= 0 && offset <= size - 8 && offset & 7 == 0, "outside of the shared memory")
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: Int64.self)
    }

    /// For the one writer of a counter: readers in other processes see the old value or the new one.
    @inline(__always)
    public func add(_ value: Int64, _ offset: Int) {
        store(load(offset) &+ value, offset)
    }

    // MARK: Numbers that several processes change

    /// The number at `offset` as an atomic one, in place: `Atomic<Int64>` is its 8 aligned bytes and nothing else.
    @inline(__always)
    private func withAtomic<Result>(_ offset: Int, _ body: (borrowing Atomic<Int64>) -> Result) -> Result {
        precondition(offset >= 0 && offset <= size - 8 && offset & 7 == 0, "outside of the shared memory")
        return body(unsafe (base + offset).assumingMemoryBound(to: Atomic<Int64>.self).pointee)
    }

    @inline(__always)
    public func atomicLoad(_ offset: Int) -> Int64 {
        withAtomic(offset) { $0.load(ordering: .relaxed) }
    }

    public func atomicStore(_ value: Int64, _ offset: Int) {
        withAtomic(offset) { $0.store(value, ordering: .relaxed) }
    }

    /// Adds and answers the sum.
    @discardableResult @inline(__always)
    public func atomicAdd(_ value: Int64, _ offset: Int) -> Int64 {
        withAtomic(offset) { $0.wrappingAdd(value, ordering: .relaxed).newValue }
    }

    /// Replaces the number if it is still `expected`.
    @inline(__always)
    public func atomicReplace(_ expected: Int64, with value: Int64, _ offset: Int) -> Bool {
        withAtomic(offset) {
            $0.compareExchange(expected: expected, desired: value, ordering: .relaxed).exchanged
        }
    }

    /// Copies `bytes[range]` to `offset`.
    @inline(__always)
    public func store(_ bytes: [UInt8], _ range: Range<Int>, _ offset: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        precondition(offset >= 0 && range.count <= size - offset, "outside of the shared memory")
        unsafe bytes.withUnsafeBytes { raw in
            guard let source = raw.baseAddress else { return }
            unsafe (base + offset).copyMemory(from: source + range.lowerBound, byteCount: range.count)
        }
    }

    /// A copy of `count` bytes from `offset` on.
    public func bytes(_ offset: Int, _ count: Int) -> [UInt8] {
        precondition(offset >= 0 && count >= 0 && count <= size - offset, "outside of the shared memory")
        return unsafe [UInt8](UnsafeRawBufferPointer(start: base + offset, count: count))
    }

    /// Neither the compiler nor the processor moves loads and stores across it.
    public static func fence() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    public func clear(_ offset: Int, _ count: Int) {
        precondition(offset >= 0 && count >= 0 && count <= size - offset, "outside of the shared memory")
        unsafe memset(base + offset, 0, count)
    }
}

/// Bytes too large for a message, handed over as a file that nobody can change any more; fcntl(2) F_ADD_SEALS.
public enum SealedBytes {
    public static func make(named name: String, _ bytes: [UInt8]) throws(SystemError) -> DescriptorBox {
        let flags = CLINUX_MFD_CLOEXEC | CLINUX_MFD_ALLOW_SEALING
        let number = unsafe name.withCString { unsafe memfd_create($0, flags) }
        guard number >= 0 else { throw .last("memfd_create") }
        let descriptor = DescriptorBox(FileDescriptor(owning: number))
        var position = 0
        while position < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw -> Int in
                guard let base = raw.baseAddress else { return 0 }
                return unsafe write(number, base + position, bytes.count - position)
            }
            guard count > 0 else { throw .last("write") }
            position += count
        }
        guard clinux_fcntl(number, CLINUX_F_ADD_SEALS, Int(CLINUX_SEAL_ALL)) == 0 else { throw .last("fcntl") }
        return descriptor
    }

    /// How many they are.
    public static func count(_ descriptor: DescriptorBox) throws(SystemError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor.number, &status) == 0 else { throw .last("fstat") }
        return Int(status.st_size)
    }

    /// All of them.
    public static func read(_ descriptor: DescriptorBox) throws(SystemError) -> [UInt8] {
        try read(descriptor, 0..<count(descriptor))
    }

    /// Some of them, wherever other readers of the same file stand; pread(2). They are in memory: nobody waits.
    public static func read(_ descriptor: DescriptorBox, _ range: Range<Int>) throws(SystemError) -> [UInt8] {
        precondition(range.lowerBound >= 0, "before the beginning")
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { room, filled in
            while filled < range.count, failure == nil {
                guard let base = room.baseAddress else { break }
                let count = unsafe pread(
                    descriptor.number, base + filled, range.count - filled, off_t(range.lowerBound + filled))
                if count > 0 { filled += count }
                if count < 0 { failure = .last("pread") }
                // The end comes too early.
                if count == 0 { failure = SystemError(call: "pread", code: ENODATA) }
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
