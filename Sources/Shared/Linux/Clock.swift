internal import Glibc

/// A point in monotonic time, in nanoseconds since an arbitrary start (clock_gettime(2), CLOCK_MONOTONIC).
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than every real instant: a wait without a deadline.
    public static let never = Instant(nanoseconds: .max)

    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates at `never`, so that a huge configured timeout means "no deadline".
    public static func + (left: Instant, right: TimeSpan) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }

    public static func - (left: Instant, right: Instant) -> TimeSpan {
        TimeSpan(nanoseconds: left.nanoseconds.subtractingReportingOverflow(right.nanoseconds).partialValue)
    }
}

/// A length of time in nanoseconds. Not `Duration`: its 128-bit arithmetic is on the hot path otherwise.
public struct TimeSpan: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public static func seconds(_ value: Int) -> TimeSpan {
        let (product, overflow) = value.multipliedReportingOverflow(by: 1_000_000_000)
        return TimeSpan(nanoseconds: overflow ? .max : Int64(product))
    }

    public static func milliseconds(_ value: Int) -> TimeSpan {
        let (product, overflow) = value.multipliedReportingOverflow(by: 1_000_000)
        return TimeSpan(nanoseconds: overflow ? .max : Int64(product))
    }

    /// From a configured number of seconds; negative counts as zero, anything beyond 292 years as "for ever".
    public static func seconds(_ value: Double) -> TimeSpan {
        guard value > 0 else { return TimeSpan(nanoseconds: 0) }
        let nanoseconds = value * 1e9
        return TimeSpan(nanoseconds: nanoseconds < 9.2e18 ? Int64(nanoseconds) : .max)
    }

    public var milliseconds: Int { Int(nanoseconds / 1_000_000) }
    public var seconds: Double { Double(nanoseconds) / 1e9 }

    public static func < (left: TimeSpan, right: TimeSpan) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

public enum Clock {
    /// Monotonic now. One vDSO call, about 20 ns.
    public static func now() -> Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Wall time in milliseconds since 1970-01-01 UTC, for logs and `created` fields.
    public static func unixMilliseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
