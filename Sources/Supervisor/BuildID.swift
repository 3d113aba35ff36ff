internal import Shared

/// Which build this is: the number that the linker has put into the executable; elf(5) NT_GNU_BUILD_ID.
enum BuildID {
    static let own = read(ChildProcess.ownImage)

    /// Of the executable at `path`; `unknown` where it has none.
    static func read(_ path: String) -> String {
        guard case .success(let bytes) = File.readBeginning(path, 16 << 10) else { return "unknown" }
        return find(bytes) ?? "unknown"
    }

    /// The note: lengths of name and value, type 3, the name `GNU`. Pure.
    static func find(_ bytes: [UInt8]) -> String? {
        let mark: [UInt8] = [4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4E, 0x55, 0]
        var position = 0
        while position + mark.count + 20 <= bytes.count {
            if bytes[position] == 4, bytes[position..<position + mark.count].elementsEqual(mark) {
                let value = bytes[position + mark.count..<position + mark.count + 20]
                return value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            }
            position += 4
        }
        return nil
    }
}
