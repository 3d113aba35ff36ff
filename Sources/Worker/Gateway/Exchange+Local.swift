internal import Shared

/// Answers that need no upstream: lists of models, probes, mocks.
extension Exchange {
    func answer(_ client: ClientConnection, _ endpoint: Endpoint) async {
        do throws(GatewayError) {
            guard let generation else { throw .draining }
            switch endpoint {
            case .inference: throw .notFound
            case .notFound: throw .notFound
            case .methodNotAllowed(let allow): throw .methodNotAllowed(allow: allow)
            case .preflight: await answerPreflight(client)
            case .live: await answer(client, 200) { $0.append(json: "I'm alive!") }
            case .ready:
                let isReady = gateway.isReady
                await answer(client, isReady ? 200 : 503) { buffer in
                    var object = JSONObject(in: buffer)
                    object.member("status", isReady ? "healthy" : "draining")
                    object.member("db", "Not connected")
                    object.member("generation", Int(clamping: generation.number))
                    object.end()
                }
            case .models:
                try authorize(client, generation)
                await answer(client, 200) { Catalog.models(generation.table, into: $0) }
            case .model(let id):
                try authorize(client, generation)
                asked.model.append(percentDecoding: client.input.storage, id)
                let text = modelText
                guard generation.table.isVisible(text) else { throw .noSuchModel(text) }
                await answer(client, 200) { Catalog.model(text, into: $0) }
            case .modelInfo:
                try authorize(client, generation)
                let deployments = generation.deployments
                await answer(client, 200) { buffer in
                    Catalog.info(generation.table, deployments.count, { deployments[$0] }, into: buffer)
                }
            case .metrics:
                if generation.settings.general.metricsNeedKey { try authorize(client, generation) }
                // Only while a dead worker's figures are being added up; a scrape that fails beats a sum that falls.
                guard let board = gateway.board?.scoreboard, let totals = board.totals(), let others = board.published()
                else { throw .draining }
                await answer(client, 200, HeadFields.metrics) { buffer in
                    let text = MetricsText(into: buffer)
                    text.append(totals)
                    text.append(board.workers())
                    text.append(deploymentFigures(generation), at: EventLoop.now)
                    buffer.append(others)
                }
            case .health:
                try authorize(client, generation)
                let report = await HealthCheck(gateway, generation).run(cancelledBy: client.cancellation)
                await answer(client, 200) { $0.append(report.storage, report.readable) }
            }
        } catch {
            await fail(client, error)
        }
    }

    /// Of those that have been tried. Labels are the reference's.
    private func deploymentFigures(
        _ generation: Generation
    ) -> [(labels: [(String, String)], figures: DeploymentFigures)] {
        guard let board = gateway.deployments else { return [] }
        return (0..<generation.deployments.count).compactMap { index in
            guard let slot = generation.health.slot(index) else { return nil }
            let figures = board.figures(of: slot)
            guard figures.attempts > 0 else { return nil }
            let deployment = generation.deployments[index]
            let labels = [
                ("requested_model", deployment.modelName), ("litellm_model_name", deployment.upstreamModel),
                ("model_id", deployment.id), ("api_base", deployment.apiBase),
            ]
            return (labels, figures)
        }
    }

    private func answer(
        _ client: ClientConnection, _ status: Int, _ type: [UInt8] = HeadFields.json, _ write: (ByteBuffer) -> Void
    ) async {
        gathered.removeAll()
        write(gathered)
        beginHead(client, status, type)
        client.response.endHead(length: gathered.count)
        try? await client.response.finish(with: gathered)
    }

    /// Fetch §4.8: what a page of another origin may send.
    private func answerPreflight(_ client: ClientConnection) async {
        beginHead(client, 200)
        let head = client.response.buffer
        head.append(field: "access-control-allow-methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
        if let wanted = client.head.first(.accessControlRequestHeaders) {
            head.append(field: "access-control-allow-headers", client.input.storage, wanted)
        }
        head.append(field: "access-control-max-age", 600)
        client.response.endHead(length: 0)
        gathered.removeAll()
        try? await client.response.finish(with: gathered)
    }

    /// The answer of a deployment that has one configured.
    func answerMock(_ client: ClientConnection, _ generation: Generation, _ text: String) async -> Outcome {
        let id = String(decoding: callID.storage[callID.readable], as: UTF8.self)
        let mock = MockAnswer(
            operation: asked.operation, text: text, name: asked.name, id: id,
            created: Int(Clock.unixMilliseconds() / 1000),
            inputs: asked.request.inputs(client.input.storage))
        gathered.removeAll()
        noteAnswer(generation, isStream: asked.request.isStream)
        noteSuccess(client, generation, tokens: nil)
        do throws(StreamFailure) {
            if asked.request.isStream, asked.operation != .embedding {
                mock.events(into: gathered)
                beginEvents(client)
                try await client.response.finish(gathered)
            } else {
                mock.body(into: gathered)
                beginHead(client, 200, HeadFields.json)
                appendAttempt(client)
                client.response.endHead(length: gathered.count)
                try await client.response.finish(with: gathered)
            }
            return .answered
        } catch {
            return .gone
        }
    }
}
