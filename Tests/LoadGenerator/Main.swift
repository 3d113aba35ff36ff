import Shared

/// A program that puts a gateway under load at a fixed rate and accounts for every failure, and one that stands for
/// its upstream.
@main enum Main {
    static let usage = """
        usage: load-generator upstream [--events N] [--pause MS] [--delay MS]
               load-generator load --port P --key K [--kept N --rate R [--turnover T]] [--fresh R] [--streams N]
                                   [--seconds S] [--patience S]

        upstream   prints its port, answers at once or after --delay, and streams --events numbered events, one every
                   --pause. SIGUSR1 has every stream under way end in order.
        load       --kept N --rate R: R requests a second over N kept-alive connections, which are renewed behind T of a
                   thousand requests; --fresh R: R a second, each over a connection of its own; --streams N: N streams,
                   each begun anew when it has ended. All side by side, for --seconds or until SIGTERM. Prints `begun`
                   when all is connected, and a report in JSON at the end. SIGUSR1 begins the next phase, which has
                   figures of its own. What takes longer than --patience (5 s) has failed.

        A request is due at its time, whether or not those before it have been answered, and its latency counts from
        there.

        """

    static func main() {
        var words = CommandLine.arguments.dropFirst()
        var options = LoadOptions()
        guard let role = words.popFirst(), role == "upstream" || role == "load", options.read(words),
            role == "upstream" || options.port > 0
        else {
            StandardStream.error.write(usage)
            CurrentProcess.end(64)
        }
        SignalDescriptor.ignore([.pipe])
        EventLoop.shared.takeProcess()
        let chosen = options
        do throws(SystemError) {
            let signals = SignalBox(try SignalDescriptor(taking: [.user1, .terminate]))
            EventLoop.shared.start {
                if role == "upstream" {
                    await NumberedUpstream(chosen, signals).run()
                } else {
                    await LoadRun(chosen, signals).run()
                    CurrentProcess.end(0)
                }
            }
        } catch {
            StandardStream.error.write("load-generator: \(error)\n")
            CurrentProcess.end(71)
        }
        EventLoop.shared.run()
    }
}

/// What both roles are told by signals.
struct SignalBox: Sendable {
    private final class Holder: Sendable {
        let signals: SignalDescriptor

        init(_ signals: consuming SignalDescriptor) {
            self.signals = signals
        }
    }

    private let holder: Holder

    init(_ signals: consuming SignalDescriptor) {
        holder = Holder(signals)
    }

    /// Calls `heard` for each signal that comes.
    @Loop func listen(_ heard: (Signal) -> Void) async {
        guard let readiness = try? Readiness(watching: holder.signals.number) else { return }
        while true {
            while let record = holder.signals.next() { heard(record.signal) }
            readiness.isReadable = false
            _ = await readiness.waitReadable(until: .never)
        }
    }
}
