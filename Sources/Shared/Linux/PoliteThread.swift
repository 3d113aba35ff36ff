internal import CLinux
internal import Glibc

/// A thread that gives way to the threads of others, for work that takes a processor for long.
///
/// Reference counts in this program are not atomic (`-assume-single-threaded`): who asks for the work waits for its end
/// and does nothing meanwhile, so that there is one thread at a time that counts.
public enum PoliteThread {
    private final class Work {
        let body: () -> Void

        init(_ body: @escaping () -> Void) { self.body = body }
    }

    /// Added to the nice value; sched(7). At 10 a tenth of what an ordinary thread gets, where both want a processor.
    private static let nice: Int32 = 10
    /// Nanoseconds, the most there is: whoever wakes up wants less at a stretch, and so goes first at once instead of
    /// waiting for the end of our turn, as long as that may be.
    private static let slice: UInt64 = 100_000_000

    /// Runs `body` there and waits for it. Where no thread can be had it runs here.
    public static func run<Result>(_ body: () -> Result) -> Result {
        var result: Result?
        withoutActuallyEscaping(body) { body in
            let work = unsafe Unmanaged.passRetained(Work { result = body() })
            var thread = pthread_t()
            let code = unsafe pthread_create(
                &thread, nil,
                { pointer in
                    // Of this thread alone, and no more than a wish.
                    _ = clinux_set_share(PoliteThread.nice, PoliteThread.slice)
                    if let pointer = unsafe pointer {
                        unsafe Unmanaged<Work>.fromOpaque(pointer).takeUnretainedValue().body()
                    }
                    return nil
                }, work.toOpaque())
            if code == 0 {
                pthread_join(thread, nil)
            } else {
                unsafe work.takeUnretainedValue().body()
            }
            unsafe work.release()
        }
        guard let result else { preconditionFailure("the work was done") }
        return result
    }
}
