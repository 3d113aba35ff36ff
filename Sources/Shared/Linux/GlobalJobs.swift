internal import CLinux

/// Where Swift's runtime sends jobs that belong to no executor: by default to a pool of threads.
public enum GlobalJobs {
    /// Sends them to `enqueue` from now on, which is called on the thread that made a job ready. Call it once, in a
    /// process that has a single thread of Swift code, before its first task.
    public static func take(_ enqueue: @escaping @convention(c) (UnsafeMutableRawPointer?) -> Void) {
        unsafe clinux_take_global_jobs(enqueue)
    }
}
