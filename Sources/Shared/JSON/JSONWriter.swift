/// Writes JSON: strings with the escapes that RFC 8259 §7 asks for, and small objects. Pure.
extension ByteBuffer {
    /// Appends `text` as a JSON string.
    public func append(json text: String) {
        append(ASCII.quote)
        appendEscaped(text.utf8Span.span)
        append(ASCII.quote)
    }

    /// Appends `bytes[range]`, which may hold anything, as a JSON string; what is no UTF-8 is replaced.
    public func append(json bytes: [UInt8], _ range: Range<Int>) {
        append(ASCII.quote)
        append(escaping: bytes, range)
        append(ASCII.quote)
    }

    /// Appends `bytes[range]` as part of a JSON string; what is no UTF-8 is replaced.
    public func append(escaping bytes: [UInt8], _ range: Range<Int>) {
        let end = Self.endOfUnescaped(bytes.span, range)
        guard end == range.upperBound else {
            return appendEscaped(String(decoding: bytes[range], as: UTF8.self).utf8Span.span)
        }
        append(bytes, range)
    }

    /// Copies what needs no escape in runs.
    private func appendEscaped(_ text: Span<UInt8>) {
        var position = 0
        while position < text.count {
            let end = Self.endOfUnescaped(text, position..<text.count)
            append(text.extracting(position..<end))
            guard end < text.count else { return }
            append(jsonByte: text[end])
            position = end + 1
        }
    }

    /// ASCII that stands for itself. DEL could, but not in a log that a terminal shows.
    private static func endOfUnescaped(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
        let end = ByteSearch.endOfPlainText(text, from: range.lowerBound, to: range.upperBound)
        return ByteSearch.first(0x7F, text, from: range.lowerBound, to: end)
    }

    /// Appends a JSON text that was found valid without the white space between its tokens.
    public func append(compacting bytes: [UInt8], _ range: Range<Int>) {
        var isInString = false
        var position = range.lowerBound
        while position < range.upperBound {
            let byte = bytes[position]
            if isInString, byte == ASCII.backslash {
                append(bytes, position..<min(position + 2, range.upperBound))
                position += 2
                continue
            }
            if byte == ASCII.quote { isInString.toggle() }
            if isInString || byte > ASCII.space { append(byte) }
            position += 1
        }
    }

    private func append(jsonByte byte: UInt8) {
        switch byte {
        case ASCII.quote, ASCII.backslash:
            append(ASCII.backslash)
            append(byte)
        case 0x0A: append("\\n" as StaticString)
        case 0x0D: append("\\r" as StaticString)
        case 0x09: append("\\t" as StaticString)
        case 0..<0x20, 0x7F:
            append("\\u00" as StaticString)
            append(hex: UInt64(byte), digits: 2)
        default: append(byte)
        }
    }
}

/// One JSON object under construction: `JSONObject(in: buffer)`, members, `end()`.
public struct JSONObject {
    private let buffer: ByteBuffer
    private var isEmpty = true

    public init(in buffer: ByteBuffer) {
        self.buffer = buffer
        buffer.append(0x7B)
    }

    /// Writes the key; the caller appends the value.
    public mutating func key(_ name: String) {
        if !isEmpty { buffer.append(ASCII.comma) }
        isEmpty = false
        buffer.append(json: name)
        buffer.append(ASCII.colon)
    }

    public mutating func member(_ name: String, _ value: String?) {
        key(name)
        if let value { buffer.append(json: value) } else { buffer.append("null" as StaticString) }
    }

    public mutating func member(_ name: String, _ value: Int) {
        key(name)
        if value < 0 { buffer.append(0x2D) }
        buffer.append(decimal: Int(clamping: value.magnitude))
    }

    public mutating func member(_ name: String, _ value: Bool) {
        key(name)
        buffer.append(value ? "true" as StaticString : "false")
    }

    public mutating func member(_ name: String, _ values: [String]) {
        key(name)
        buffer.append(0x5B)
        for (index, value) in values.enumerated() {
            if index > 0 { buffer.append(ASCII.comma) }
            buffer.append(json: value)
        }
        buffer.append(0x5D)
    }

    /// `json` is written as it stands.
    public mutating func member(_ name: String, raw json: [UInt8]) {
        key(name)
        buffer.append(json)
    }

    public func end() {
        buffer.append(0x7D)
    }
}
