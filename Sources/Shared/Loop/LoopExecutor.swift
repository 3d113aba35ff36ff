/// The isolation domain of a worker: everything that lives on its one event loop.
///
/// `EventLoop` is both executors of it. As the serial executor it runs what is isolated to `@Loop`; as the task
/// executor (`Task(executorPreference: EventLoop.shared)`) it also runs the rest of those tasks. Without the second
/// every resumed continuation travels over the global pool's threads and back.
@globalActor
package actor Loop {
    package static let shared = Loop()

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe EventLoop.shared.asUnownedSerialExecutor()
    }

    /// Runs `body` as code of the loop. For the two places that are on its thread without the compiler knowing:
    /// the loop itself, and a role's entry before the loop turns.
    package static func assumeIsolated<Result>(_ body: @Loop () throws -> Result) rethrows -> Result {
        try withoutActuallyEscaping(body) { body in
            // The same function, but for the isolation in its type (as MainActor.assumeIsolated does it).
            try unsafe unsafeBitCast(body, to: (() throws -> Result).self)()
        }
    }
}

/// Swift's jobs in the order in which they became ready. Filled and emptied by the loop's thread only.
struct JobQueue {
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []

    var isEmpty: Bool { ready.isEmpty }

    mutating func append(_ job: UnownedJob) {
        ready.append(job)
    }

    /// The jobs to run now; those that they make ready come with the next call. Hand the array back with `done`.
    mutating func take() -> [UnownedJob] {
        swap(&ready, &running)
        let jobs = running
        running = []
        return jobs
    }

    mutating func done(_ jobs: consuming [UnownedJob]) {
        var jobs = jobs
        jobs.removeAll(keepingCapacity: true)
        running = jobs
    }
}
