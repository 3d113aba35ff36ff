internal import Shared

/// The name of an exchange, in `x-litellm-call-id` and in the log: the client's own where it sent one, else a
/// random UUID (RFC 9562 version 4). Pure.
enum CallID {
    /// Longest value taken from a client.
    static let limit = 128

    /// Appends the id to `buffer`; answers where it lies.
    static func append(
        to buffer: ByteBuffer, sent: Range<Int>?, _ bytes: [UInt8], using random: inout some RandomNumberGenerator
    ) {
        if let sent, !sent.isEmpty, sent.count <= limit, bytes[sent].allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            buffer.append(bytes, sent)
            return
        }
        let high = random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        buffer.append(uuid: high, low)
    }
}
