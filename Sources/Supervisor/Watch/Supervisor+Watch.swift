internal import Shared

/// Reloads when a file of the configuration has changed.
extension Supervisor {
    /// As the configuration in force says.
    func adjustWatch() {
        guard configuration.process.watch else { return watch.stop() }
        let had = watch.number != nil
        do throws(SystemError) {
            try watch.start(now: Clock.now())
            if !had, let number = watch.number { try epoll.add(number, .readable, token: Token.watch) }
        } catch {
            log.watchLimited(error)
        }
        for path in watch.mountedFiles() { log.mountedFile(path) }
    }

    func lookAtFiles() {
        let now = Clock.now()
        guard watch.nextDeadline <= now, !fleet.isStopping, reloads.current == nil else { return }
        if watch.sawChange(now: now, in: source) { reload("watch") }
    }
}
