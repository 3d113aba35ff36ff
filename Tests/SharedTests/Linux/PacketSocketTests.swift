import Testing

@testable import Shared

@Suite struct PacketSocketTests {
    @Test func messagesKeepTheirBoundsAndCarryDescriptors() throws {
        let (ours, theirs) = try PacketSocket.pair()
        let other = PacketSocket(try theirs.duplicate())
        let blob = try SealedBytes.make(named: "test", [1, 2, 3])
        let more = try SealedBytes.make(named: "test", [4])
        #expect(try ours.send([10, 11], descriptors: [blob, more, blob]))
        #expect(try ours.send([12]))
        guard case .packet(let first) = try other.receive(), case .packet(let second) = try other.receive() else {
            Issue.record("two packets were sent")
            return
        }
        #expect(first.bytes == [10, 11])
        #expect(!first.isCut)
        #expect(try first.descriptors.map { try SealedBytes.read($0) } == [[1, 2, 3], [4], [1, 2, 3]])
        #expect(second.bytes == [12])
        #expect(second.descriptors.isEmpty)
        guard case .wouldBlock = try other.receive() else {
            Issue.record("nothing else was sent")
            return
        }
    }

    @Test func anEndThatIsGoneReadsAsTheEnd() throws {
        var pair: (PacketSocket, DescriptorBox)? = try PacketSocket.pair()
        let other = PacketSocket(try #require(pair).1.duplicate())
        pair = nil
        guard case .end = try other.receive() else {
            Issue.record("the other end is closed")
            return
        }
    }

    @Test func aFloodIsRefusedInsteadOfWaitedFor() throws {
        let (ours, theirs) = try PacketSocket.pair()
        let message = [UInt8](repeating: 7, count: 32 << 10)
        var sent = 0
        while sent < 1000, try ours.send(message) { sent += 1 }
        #expect(sent > 0 && sent < 1000)
        _ = theirs
    }
}
