import Shared

/// Checks that the events of a stream come in the order of their numbers, none missing or doubled, and that the stream
/// ends as it should. Pure.
struct EventNumbers {
    /// How many came in order; the number of the next.
    private(set) var next = 0
    private(set) var isDone = false
    private var line: [UInt8] = []
    private var fault: String?

    private static let data = Array("data: ".utf8)
    private static let done = Array("data: [DONE]".utf8)
    private static let error = Array(#""error""#.utf8)
    private static let content = Array(#""content":"n"#.utf8)

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == ASCII.lineFeed {
                takeLine()
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(byte)
            }
        }
    }

    private mutating func takeLine() {
        guard line.starts(with: Self.data) else { return }
        if line.starts(with: Self.done) {
            isDone = true
        } else if let start = line.firstRange(of: Self.content)?.upperBound {
            let digits = line[start...].prefix { $0 >= 0x30 && $0 <= 0x39 }
            let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            if number == next, !isDone {
                next += 1
            } else {
                fail(number < next ? "event-doubled" : "event-missing")
            }
        } else if line.firstRange(of: Self.error) != nil {
            fail("error-event")
        }
    }

    private mutating func fail(_ kind: String) {
        fault = fault ?? kind
    }

    /// What was wrong with a stream that has ended; nil when nothing was.
    var problem: String? { fault ?? (isDone ? nil : "no-end") }
    /// Whether the gateway said that it cuts the stream.
    var wasTold: Bool { fault == "error-event" }
}
