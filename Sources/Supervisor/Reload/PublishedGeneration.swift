internal import Shared

/// What a worker is told of one generation.
struct PublishedGeneration {
    /// Sealed memory.
    let configuration: DescriptorBox
    let listeners: ListenerSet

    init(_ number: UInt64, _ encoded: [UInt8], _ listeners: ListenerSet) throws(SystemError) {
        self.init(try SealedBytes.make(named: "generation-\(number)", encoded), listeners)
    }

    init(_ configuration: DescriptorBox, _ listeners: ListenerSet) {
        self.configuration = configuration
        self.listeners = listeners
    }
}
