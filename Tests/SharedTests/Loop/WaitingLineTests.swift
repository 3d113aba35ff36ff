import Testing

@testable import Shared

@Suite struct WaitingLineTests {
    @Test func whoCameFirstIsServedFirst() {
        var line = WaitingLine<Int>()
        var next = 0
        var served = 0
        // Never empty: the places of those that were served are used again all the same.
        for round in 0..<20_000 {
            for _ in 0...(round % 3 == 0 ? 1 : 0) {
                line.append(next)
                next += 1
            }
            #expect(line.removeFirst() == served)
            served += 1
            #expect(line.count == next - served)
        }
        while !line.isEmpty {
            #expect(line.removeFirst() == served)
            served += 1
        }
        #expect(served == next && line.count == 0)
        line.append(-1)
        #expect(line.count == 1 && line.removeFirst() == -1)
    }
}
