internal import Shared

/// Reads the configuration again, offers it to the workers, and says what came of it.
extension Supervisor {
    /// Reads the configuration again, now or after the reload under way: requests that come meanwhile are one.
    @discardableResult
    func reload(_ trigger: String, _ wishes: ReloadWishes = [], for client: Int? = nil) -> Int {
        let (id, begins) = reloads.ask(trigger, wishes)
        if let client { waitingForReload.append((client, id)) }
        if begins { beginReload() }
        return id
    }

    func beginReload() {
        guard let reload = reloads.current else { return }
        log.reloadBegun(reload)
        manager.reloading(now: Clock.now())
        if reload.wishes.contains(.former), let former { return offer(former.configuration, former.encoded) }
        let begun = Clock.now()
        let loaded = PoliteThread.run { source.load() }
        let isComplete = loaded.decoded.isAcceptable(strict: source.isStrict)
        watch.note(loaded.files, isComplete: isComplete, now: Clock.now())
        looked = loaded.files
        let (verdict, warnings) = PoliteThread.run {
            judge(loaded, isForced: reload.wishes.contains(.force), &slots, reused: scoreboard.clearDeployment)
        }
        scoreboard.usedDeployments = slots.used
        reloads.validated(in: Clock.now() - begun)
        switch verdict {
        case .unchanged:
            finishReload(.unchanged)
            if reload.wishes.contains(.respawn) { respawnAll() }
        case .refused(let reasons):
            log.problems(loaded.decoded.problems)
            finishReload(.failed(reasons))
        case .candidate(let configuration, let encoded):
            log.problems(loaded.decoded.problems)
            log.problems(warnings)
            offer(configuration, encoded)
        }
    }

    /// What would become of the files as they are now.
    private func judge(
        _ loaded: ConfigurationSource.Loaded, isForced: Bool, _ slots: inout DeploymentSlots,
        reused: (Int) -> Void = { _ in }
    ) -> (verdict: ConfigurationVerdict, warnings: [Problem]) {
        let occasion = isForced ? ConfigurationVerdict.Occasion.reload([]) : .reload(encoded)
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, occasion, isStrict: source.isStrict,
            isLoopback: listenRule.isLoopback(loaded.decoded.configuration), slots: &slots, reused: reused)
        if !isForced, let condemned, case .candidate(let candidate, _) = verdict,
            candidate.placeless.encoded() == condemned
        {
            let reason = "workers crashed with this configuration; change it, or use `tagway ctl reload --force`"
            return (.refused([reason]), warnings)
        }
        return (verdict, warnings)
    }

    private func offer(_ configuration: Configuration, _ encoded: [UInt8]) {
        let next: ListenerSet
        do throws(ListenerSet.BindError) {
            next =
                try listenRule.changedAddresses(configuration).map { (addresses) throws(ListenerSet.BindError) in
                    try listeners.changed(to: addresses)
                } ?? listeners
        } catch {
            return finishReload(.failed(["tagway.listen: \(error.message)"]))
        }
        do throws(SystemError) {
            lastGeneration += 1
            let generation = PoliteThread.run {
                Result { () throws(SystemError) in try PublishedGeneration(lastGeneration, encoded, next) }
            }
            published[lastGeneration] = try generation.get()
        } catch {
            return finishReload(.failed([error.description]))
        }
        reloads.offered(configuration, encoded: encoded)
        handle(.reload(generation: lastGeneration))
    }

    func reloaded(_ outcome: Fleet.ReloadOutcome) {
        if let refusal = outcome.refusal { return finishReload(.failed([refusal])) }
        guard let reload = reloads.current, let offer = reload.offer else { return }
        let difference = PoliteThread.run { ModelDifference(from: self.configuration, to: offer.configuration) }
        let isRollback = reload.wishes.contains(.former)
        if isRollback {
            // Its deployments have lost their places, and would be given others.
            condemned = self.configuration.placeless.encoded()
            former = nil
        } else {
            // Letting go of thousands of deployments takes a while.
            PoliteThread.run { former = (self.configuration, encoded) }
            condemned = nil
            probation.committed(length: .seconds(offer.configuration.supervision.probation), now: Clock.now())
        }
        configuration = offer.configuration
        encoded = offer.encoded
        PoliteThread.run { slots.release(except: configuration) }
        applyTiming()
        if let next = published[fleet.generation]?.listeners { listen(next) }
        if listenRule.overrules(configuration) { log.listenIsOverruled() }
        keepLastGood(isRollback: isRollback)
        finishReload(isRollback ? .rolledBack(difference, outcome) : .done(difference, outcome))
        adjustWatch()
        if options.workers == nil {
            resizeTrigger = "reload"
            handle(.resize(wantedWorkers))
        }
        if reload.wishes.contains(.respawn) { respawnAll() }
    }

    private func respawnAll() {
        handle(.renew(Array(0..<fleet.size), .replaced, reason: "reload --respawn"))
    }

    func finishReload(_ result: ReloadResult) {
        published = published.filter { $0.key == fleet.generation }
        guard let finished = reloads.finish(result, generation: fleet.generation) else { return }
        log.reloaded(finished)
        metrics.count(result, atSeconds: Int(Clock.unixMilliseconds() / 1000))
        setDrift(!finished.isGood)
        if finished.isGood { startedFromKept = nil }
        publishMetrics()
        for waiting in waitingForReload where waiting.reload <= finished.id {
            control.answer(waiting.client, finished.answer)
        }
        waitingForReload.removeAll { $0.reload <= finished.id }
        if !fleet.isStopping {
            manager.ready(finished.failure.map { "reload failed: \($0); still \(status)" } ?? status)
        }
        if reloads.current != nil { beginReload() }
    }

    // MARK: A configuration that kills

    /// A worker has crashed: perhaps it is the configuration's fault.
    func blameConfiguration(slot: Int) {
        guard probation.crashed(slot: slot, now: Clock.now()), former != nil else { return }
        log.rollingBack(generation: fleet.generation)
        reload("crashes", .former)
    }

    // MARK: What is kept for a start with bad files

    /// The files as they were read last are what workers serve by now; or, after a rollback, not.
    func keepLastGood(isRollback: Bool = false) {
        do throws(SystemError) {
            if isRollback {
                try lastGood?.takeBack()
            } else {
                let now = Int(Clock.unixMilliseconds() / 1000)
                try lastGood?.keep(LastGood.Record(looked, without: options.environmentFile, keptAt: now))
            }
        } catch {
            log.lastGoodNotKept(error)
        }
    }

    // MARK: The difference between the files and what is in force

    /// What a reload would do now, for `reload --dry-run`.
    func rehearseReload() -> ControlAnswer {
        let loaded = PoliteThread.run { source.load() }
        var slots = slots
        let (verdict, warnings) = judge(loaded, isForced: false, &slots)
        let said = warnings.map { "\($0)\n" }.joined()
        switch verdict {
        case .unchanged: return ControlAnswer(text: said + "nothing would change\n")
        case .refused(let reasons):
            return ControlAnswer(exit: ExitCode.refused, text: reasons.map { $0 + "\n" }.joined())
        case .candidate(let candidate, _):
            let difference = ModelDifference(from: configuration, to: candidate)
            let lines = difference.lines + configuration.changedSections(candidate).map { "changed section: \($0)" }
            return ControlAnswer(text: said + lines.map { $0 + "\n" }.joined())
        }
    }

    /// Every half minute: the files are read again only when one of them looks different.
    func checkDrift() {
        guard !fleet.isStopping, reloads.current == nil else { return }
        guard looked.contains(where: { source.state(of: $0.key) != $0.value }) else { return }
        let loaded = PoliteThread.run { source.load() }
        looked = loaded.files
        var slots = slots
        switch judge(loaded, isForced: false, &slots).verdict {
        case .unchanged: setDrift(false)
        case .refused, .candidate: setDrift(true)
        }
    }

    private func setDrift(_ differs: Bool) {
        if differs, !hasDrifted { log.drifted(source.path) }
        hasDrifted = differs
    }
}
