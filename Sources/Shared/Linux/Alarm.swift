internal import CLinux

/// Something to watch that becomes readable at a time; timerfd_create(2).
///
/// The kernel is told once, however many waits begin and end before that time. A wait's own limit is put into its list of
/// timers and taken out again each time, and where it is near the processor's timer is set twice: in a virtual machine two
/// ways to the host.
public struct Alarm: ~Copyable {
    private let descriptor: FileDescriptor
    /// When it rings; what lies behind us has rung.
    private var time = Instant(nanoseconds: 0)

    public var number: Int32 { descriptor.number }

    public init() throws(SystemError) {
        let number = clinux_timer()
        guard number >= 0 else { throw .last("timerfd_create") }
        descriptor = FileDescriptor(owning: number)
    }

    /// Has it ring at `deadline`, a time after `now`, or before that: once it has rung, ask again.
    public mutating func ring(by deadline: Instant, now: Instant) {
        guard time <= now || time > deadline else { return }
        time = deadline
        _ = clinux_set_timer(descriptor.number, deadline.nanoseconds)
    }
}
