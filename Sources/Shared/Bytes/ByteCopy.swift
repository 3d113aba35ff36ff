/// Moves and copies inside byte arrays at the speed of memmove(3).
///
/// `Array.replaceSubrange` with equal lengths and element loops cost 5 to 20 times as much for the bodies that
/// pass here, and neither can copy within one array. Both functions check their ranges before they touch memory.
extension [UInt8] {
    /// Copies `range` to index 0; the ranges may overlap.
    package mutating func moveToFront(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside of the array")
        unsafe withUnsafeMutableBytes { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// Copies `range` of `source` over the bytes from `position` on, which must exist already.
    package mutating func copy(_ source: [UInt8], _ range: Range<Int>, to position: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= source.count, "range outside of the source")
        precondition(position >= 0 && range.count <= count - position, "no room for the copy")
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[position...])
                unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
            }
        }
    }
}

extension StaticString {
    /// The text as bytes; allocates, so it is for constants that are made once.
    package var bytes: [UInt8] {
        withUTF8Buffer { unsafe [UInt8]($0) }
    }

    func withBytes(_ body: ([UInt8]) -> Void) {
        body(bytes)
    }
}
