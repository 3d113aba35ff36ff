/// What the command line asks for. Pure.
struct LoadOptions: Sendable {
    var port: UInt16 = 0
    var key = ""
    /// Kept-alive connections, and requests a second over all of them.
    var kept = 0
    var rate = 0
    /// Requests a second, each over a new connection.
    var fresh = 0
    var streams = 0
    /// Of a thousand requests over kept-alive connections, those behind which the client closes and connects anew.
    var turnover = 0
    var seconds = 86_400
    /// Seconds that anything may take: a connect, an answer, the next event of a stream.
    var patience = 5
    /// Of the upstream: events of a stream, milliseconds between two, and before a whole answer.
    var events = 600
    var pause = 100
    var delay = 0

    /// Whether all of it was understood.
    mutating func read(_ words: ArraySlice<String>) -> Bool {
        var words = words
        while let name = words.popFirst() {
            guard let value = words.popFirst() else { return false }
            if name == "--key" {
                key = value
                continue
            }
            guard let number = Int(value), number >= 0 else { return false }
            switch name {
            case "--port": port = UInt16(clamping: number)
            case "--kept": kept = number
            case "--rate": rate = number
            case "--fresh": fresh = number
            case "--streams": streams = number
            case "--turnover": turnover = number
            case "--seconds": seconds = number
            case "--patience": patience = number
            case "--events": events = number
            case "--pause": pause = number
            case "--delay": delay = number
            default: return false
            }
        }
        return true
    }
}
