internal import Shared

/// Which deployments a request is tried at: the group it asks for, then those that stand in for it. The same tags count
/// in each.
extension Exchange {
    /// A group has failed; which others stand in depends on how it failed last.
    struct GroupFailure: Error {
        var kind = FallbackTable.Kind.general
    }

    /// What a client is told when everything has failed: what went wrong first, and where. Retries, higher `order`s and
    /// fallbacks are the gateway's attempts to make that good; how they fail in turn is not what was asked for.
    struct FirstFailure {
        var error: GatewayError
        var deployment: Int?
        var retryAfter: TimeSpan?
        var providerFields: [UInt8]
    }

    /// Tries one group after the other until one has answered or nothing is left.
    @inline(__always)
    func route(_ client: ClientConnection, _ generation: Generation) async throws(GatewayError) {
        let first = try asked.resolve(generation.table)
        // The name of the first group is the one asked for, which `asked` holds.
        var step = FallbackChain.Step(
            target: .init(name: "", resolution: first), depth: 0, own: nil)
        plan.begin(retries: 0)
        while true {
            do throws(GroupFailure) {
                return try await attempt(client, generation, step)
            } catch {
                if step.depth == 0 {
                    chain.begin(
                        at: .init(name: modelText, resolution: first),
                        maximumDepth: generation.table.fallbacks.maximumDepth)
                }
                addFallbacks(client, generation.table, step, error.kind)
            }
            guard !client.cancellation.isCancelled, EventLoop.shared.now < deadline(generation),
                let next = chain.next()
            else { throw tellFirst() }
            step = next
        }
    }

    /// Every attempt, wait and fallback has to fit in here.
    private func deadline(_ generation: Generation) -> Instant {
        begun + .seconds(generation.settings.process.requestTimeout)
    }

    private func note(_ error: GatewayError) {
        if firstFailure != nil { return }
        firstFailure = FirstFailure(
            error: error, deployment: deployment, retryAfter: retryAfter,
            providerFields: Array(providerFields.storage[providerFields.readable]))
    }

    private func tellFirst() -> GatewayError {
        guard let failure = firstFailure else { return .draining }
        served = nil
        deployment = failure.deployment
        retryAfter = failure.retryAfter
        providerFields.removeAll()
        providerFields.append(failure.providerFields)
        return failure.error
    }

    // MARK: One group

    /// Answers the client from one group, or tells how it failed.
    @inline(__always)
    private func attempt(
        _ client: ClientConnection, _ generation: Generation, _ step: FallbackChain.Step
    ) async throws(GroupFailure) {
        let table = generation.table
        let target = step.target
        enter(client, table, step)
        reason = TagFilter.select(
            table, target.resolution, asked.tags,
            userAgent: client.head.first(.userAgent).map { client.input.storage[$0] },
            into: &allowed)
        if step.depth == 0 { plan.begin(retries: asked.retries(client.head, client.input.storage, table, allowed)) }
        guard reason != nil else {
            note(asked.tagsRefused(table))
            throw GroupFailure()
        }
        guard plan.enter(allowed, group: target.resolution.group, asFallback: step.depth > 0, table) else {
            note(asked.unconfigured(allowed) { generation.deployments[$0].unconfigured })
            throw GroupFailure()
        }
        describe(client)
        try await attempts(client, generation)
    }

    /// Notes which group is asked now, and with what.
    private func enter(_ client: ClientConnection, _ table: RoutingTable, _ step: FallbackChain.Step) {
        resolution = step.target.resolution
        deployment = nil
        guard step.depth > 0 else { return }
        served = Array(step.target.name.utf8)
        asked.name.removeAll()
        asked.name.append(json: step.target.name)
        asked.request.replace(members: step.own, client.input.storage)
    }

    /// Tries one deployment of the group after the other.
    @inline(__always)
    private func attempts(_ client: ClientConnection, _ generation: Generation) async throws(GroupFailure) {
        let table = generation.table
        let health = generation.health
        let last = deadline(generation)
        var failure = GroupFailure()
        while true {
            let now = EventLoop.shared.now
            switch plan.next(table, health, isStream: asked.request.isStream, now: now, using: &gateway.random) {
            case .end: throw failure
            case .outage(let outage):
                deployment = outage.deployment
                retryAfter = max(.seconds(1), outage.until - now)
                let seconds = ((outage.until - now).milliseconds + 999) / 1000
                note(.outage(model: modelText, seconds: max(1, seconds), isCooling: outage.isCooling))
                throw failure
            case .wait(let until):
                guard until < last else { throw failure }
                if await pause.wait(until: until, cancelledBy: client.cancellation) == .cancelled {
                    return try checkGone(client)
                }
            case .attempt(let index, let admission):
                deployment = index
                providerFields.removeAll()
                retryAfter = nil
                self.admission = admission
                let outcome = await attempt(client, generation, index, until: last)
                health.ended(index)
                switch outcome {
                case .answered: return
                case .gone:
                    health.abandoned(index, admission)
                    return try checkGone(client)
                case .failed(let error, let kind):
                    let now = EventLoop.shared.now
                    noteFailure(index, admission, kind, at: now)
                    note(error)
                    failure.kind = kind.fallbackKind
                    guard now < last else { throw failure }
                    plan.failed(kind, at: index, retryAfter: retryAfter, now: now, table, using: &gateway.random)
                }
            }
        }
    }

    private func checkGone(_ client: ClientConnection) throws(GroupFailure) {
        if client.wasToldToFinish, !client.response.hasStarted {
            // Whatever went wrong before: sent again, it may well be answered.
            firstFailure = nil
            note(.draining)
            throw GroupFailure()
        }
        error = client.wasToldToFinish ? "cut" : "client_closed_request"
        if status == 0 { status = client.wasToldToFinish ? 503 : 499 }
    }

    // MARK: Fallbacks

    /// The groups that stand in for the one that has just failed come next.
    private func addFallbacks(
        _ client: ClientConnection, _ table: RoutingTable, _ step: FallbackChain.Step, _ kind: FallbackTable.Kind
    ) {
        if client.cancellation.isCancelled { return }
        let name = served ?? Array(asked.model.storage[asked.model.readable])
        let targets = asked.standIns(after: kind, of: name, step.target.resolution, client.input.storage, table)
        chain.add(targets, behind: step.depth)
    }
}
