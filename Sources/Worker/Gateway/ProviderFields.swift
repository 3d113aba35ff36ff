internal import Shared

/// Field lines of an upstream's answer as a client gets them: each again as `llm_provider-<name>`, rate limits also
/// under their own names. Pure.
enum ProviderFields {
    /// Appends the lines for all fields of `head`, hop-by-hop ones left out (RFC 9110 §7.6.1).
    static func append(_ head: MessageHead, _ bytes: [UInt8], to lines: ByteBuffer) {
        for field in head.fields where !field.id.isHopByHop {
            let name = head.name(field)
            let value = head.value(field)
            lines.append("llm_provider-" as StaticString)
            for index in name { lines.append(ASCII.lowercased(bytes[index])) }
            lines.append(HeadBytes.colon)
            lines.append(bytes, value)
            lines.append(HeadBytes.lineEnd)
            if field.id == .other, name.count > 12, ASCII.equalsIgnoringCase(bytes, prefix(name), rateLimit) {
                for index in name { lines.append(ASCII.lowercased(bytes[index])) }
                lines.append(HeadBytes.colon)
                lines.append(bytes, value)
                lines.append(HeadBytes.lineEnd)
            }
        }
    }

    private static func prefix(_ name: Range<Int>) -> Range<Int> { name.lowerBound..<name.lowerBound + rateLimit.count }

    private static let rateLimit = StaticString("x-ratelimit-").bytes
}
