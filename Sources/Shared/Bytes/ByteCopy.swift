/// Moves and copies inside byte arrays at the speed of memmove(3).
///
/// `Array.replaceSubrange` with equal lengths and element loops cost 5 to 20 times as much for the bodies that
/// pass here, and neither can copy within one array. Both functions check their ranges before they touch memory.
extension [UInt8] {
    /// Copies `range` to `position`, which is not after its start; the two may overlap.
    package mutating func move(_ range: Range<Int>, to position: Int) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside of the array")
        precondition(position >= 0 && position <= range.lowerBound, "moves go to the front")
        unsafe withUnsafeMutableBytes { bytes in
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[position...])
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
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

extension [UInt8] {
    /// Copies `text` over the bytes from `position` on, which must exist already.
    package mutating func copy(_ text: StaticString, to position: Int) {
        precondition(position >= 0 && text.utf8CodeUnitCount <= count - position, "no room for the copy")
        unsafe withUnsafeMutableBytes { target in
            text.withUTF8Buffer { text in
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[position...])
                unsafe room.copyMemory(from: UnsafeRawBufferPointer(text))
            }
        }
    }
}

extension StaticString {
    /// The text as bytes; allocates, so it is for constants that are made once.
    package var bytes: [UInt8] {
        withUTF8Buffer { unsafe [UInt8]($0) }
    }

    /// Whether the text stands in `bytes` at `position`, which the caller has checked to leave room for it.
    @inline(__always)
    func equals(_ bytes: [UInt8], at position: Int) -> Bool {
        withUTF8Buffer { text in
            for index in 0..<text.count where unsafe bytes[position + index] != text[index] { return false }
            return true
        }
    }
}
