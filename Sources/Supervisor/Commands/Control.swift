internal import Shared

/// `tagway ctl`.
enum Control {
    static func run(_ options: ControlOptions) -> Int32 { ExitCode.unavailable }
}
