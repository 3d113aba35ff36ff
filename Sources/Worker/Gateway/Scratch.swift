internal import Shared

/// What is needed to read an answer or an event for as long as that takes, which is never longer than a turn of the loop:
/// one for all exchanges, so that a thousand quiet ones hold none of it and it stays in the processor's cache.
///
/// Knows nothing of what is read. Whoever reads begins anew.
final class Scratch {
    /// What is kept of a buffer that a large event has needed.
    private static let mostKept = 64 * 1024

    var scanner = JSONScanner()
    /// Where the values of an event's `data` lines lie.
    var dataLines: [Range<Int>] = []
    /// Where the model's name goes in an event.
    var names: [Range<Int>] = []
    /// An event's data in one line; without white space; with LF at the end of each line.
    let joined = ByteBuffer(capacity: 0)
    let compacted = ByteBuffer(capacity: 0)
    let mended = ByteBuffer(capacity: 0)

    func shrink() {
        shrink(joined)
        shrink(compacted)
        shrink(mended)
    }

    private func shrink(_ buffer: ByteBuffer) {
        buffer.removeAll()
        buffer.shrink(to: Self.mostKept)
    }
}
