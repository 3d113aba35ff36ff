internal import Shared

/// Reads the configuration again, offers it to the workers, and says what came of it.
extension Supervisor {
    /// Reads the configuration again, now or after the reload under way: requests that come meanwhile are one.
    @discardableResult
    func reload(_ trigger: String, for client: Int? = nil) -> Int {
        let (id, begins) = reloads.ask(trigger)
        if let client { waitingForReload.append((client, id)) }
        if begins { beginReload() }
        return id
    }

    func beginReload() {
        guard let reload = reloads.current else { return }
        log.reloadBegun(reload)
        manager.reloading(now: Clock.now())
        let loaded = source.load()
        watch.note(loaded.files, isComplete: loaded.decoded.isAcceptable(strict: source.isStrict))
        let (verdict, warnings) = ConfigurationVerdict.judge(
            loaded, .reload(encoded), isStrict: source.isStrict, isLoopback: isLoopback, slots: &slots,
            reused: scoreboard.clearDeployment)
        scoreboard.usedDeployments = slots.used
        switch verdict {
        case .unchanged: finishReload(.unchanged)
        case .refused(let reasons):
            log.problems(loaded.decoded.problems)
            finishReload(.failed(reasons))
        case .candidate(let configuration, let encoded):
            log.problems(loaded.decoded.problems)
            log.problems(warnings)
            do throws(SystemError) {
                lastGeneration += 1
                files[lastGeneration] = try SealedBytes.make(named: "generation-\(lastGeneration)", encoded)
                reloads.offered(configuration, encoded: encoded)
                handle(.reload(generation: lastGeneration))
            } catch {
                finishReload(.failed([error.description]))
            }
        }
    }

    func reloaded(_ outcome: Fleet.ReloadOutcome) {
        if let refusal = outcome.refusal { return finishReload(.failed([refusal])) }
        if let offer = reloads.current?.offer {
            let difference = ModelDifference(from: self.configuration, to: offer.configuration)
            configuration = offer.configuration
            encoded = offer.encoded
            slots.release(except: configuration)
            fleet.timing.drain = .seconds(configuration.process.drainTimeout)
            finishReload(.done(difference, outcome))
            adjustWatch()
            if options.workers == nil { handle(.resize(wantedWorkers)) }
        }
    }

    func finishReload(_ result: ReloadResult) {
        files = files.filter { $0.key == fleet.generation }
        guard let finished = reloads.finish(result, generation: fleet.generation) else { return }
        log.reloaded(finished)
        metrics.count(result, atSeconds: Int(Clock.unixMilliseconds() / 1000))
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
}
