internal import CLinux
internal import Glibc

/// The streams that a process is born with and writes to.
public enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// What a pipe takes in one piece, never mixed with what other processes write; pipe(7) PIPE_BUF.
    public static let wholePiece = 4096

    /// Writes all of `bytes[range]`, in one write(2) where the kernel lets it. An error is dropped: there is no
    /// other place to report it to.
    public func write(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        var position = range.lowerBound
        while position < range.upperBound {
            let count = unsafe bytes.withUnsafeBytes { raw -> Int in
                guard let base = raw.baseAddress else { return 0 }
                return unsafe Glibc.write(rawValue, base + position, range.upperBound - position)
            }
            if count > 0 {
                position += count
            } else if errno == EAGAIN {
                guard waitForRoom(milliseconds: 1000) else { return }
            } else if errno != EINTR {
                return
            }
        }
    }

    public func write(_ text: String) {
        let bytes = Array(text.utf8)
        write(bytes, 0..<bytes.count)
    }

    /// Whether `wholePiece` bytes can be written without waiting for whoever reads; poll(2).
    public var hasRoom: Bool { waitForRoom(milliseconds: 0) }

    /// Whether the stream goes to a file, which takes any length whole and makes nobody wait for a reader; fstat(2).
    public var isFile: Bool {
        var status = stat()
        return unsafe fstat(rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Whether the stream is a terminal: the only place for colour.
    public var isTerminal: Bool { isatty(rawValue) == 1 }

    private func waitForRoom(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: rawValue, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) == 1
    }
}
