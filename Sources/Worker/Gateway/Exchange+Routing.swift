internal import Shared

/// Which deployments a request is tried at: the group it asks for, then those that stand in for it. Decides at once; it is
/// `Exchange` that waits.
extension Exchange {
    /// What a client is told when everything has failed: what went wrong first, and where. Retries, higher `order`s and
    /// fallbacks are the gateway's attempts to make that good; how they fail in turn is not what was asked for.
    struct FirstFailure {
        var error: GatewayError
        var deployment: Int?
        var retryAfter: TimeSpan?
        var providerFields: [UInt8]
    }

    /// What to do next for an answer.
    enum Move {
        case attempt(Int)
        /// All that could be tried has failed and may be tried again at that time.
        case pause(until: Instant)
    }

    /// Enters the group that is asked for.
    func enterFirstGroup(_ client: ClientConnection, _ generation: Generation) throws(GatewayError) {
        let target = try asked.resolve(generation.table)
        plan.begin(retries: nil)
        enter(client, generation, target, by: nil)
    }

    /// The next deployment to try, of this group or of one that stands in for it. Throws what the client is told when
    /// nothing is left.
    func next(_ client: ClientConnection, _ generation: Generation) throws(GatewayError) -> Move {
        while true {
            if isGroupOpen, let move = nextOfGroup(generation) { return move }
            try enterNextGroup(client, generation)
        }
    }

    private func nextOfGroup(_ generation: Generation) -> Move? {
        let now = EventLoop.now
        let isStream = asked.request.isStream
        switch plan.next(generation.table, generation.health, isStream: isStream, now: now, using: &gateway.random) {
        case .end: return nil
        case .outage(let outage):
            deployment = outage.deployment
            retryAfter = max(.seconds(1), outage.until - now)
            let seconds = ((outage.until - now).milliseconds + 999) / 1000
            note(.outage(model: modelText, seconds: max(1, seconds), isCooling: outage.isCooling))
            return nil
        case .wait(let until): return until < deadline(generation) ? .pause(until: until) : nil
        case .attempt(let index, let admission):
            deployment = index
            providerFields.removeAll()
            retryAfter = nil
            self.admission = admission
            return .attempt(index)
        }
    }

    /// Notes what came of an attempt; whether the request is over with it.
    func isAnswered(
        _ client: ClientConnection, _ generation: Generation, _ index: Int, _ outcome: Outcome
    ) throws(GatewayError) -> Bool {
        generation.health.ended(index)
        switch outcome {
        case .answered: return true
        case .gone:
            generation.health.abandoned(index, admission)
            try checkGone(client)
            return true
        case .failed(let error, let kind):
            let now = EventLoop.now
            noteFailure(index, admission, kind, at: now)
            note(error)
            groupFailure = kind.fallbackKind
            if now < deadline(generation) {
                plan.failed(
                    kind, at: index, retryAfter: retryAfter, now: now, generation.table, using: &gateway.random)
            } else {
                isGroupOpen = false
            }
            return false
        }
    }

    /// The client has left, or the process has to go.
    func checkGone(_ client: ClientConnection) throws(GatewayError) {
        if client.wasToldToFinish, !client.response.hasStarted {
            // Whatever went wrong before: sent again, it may well be answered.
            firstFailure = nil
            note(.draining)
            throw tellFirst()
        }
        error = client.wasToldToFinish ? "cut" : "client_closed_request"
        if status == 0 { status = client.wasToldToFinish ? 503 : 499 }
    }

    /// Whether a stream waits for its first event with content.
    func waitsForContent(_ client: ClientConnection) -> Bool {
        if let wish = generation?.settings.process.holdUntilContent { return wish }
        return hasStandIn(client)
    }

    /// Whether it is arranged that a failed attempt is made good: by other deployments that the tags allow, by fallbacks, or
    /// by retries that the configuration or the request asks for. True for each attempt of the request or for none.
    private func hasStandIn(_ client: ClientConnection) -> Bool {
        guard let generation, let resolution else { return true }
        if step != nil || plan.hasAlternative(generation.table) { return true }
        if generation.table.fallbacks.isEmpty, asked.request.generalFallbacks == nil { return false }
        let name = Array(asked.model.storage[asked.model.readable])
        return !asked.standIns(
            after: .general, of: name, resolution, client.input.storage, generation.table
        ).isEmpty
    }

    /// Every attempt, wait and fallback has to fit in here.
    func deadline(_ generation: Generation) -> Instant {
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

    // MARK: Groups

    /// Enters a group: which of its deployments may serve the request.
    private func enter(
        _ client: ClientConnection, _ generation: Generation, _ target: RoutingTable.Resolution,
        by step: FallbackChain.Step?
    ) {
        let table = generation.table
        if step != nil || self.step != nil { self.step = step }
        isGroupOpen = false
        groupFailure = .general
        resolution = target
        deployment = nil
        if let step {
            served = Array(step.target.name.utf8)
            asked.name.removeAll()
            asked.name.append(json: step.target.name)
            asked.request.replace(members: step.own, client.input.storage)
        }
        var agent: ArraySlice<UInt8>?
        if let range = client.head.first(.userAgent) { agent = client.input.storage[range] }
        reason = TagFilter.select(table, target, asked.tags, userAgent: agent, into: &allowed)
        if step == nil { plan.begin(retries: asked.retries(client.head, client.input.storage, table, allowed)) }
        guard reason != nil else { return note(asked.tagsRefused(table)) }
        guard plan.enter(allowed, group: target.group, asFallback: step != nil, table) else {
            return note(asked.unconfigured(allowed) { generation.deployments[$0].unconfigured })
        }
        describe(client)
        isGroupOpen = true
    }

    /// Enters the group that stands in for the one that has failed, and for those before it. The same tags count in each.
    private func enterNextGroup(_ client: ClientConnection, _ generation: Generation) throws(GatewayError) {
        let table = generation.table
        if let resolution {
            if step == nil {
                chain.begin(
                    at: .init(name: modelText, resolution: resolution), maximumDepth: table.fallbacks.maximumDepth)
            }
            addFallbacks(client, table, resolution, groupFailure)
        }
        guard !client.cancellation.isCancelled, EventLoop.now < deadline(generation), let next = chain.next()
        else { throw tellFirst() }
        enter(client, generation, next.target.resolution, by: next)
    }

    /// The groups that stand in for the one that has just failed come next.
    private func addFallbacks(
        _ client: ClientConnection, _ table: RoutingTable, _ group: RoutingTable.Resolution, _ kind: FallbackTable.Kind
    ) {
        if client.cancellation.isCancelled { return }
        let name = served ?? Array(asked.model.storage[asked.model.readable])
        let targets = asked.standIns(after: kind, of: name, group, client.input.storage, table)
        chain.add(targets, behind: step?.depth ?? 0)
    }
}
