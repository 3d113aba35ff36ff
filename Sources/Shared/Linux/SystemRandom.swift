internal import CLinux

/// Random bits of the kernel; getrandom(2). For seeds, not for each number.
public enum SystemRandom {
    public static func seed() -> UInt64 {
        var value: UInt64 = 0
        let count = unsafe withUnsafeMutableBytes(of: &value) { unsafe clinux_getrandom($0.baseAddress, $0.count) }
        // Only a kernel that is still booting has none; time differs between processes well enough then.
        return count == MemoryLayout<UInt64>.size ? value : UInt64(bitPattern: Clock.now().nanoseconds)
    }
}
