package import Shared

/// One configuration in force, compiled. Immutable; an exchange keeps the one it began with.
@Loop package final class Generation {
    package let number: UInt64
    package let configuration: Configuration
    let table: RoutingTable

    init(_ number: UInt64, _ configuration: Configuration) {
        self.number = number
        self.configuration = configuration
        table = RoutingTable(configuration)
    }
}

/// Answers requests with the generation in force.
@Loop package final class Gateway: RequestHandler {
    /// Nil until the first commit.
    package private(set) var generation: Generation?
    /// False while the process should not get new work: the readiness probe then answers 503.
    package var isReady = true

    package init() {}

    /// Builds a generation beside the one in force, without an effect on traffic. Throws a reason for the operator.
    package func prepare(_ number: UInt64, _ configuration: Configuration) throws(GenerationRefused) -> Generation {
        Generation(number, configuration)
    }

    /// Requests that begin from now on are answered by `generation`.
    package func commit(_ generation: Generation) {
        self.generation = generation
    }

    package func answer(_ client: ClientConnection) async {
        await fail(client, 404)
    }

    package func refuse(_ client: ClientConnection, _ refusal: RequestRefusal) async {
        await fail(client, 400)
    }

    private func fail(_ client: ClientConnection, _ status: Int) async {
        client.response.beginHead(status)
        client.response.endHead(length: 0)
        try? await client.response.finish(with: ByteBuffer(capacity: 0))
    }
}

/// Why a worker cannot serve a configuration.
package struct GenerationRefused: Error {
    package let reason: String
}
