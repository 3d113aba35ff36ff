/// The newest events, and who wants to see each one as it is written; for `tagway ctl events`.
final class EventTail {
    static let most = 200
    private(set) var lines: [[UInt8]] = []
    /// Clients of the control socket.
    var followers: [Int] = []
    /// Sends a line to a follower; false when it is gone.
    var send: ((Int, [UInt8]) -> Bool)?

    /// `line` ends with a newline.
    func add(_ line: [UInt8]) {
        lines.append(line)
        if lines.count > Self.most { lines.removeFirst(lines.count - Self.most) }
        guard !followers.isEmpty, let send else { return }
        followers.removeAll { !send($0, line) }
    }
}
