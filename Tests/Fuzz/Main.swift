import Glibc

/// `tagway-fuzz TARGET [libFuzzer's arguments]`.
@main struct Main {
    static func main() {
        var arguments = CommandLine.arguments
        guard arguments.count > 1, let chosen = FuzzTarget(rawValue: arguments.remove(at: 1)) else {
            print("usage: tagway-fuzz TARGET …; a target is one of")
            for target in FuzzTarget.allCases { print("  \(target.rawValue)") }
            exit(64)
        }
        target = chosen
        var count = CInt(arguments.count)
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        pointers.withUnsafeMutableBufferPointer { buffer in
            var start = buffer.baseAddress
            exit(runDriver(&count, &start, testOneInput))
        }
    }
}

/// libFuzzer runs everything on one thread.
nonisolated(unsafe) private var target = FuzzTarget.json

private func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do throws(FuzzFailure) {
        try target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(target.rawValue): \(error)")
    }
    return 0
}

/// FuzzerInterface of LLVM, "Using libFuzzer as a library".
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ entry: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
