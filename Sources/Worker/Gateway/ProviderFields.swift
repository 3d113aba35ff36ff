internal import Shared

/// Field lines of an upstream's answer as a client gets them: each again as `llm_provider-<name>`, rate limits also
/// under their own names. Pure.
enum ProviderFields {
    /// Appends the lines for all fields of `head`, hop-by-hop ones left out (RFC 9110 §7.6.1).
    static func append(_ head: MessageHead, _ bytes: [UInt8], to lines: ByteBuffer) {
        lines.append("llm_provider-", fieldsOf: head, bytes)
        if head.has(.rateLimit) { lines.append("", fieldsOf: head, bytes, onlyRateLimits: true) }
    }
}
