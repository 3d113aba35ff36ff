import Testing

@testable import Shared

@Suite struct ControlMessageTests {
    static let all: [ControlMessage] = [
        .prepare(generation: 1), .commit(generation: 2), .abort(generation: .init(Int.max)), .poke,
        .open(address: "[::1]:4000"), .close(address: "127.0.0.1:80"), .drain, .finish,
        .lameDuck, .logLevel(.debug),
        .prepared(generation: 0), .refused(generation: 3, reason: "tls: \"no\"\n\u{1F600}\\"),
        .committed(generation: 4), .ready(generation: 5), .leaving, .drained(cut: 7),
    ]

    @Test(arguments: all)
    func everyMessageComesBackAsItWas(_ message: ControlMessage) throws {
        #expect(try ControlMessage(message.encoded()) == message)
    }

    @Test(arguments: all)
    func aCutMessageIsRefused(_ message: ControlMessage) {
        let bytes = message.encoded()
        for count in 0..<bytes.count {
            #expect(throws: ControlMessage.ProtocolError.self) { try ControlMessage(Array(bytes[..<count])) }
        }
    }

    @Test(arguments: [
        #"{"v":2,"t":"poke"}"#, #"{"t":"poke"}"#, #"{"v":1}"#, #"{"v":1,"t":"dance"}"#, #"{"v":1,"t":"commit"}"#,
        #"{"v":1,"t":"commit","generation":-1}"#, #"{"v":1,"t":"commit","generation":"1"}"#, "[]", "poke", "",
        #"{"v":1,"t":"commit","generation":99999999999999999999}"#,
    ])
    func whatIsNoMessageIsRefused(_ text: String) {
        #expect(throws: ControlMessage.ProtocolError.self) { try ControlMessage(Array(text.utf8)) }
    }

    @Test func aLongReasonStillFitsAPacket() throws {
        let reason = String(repeating: "\u{1}", count: 100_000)
        let bytes = ControlMessage.refused(generation: 1, reason: reason).encoded()
        #expect(bytes.count < PacketSocket.largest)
        guard case .refused(1, let kept) = try ControlMessage(bytes) else {
            Issue.record("another message came back")
            return
        }
        #expect(kept.utf8.count == ControlMessage.longestReason)
    }

    @Test func aConfigurationTravelsWithItsMessage() throws {
        let (own, theirs) = try ControlChannel.pair()
        let worker = ControlChannel(PacketSocket(try theirs.duplicate()))
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let file = try SealedBytes.make(named: "generation", bytes)
        #expect(own.send(.prepare(generation: 9), with: file))
        guard case .message(.prepare(9), let received?) = worker.receive() else {
            Issue.record("no prepare with a configuration")
            return
        }
        #expect(try SealedBytes.read(received) == bytes)
        guard case .wouldBlock = worker.receive() else {
            Issue.record("more than one message")
            return
        }
    }

    @Test func theEndOfOneSideIsSeenByTheOther() throws {
        var pair: (ControlChannel, DescriptorBox)? = try ControlChannel.pair()
        let worker = ControlChannel(PacketSocket(try #require(pair).1.duplicate()))
        pair = nil
        guard case .end = worker.receive() else {
            Issue.record("not the end")
            return
        }
        #expect(!worker.send(.poke))
    }
}
