internal import Shared

extension Exchange {
    /// The way of a stream's events.
    struct EventWay {
        let client: ClientConnection
        /// Of the first token.
        let deadline: Instant
        /// The longest silence afterwards.
        let idle: TimeSpan
        /// Whether events wait for the first one with content.
        let isHeld: Bool
        /// Whether the first token has come, and the deployment's counters know.
        var hasToken = false
        /// Whether the loop knows what the next event will touch.
        var isExpected = false
        /// Why the task was woken.
        var step: Step?
    }

    /// How far events were passed on.
    enum Step {
        /// All that has come.
        case waits
        /// There is more.
        case pauses
        /// The client takes no more for now.
        case unsent
        case ended
        /// The end, too, has been written, but the client takes no more for now.
        case unfinished
        case failed(StreamEnd)
    }

    enum StreamEnd: Error {
        case upstream(UpstreamFailure)
        case events(EventStream.Failure)
        case clientGone
    }
}
