internal import Shared

/// `/health`: asks every deployment for one token and tells which of them answer, as the reference does.
@Loop final class HealthCheck {
    private let gateway: Gateway
    private let generation: Generation
    private var results: [String?] = []
    private var left = 0
    private let waiter = Waiter()

    /// How long one deployment may take.
    private static let limit = TimeSpan.seconds(10)

    init(_ gateway: Gateway, _ generation: Generation) {
        self.gateway = gateway
        self.generation = generation
    }

    /// The report as JSON. All deployments are asked at once.
    func run(cancelledBy cancellation: Cancellation) async -> ByteBuffer {
        let count = generation.deployments.count
        results = [String?](repeating: "not asked", count: count)
        left = count
        let all = Cancellation()
        for index in 0..<count {
            EventLoop.shared.start {
                self.results[index] = await self.ask(index, all)
                self.left -= 1
                if self.left == 0 { self.waiter.wake(.ready) }
            }
        }
        if left > 0 {
            _ = await waiter.wait(until: EventLoop.now + Self.limit + .seconds(1), cancelledBy: cancellation)
            all.cancel()
        }
        return report()
    }

    /// Nil when the deployment is well, else what is wrong with it.
    private func ask(_ index: Int, _ cancellation: Cancellation) async -> String? {
        let deployment = generation.deployments[index]
        if let reason = deployment.unconfigured { return reason }
        if deployment.mockResponse != nil { return nil }
        let body = ByteBuffer(capacity: 128)
        DeploymentBlocks.begin(body, deployment.upstreamModel)
        body.append(",\"messages\":[{\"role\":\"user\",\"content\":\"ping\"}],\"max_tokens\":1}" as StaticString)
        let text = ByteBuffer(capacity: 512)
        text.append(generation.blocks[index].requestHeads[Endpoint.Operation.chat.rawValue])
        text.append(decimal: body.count)
        text.appendLineEnd()
        text.appendLineEnd()
        text.append(body.storage, body.readable)
        let deadline = EventLoop.now + Self.limit
        var connection: UpstreamConnection?
        do throws(UpstreamFailure) {
            // A fresh one: an idle connection proves nothing.
            let fresh = try await generation.pool(index).dial(until: deadline, cancelledBy: cancellation)
            connection = fresh
            try await fresh.ask(
                [Piece(source: 0, range: text.readable)], text.storage, [], until: deadline, cancelledBy: cancellation)
            let status = fresh.head.status
            fresh.close()
            return (200..<300).contains(status) ? nil : "status \(status)"
        } catch {
            connection?.close()
            return error.reason
        }
    }

    private func report() -> ByteBuffer {
        let buffer = ByteBuffer(capacity: 1024)
        func list(_ wanted: (String?) -> Bool) -> Int {
            var count = 0
            buffer.append(0x5B)
            for (index, result) in results.enumerated() where wanted(result) {
                let deployment = generation.deployments[index]
                if count > 0 { buffer.append(ASCII.comma) }
                count += 1
                var object = JSONObject(in: buffer)
                object.member("model", deployment.model)
                object.member("api_base", deployment.apiBase)
                object.member("model_id", deployment.id)
                if let result { object.member("error", result) }
                object.end()
            }
            buffer.append(0x5D)
            return count
        }
        buffer.append("{\"healthy_endpoints\":" as StaticString)
        let healthy = list { $0 == nil }
        buffer.append(",\"unhealthy_endpoints\":" as StaticString)
        let unhealthy = list { $0 != nil }
        buffer.append(",\"healthy_count\":\(healthy),\"unhealthy_count\":\(unhealthy)}")
        return buffer
    }
}
