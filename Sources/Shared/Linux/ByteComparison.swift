internal import Glibc

/// What the C library compares faster.
extension ByteSearch {
    /// Whether `count` bytes are the same in `left` from `start` on and in `right` from `other` on, without the question
    /// where they differ. memcmp(3) takes vectors as wide as the processor has, which this build does not know.
    @inline(__always)
    static func areSame(_ left: Span<UInt8>, at start: Int, _ right: Span<UInt8>, at other: Int, count: Int) -> Bool {
        precondition(
            start >= 0 && other >= 0 && count >= 0 && count <= left.count &- start && count <= right.count &- other,
            "range outside of the bytes")
        guard count >= 32 else {
            return commonLength(left, at: start, right, at: other, upTo: count) == count
        }
        return unsafe left.bytes.withUnsafeBytes { left in
            unsafe right.bytes.withUnsafeBytes { right in
                guard let one = left.baseAddress, let two = right.baseAddress else { return false }
                return unsafe memcmp(one + start, two + other, count) == 0
            }
        }
    }
}
