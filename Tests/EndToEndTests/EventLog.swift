import Foundation
import Synchronization

/// A file of JSON lines that grows: read on from where the last look ended.
final class EventLog: Sendable {
    let file: URL

    private struct State {
        var position: UInt64 = 0
        var rest = Data()
        nonisolated(unsafe) var events: [[String: Any]] = []
    }

    private let state = Mutex(State())

    init(_ file: URL) {
        self.file = file
    }

    /// Every line that is a JSON object.
    var all: [[String: Any]] {
        state.withLock { state in
            Self.readOn(&state, file)
            nonisolated(unsafe) let events = state.events
            return events
        }
    }

    func named(_ name: String) -> [[String: Any]] {
        all.filter { $0["event"] as? String == name }
    }

    var text: String { (try? String(contentsOf: file, encoding: .utf8)) ?? "" }

    private static func readOn(_ state: inout State, _ file: URL) {
        guard let handle = try? FileHandle(forReadingFrom: file) else { return }
        defer { try? handle.close() }
        guard (try? handle.seek(toOffset: state.position)) != nil, let new = try? handle.readToEnd(), !new.isEmpty
        else { return }
        state.position += UInt64(new.count)
        state.rest += new
        guard let end = state.rest.lastIndex(of: 0x0A) else { return }
        for line in state.rest[...end].split(separator: 0x0A) {
            if let event = (try? JSONSerialization.jsonObject(with: Data(line))) as? [String: Any] {
                state.events.append(event)
            }
        }
        state.rest = Data(state.rest[state.rest.index(after: end)...])
    }
}
