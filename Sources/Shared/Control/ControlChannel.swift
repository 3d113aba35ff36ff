/// Control messages over the socket pair that a supervisor shares with one worker. Never waits.
public final class ControlChannel {
    private let socket: PacketSocket

    /// The number at which a worker finds its end.
    public static let workerDescriptor: Int32 = 3
    /// The first listener of a worker; the others follow, and behind them the scoreboard.
    public static let firstListener: Int32 = 4

    public enum Outcome {
        /// A message, and the descriptor that came with it.
        case message(ControlMessage, DescriptorBox?)
        case wouldBlock
        /// The other side is gone.
        case end
        /// The other side does not keep to the protocol.
        case broken(String)
    }

    public init(_ socket: PacketSocket) {
        self.socket = socket
    }

    /// The worker's end of the channel that it was born with.
    public convenience init(inherited number: Int32 = ControlChannel.workerDescriptor) {
        self.init(PacketSocket(FileDescriptor(owning: number)))
    }

    /// The supervisor's end, and the one for a worker.
    public static func pair() throws(SystemError) -> (ControlChannel, DescriptorBox) {
        let (own, theirs) = try PacketSocket.pair()
        return (ControlChannel(own), theirs)
    }

    public var number: Int32 { socket.number }

    /// False when the other side has not taken enough of what came before, or is gone.
    public func send(_ message: ControlMessage, with descriptor: DescriptorBox? = nil) -> Bool {
        let sent = try? socket.send(message.encoded(), descriptors: descriptor.map { [$0] } ?? [])
        return sent ?? false
    }

    public func receive() -> Outcome {
        do throws(SystemError) {
            switch try socket.receive() {
            case .wouldBlock: return .wouldBlock
            case .end: return .end
            case .packet(let packet):
                if packet.isCut { return .broken("a message that does not fit") }
                do throws(ControlMessage.ProtocolError) {
                    return .message(try ControlMessage(packet.bytes), packet.descriptors.first)
                } catch {
                    return .broken(error.reason)
                }
            }
        } catch {
            return .broken(error.description)
        }
    }
}
