internal import Shared

/// Field lines of an upstream's answer as a client gets them: each again as `llm_provider-<name>`, rate limits also
/// under their own names. Pure.
enum ProviderFields {
    /// Appends the lines for all fields of `head`, hop-by-hop ones left out (RFC 9110 §7.6.1).
    static func append(_ head: MessageHead, _ bytes: [UInt8], to lines: ByteBuffer) {
        var line = lines.count
        lines.append(prefix, fieldsOf: head, bytes)
        guard head.has(.rateLimit) else { return }
        for field in head.fields where !field.id.isHopByHop {
            let end = line + prefix.utf8CodeUnitCount + head.name(field).count + head.value(field).count + 4
            if case .rateLimit = field.id {
                lines.append(again: lines.start + line + prefix.utf8CodeUnitCount..<lines.start + end)
            }
            line = end
        }
    }

    private static var prefix: StaticString { "llm_provider-" }
}
