/// The isolation domain of a worker: everything that lives on its one event loop.
///
/// `EventLoop` is both executors of it. As the serial executor it runs what is isolated to `@Loop`; as the task
/// executor (`Task(executorPreference: EventLoop.shared)`) it also runs the rest of those tasks. Without the second
/// every resumed continuation travels over the global pool's threads and back.
@safe @globalActor
public actor Loop {
    public static let shared = Loop()

    /// Made once, for it is asked at every switch to the loop.
    private nonisolated let executor = unsafe EventLoop.shared.asUnownedSerialExecutor()

    public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor }

    /// Runs `body` as code of the loop. For the two places that are on its thread without the compiler knowing:
    /// the loop itself, and a role's entry before the loop turns.
    public static func assumeIsolated<Result>(_ body: @Loop () throws -> Result) rethrows -> Result {
        try withoutActuallyEscaping(body) { body in
            // The same function, but for the isolation in its type (as MainActor.assumeIsolated does it).
            try unsafe unsafeBitCast(body, to: (() throws -> Result).self)()
        }
    }
}
