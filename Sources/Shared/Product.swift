/// What this is, as others are told.
package enum Product {
    package static let version = "0.1.0"
    /// The version of LiteLLM's proxy whose answers are matched.
    package static let referenceVersion = "1.106.2"
}
