internal import Shared

/// Replaces the running binary: the new image is tried as a child, then takes the place of this one in the same
/// process, workers and all, and replaces them one by one. exec(2) keeps children, descriptors and pending signals.
extension Supervisor {
    /// Why there can be no upgrade now; nil: it has begun, and `client` will be answered at its end.
    func beginUpgrade(to path: String?, for client: Int? = nil) -> String? {
        if fleet.isStopping { return "stopping" }
        if !fleet.hasStarted { return "starting" }
        if upgrade.isUnderWay { return "an upgrade is under way" }
        let path = path ?? executable
        let now = Clock.now()
        log.upgradeBegun(from: .own, to: path)
        if let client { waitingForUpgrade.append(client) }
        do throws(SystemError) {
            let probe = try UpgradeProbe(
                path, arguments: source.checkArguments, environment: environment, handover: handover(begun: now),
                now: now)
            upgrade = .probing(probe)
            try epoll.add(probe.output.number, .readable, token: Token.probe)
        } catch {
            failUpgrade("preflight", "\(path): \(error.reason)")
        }
        return nil
    }

    func readProbe() {
        guard case .probing(let probe) = upgrade else { return }
        if !probe.read(&room) { epoll.remove(probe.output.number) }
    }

    /// Whether the child that ended was the probe.
    func probeHasEnded(_ process: Int32, _ status: ExitStatus) -> Bool {
        guard case .probing(let probe) = upgrade, probe.child.id == process else { return false }
        readProbe()
        epoll.remove(probe.output.number)
        switch probe.verdict(status) {
        case .fit: upgrade = .waiting(path: probe.path, begun: probe.begun)
        case .unfit(let reason): failUpgrade("preflight", reason)
        }
        return true
    }

    /// Looks whether it can go on; at every turn of the loop.
    func driveUpgrade() {
        switch upgrade {
        case .none, .replacing: break
        case .probing(let probe):
            guard Clock.now() - probe.begun >= UpgradeProbe.patience else { return }
            probe.child.send(.kill)
            epoll.remove(probe.output.number)
            failUpgrade("preflight", "no answer in \(Int(UpgradeProbe.patience.seconds)) s")
        case .waiting(let path, let begun):
            guard reloads.current == nil, !fleet.isRenewing else { return }
            replaceImage(path, begun)
        }
    }

    /// A stop ends it, too.
    func abandonUpgrade() {
        switch upgrade {
        case .none: return
        case .probing(let probe):
            probe.child.send(.kill)
            epoll.remove(probe.output.number)
        case .waiting: break
        case .replacing(let former): former.inheritance.settle()
        }
        failUpgrade("stop", "stopping")
    }

    func failUpgrade(_ step: String, _ reason: String) {
        upgrade = .none
        log.upgradeFailed(step: step, reason: reason, image: .own)
        answerUpgrade(
            ControlAnswer(exit: ExitCode.refused, text: "\(step): \(reason); still \(Handover.Image.own.text)\n"))
        tellManager()
    }

    private func answerUpgrade(_ answer: ControlAnswer) {
        for client in waitingForUpgrade { control.answer(client, answer) }
        waitingForUpgrade = []
    }

    // MARK: The old image

    private func replaceImage(_ path: String, _ begun: Instant) {
        do throws(SystemError) {
            let executable = try File.open(ChildProcess.ownImage)
            var handover = handover(begun: begun)
            handover.executable = executable.number
            throw try leave(handover, reason: nil) { place in
                ChildProcess.replaceSelf(
                    with: path, arguments: CommandLine.arguments, environment: environment.merging(place) { $1 })
            }
        } catch {
            failUpgrade("exec", "\(path): \(error.reason)")
        }
    }

    /// Everything that the next image needs to know, with this one's executable not yet open.
    private func handover(begun: Instant) -> Handover {
        Handover(
            image: .own, executable: 3, path: executable, startedAt: startedAt, begun: begun,
            runDirectory: runDirectory.path, lock: runDirectory.lockNumber, control: control.number,
            clients: waitingForUpgrade.compactMap { control.descriptor(of: $0) },
            scoreboard: scoreboard.memory.descriptor.number,
            listeners: listeners.listeners.map {
                Handover.Listener(descriptor: $0.socket.number, origin: $0.origin, storedAs: $0.storedAs)
            }, generation: fleet.generation, lastGeneration: lastGeneration,
            lastReload: reloads.lastID, configuration: encoded, files: looked, hasDrifted: hasDrifted,
            startedFromKept: startedFromKept,
            condemned: condemned, size: fleet.size, cut: fleet.cut,
            workers: fleet.sorted.compactMap { worker in
                guard let process = processes[worker.id], let block = process.block else { return nil }
                return Handover.Worker(
                    worker: worker, process: process.child.id, channel: process.channel.number,
                    errors: process.errors.number, block: block)
            }, slots: fleet.slots, metrics: metrics, logLevel: log.log.level)
    }

    /// Writes the handover, keeps open what it names, and lets `become` replace this image; the error of that.
    private func leave(
        _ handover: Handover, reason: String?, _ become: ([String: String]) -> SystemError
    ) throws(SystemError) -> SystemError {
        let memory = try SealedBytes.make(named: "handover", handover.encoded())
        let open = handover.descriptors + [memory.number]
        for number in open { FileDescriptor.setInheritable(number, true) }
        let error = become([Handover.variable: Handover.Place(descriptor: memory.number, reason: reason).text])
        for number in open { FileDescriptor.setInheritable(number, false) }
        return error
    }

    // MARK: The new image

    /// Takes over what the former image has left, and begins to replace its workers; or, where a newer one has given
    /// up and come back to us, goes on.
    func takeOver(_ inheritance: Inheritance) {
        let handover = inheritance.handover
        lastGeneration = handover.lastGeneration
        reloads.resume(after: handover.lastReload)
        condemned = handover.condemned
        metrics = handover.metrics
        log.log.level = handover.logLevel
        waitingForUpgrade = control.promised
        var adopted: [Fleet.Worker] = []
        for one in handover.workers {
            guard
                let process = try? WorkerProcess(
                    adopting: one, listeners: listeners.listeners, sharesScoreboard: sharesScoreboard),
                (try? watch(process)) != nil
            else { continue }
            processes[one.worker.id] = process
            adopted.append(one.worker)
        }
        if sharesScoreboard {
            let used = Set(processes.values.compactMap(\.block))
            freeBlocks.removeAll { used.contains($0) }
            // Those of workers that we do not know, for they belong to an image that has given up, are taken last.
            freeBlocks.sort { (scoreboard.isInUse($0) ? 1 : 0, $0) > (scoreboard.isInUse($1) ? 1 : 0, $1) }
        }
        fleet.cut = handover.cut
        handle(.adopt(adopted, slots: handover.slots, workers: handover.size, generation: handover.generation))
        // Whose end was seen by nobody is collected now.
        reap()
        if let reason = inheritance.reason {
            inheritance.settle()
            return failUpgrade("replace", reason)
        }
        upgrade = .replacing(Upgrade.Former(inheritance, workers: Set(adopted.map(\.id))))
        reloads.hold()
        handle(.renew(Array(0..<fleet.size), .replaced, reason: "upgrade"))
        if !fleet.isRenewing { upgradeIsDone(Clock.now()) }
    }

    /// A worker has become ready: the first of this build proves that it can serve.
    func proveUpgrade(_ worker: Int) {
        guard case .replacing(var former) = upgrade, !former.isProven, !former.workers.contains(worker) else { return }
        former.isProven = true
        upgrade = .replacing(former)
        former.inheritance.settle()
    }

    /// Every worker is of this build.
    func upgradeIsDone(_ now: Instant) {
        guard case .replacing(let former) = upgrade else { return }
        upgrade = .none
        former.inheritance.settle()
        let image = former.inheritance.handover.image
        log.upgradeDone(from: image, to: .own, took: now - former.inheritance.handover.begun)
        answerUpgrade(ControlAnswer(text: "upgraded from \(image.text) to \(Handover.Image.own.text)\n"))
        letReloadsGo()
    }

    /// Workers of this build do not get ready. Who has not been replaced still serves.
    func upgradeDoesNotServe(_ reason: String) {
        guard case .replacing(let former) = upgrade else { return }
        if !former.isProven { goBack(former, reason) }
        former.inheritance.settle()
        failUpgrade("replace", reason)
        letReloadsGo()
    }

    private func letReloadsGo() {
        if reloads.letGo() { beginReload() }
    }

    /// Becomes the former image again, with those of its workers that still live; only returns when that fails.
    private func goBack(_ former: Upgrade.Former, _ reason: String) {
        var handover = former.inheritance.handover
        handover.workers = handover.workers.compactMap { one in
            guard let worker = fleet.workers[one.worker.id], processes[worker.id] != nil else { return nil }
            var one = one
            one.worker = worker
            return one
        }
        handover.clients = waitingForUpgrade.compactMap { control.descriptor(of: $0) }
        handover.slots = fleet.slots
        handover.cut = fleet.cut
        handover.metrics = metrics
        for (id, process) in processes where !former.workers.contains(id) { process.child.send(.kill) }
        let error = try? leave(handover, reason: reason) { place in
            WayBack.take(
                handover.executable, arguments: CommandLine.arguments,
                environment: environment.merging(place) { $1 })
        }
        if let error { log.upgradeFailed(step: "return", reason: error.reason, image: handover.image) }
    }
}

extension Handover.Image {
    /// For people.
    var text: String { "\(version) (build \(build.prefix(12)))" }
}
