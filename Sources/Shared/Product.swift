/// What this is, as others are told.
public enum Product {
    public static let version = "0.1.0"
    /// The version of LiteLLM's proxy whose answers are matched.
    public static let referenceVersion = "1.106.2"
}
