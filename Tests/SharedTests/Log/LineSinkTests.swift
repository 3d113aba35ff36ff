import Testing

@testable import Shared

@Suite struct LineSinkTests {
    @Test func theTimeOfALineBeginsWhenItIsFirstSeen() throws {
        let sink = LineSink()
        let start = Instant(nanoseconds: 1_000_000_000)
        #expect(sink.due(start) == .never)
        let line = try #require(sink.nextLine())
        line.append(0x0A)
        let due = sink.due(start)
        #expect(due > start && due <= start + .milliseconds(10))
        try #require(sink.nextLine()).append(0x0A)
        #expect(sink.due(start + .milliseconds(3)) == due)
        sink.flush(at: start + .milliseconds(3))
        #expect(sink.due(start + .milliseconds(4)) == due)
        sink.flush(at: due)
        #expect(sink.due(due) == .never)
    }
}
