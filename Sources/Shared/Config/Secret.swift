/// A key or a password. Prints as `<secret>`, so that no log, error or status shows it by accident.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    package init(_ value: String) {
        self.value = value
    }

    /// The secret itself, for the one place that sends or compares it.
    package func reveal() -> String { value }

    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: [] as [Mirror.Child]) }
}
