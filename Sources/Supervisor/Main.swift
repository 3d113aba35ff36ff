internal import Shared
internal import Worker

/// The front door of every role.
@main
enum Main {
    static let version = Product.version

    static func main() {
        let command: Command
        do throws(UsageError) {
            command = try Command(Array(CommandLine.arguments.dropFirst()))
        } catch {
            let hint = error.hint.map { " (\($0))" } ?? ""
            let topic = error.topic == .general ? "" : " \(error.topic.rawValue)"
            StandardStream.error.write("tagway: \(error.message)\(hint)\nSee `tagway help\(topic)`.\n")
            CurrentProcess.end(ExitCode.usage)
        }
        // Started through /proc/self/exe or a descriptor, it would be called after that.
        CurrentProcess.setName("tagway")
        switch command {
        case .serve(let options): CurrentProcess.end(Supervisor.run(options))
        case .worker(let arguments): WorkerMain.run(arguments)
        case .check(let options): CurrentProcess.end(Check.run(options))
        case .explain(let options): CurrentProcess.end(Explain.run(options))
        case .control(let options): CurrentProcess.end(Control.run(options))
        case .version: StandardStream.output.write("tagway \(version)\n")
        case .help(let topic): StandardStream.output.write(Help.text(topic))
        }
    }
}
