internal import Shared

/// Field lines of an upstream's answer as a client gets them: each again as `llm_provider-<name>`, rate limits also
/// under their own names. Pure.
enum ProviderFields {
    /// Appends the lines for all fields of `head`, hop-by-hop ones left out (RFC 9110 §7.6.1).
    static func append(_ head: MessageHead, _ bytes: [UInt8], to lines: ByteBuffer) {
        for field in head.fields where !field.id.isHopByHop {
            let name = lines.count + prefix.utf8CodeUnitCount
            lines.append(prefix, lowercasing: bytes, head.name(field), value: head.value(field))
            guard field.id == .other, lines.storage.holds(rateLimit, at: lines.start + name) else { continue }
            lines.append(again: lines.start + name..<lines.end)
        }
    }

    private static var prefix: StaticString { "llm_provider-" }
    private static var rateLimit: StaticString { "x-ratelimit-" }
}
