internal import Shared

/// What this process has from the image that it ran before, and the way back to that.
final class Inheritance {
    private(set) var handover: Handover
    /// Why a newer image has given up, where this one is the older that it came back to.
    let reason: String?
    /// Held open, whoever else uses them, for the way back.
    private var memory: DescriptorBox?
    private var executable: DescriptorBox?
    private var isSettled = false

    private static let crash = "the new image crashed before a worker of it served"

    /// Nil at an ordinary start. To be called before this process opens anything: a number that is closed by then
    /// belonged to somebody who has left, and is not to be mistaken for what gets the number next.
    static func take() -> Inheritance? {
        guard let place = CurrentProcess.environment()[Handover.variable].flatMap({ Handover.Place($0) }),
            FileDescriptor.isOpen(place.descriptor)
        else { return nil }
        return Inheritance(place)
    }

    private init?(_ place: Handover.Place) {
        let memory = DescriptorBox(FileDescriptor(owning: place.descriptor))
        guard let bytes = try? SealedBytes.read(memory), var handover = try? Handover(encoded: bytes) else {
            return nil
        }
        handover.clients.removeAll { !FileDescriptor.isOpen($0) }
        handover.workers.removeAll { !FileDescriptor.isOpen($0.channel) || !FileDescriptor.isOpen($0.errors) }
        self.handover = handover
        self.memory = memory
        executable = DescriptorBox(FileDescriptor(owning: handover.executable))
        reason = place.reason
    }

    /// The environment without what only the next image of a supervisor is told.
    static var environment: [String: String] {
        CurrentProcess.environment().filter { $0.key != Handover.variable }
    }

    /// Until `settle`, a crash leads back to the former image.
    func armWayBack() {
        guard reason == nil, let executable, let memory else { return }
        let place = Handover.Place(descriptor: memory.number, reason: Self.crash)
        WayBack.arm(
            executable, arguments: CommandLine.arguments,
            environment: Self.environment.merging([Handover.variable: place.text]) { $1 })
    }

    /// This image cannot even start: the former one goes on. Only returns when that is not possible.
    func goBack(_ reason: String) {
        guard self.reason == nil, !isSettled, let executable, let memory else { return }
        let place = Handover.Place(descriptor: memory.number, reason: reason)
        _ = WayBack.take(
            executable.number, arguments: CommandLine.arguments,
            environment: Self.environment.merging([Handover.variable: place.text]) { $1 })
    }

    /// This image stays: nothing is inherited further, and there is no way back.
    func settle() {
        guard !isSettled else { return }
        isSettled = true
        WayBack.disarm()
        for number in handover.descriptors where number != handover.executable {
            FileDescriptor.setInheritable(number, false)
        }
        memory = nil
        executable = nil
    }
}
