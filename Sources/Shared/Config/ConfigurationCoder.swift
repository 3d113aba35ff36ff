/// Numbers, strings and arrays as bytes: what `ConfigurationCoding` writes with and reads from. Pure.
///
/// Strings and arrays carry their length in front, numbers are 8 bytes, little endian.
struct ConfigurationEncoder {
    var bytes: [UInt8] = []

    mutating func put(_ number: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift))) }
    }

    mutating func put(_ number: Int) { put(UInt64(bitPattern: Int64(number))) }
    mutating func put(_ number: Double) { put(number.bitPattern) }
    mutating func put(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func put(_ text: String) {
        put(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func put<Value>(_ value: Value?, _ body: (inout ConfigurationEncoder, Value) -> Void) {
        put(value != nil)
        if let value { body(&self, value) }
    }

    mutating func put(_ text: String?) { put(text) { $0.put($1) } }
    mutating func put(_ number: Double?) { put(number) { $0.put($1) } }
    mutating func put(_ number: Int?) { put(number) { $0.put($1) } }
    mutating func put(_ flag: Bool?) { put(flag) { $0.put($1) } }

    mutating func put<Item>(_ items: [Item], _ body: (inout ConfigurationEncoder, Item) -> Void) {
        put(items.count)
        for item in items { body(&self, item) }
    }
}

struct ConfigurationInput {
    typealias Failure = Configuration.CodingError

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func number() throws(Failure) -> UInt64 {
        guard bytes.count - position >= 8 else { throw Failure() }
        var value: UInt64 = 0
        for index in 0..<8 { value |= UInt64(bytes[position + index]) << UInt64(index * 8) }
        position += 8
        return value
    }

    mutating func int() throws(Failure) -> Int { Int(Int64(bitPattern: try number())) }
    mutating func double() throws(Failure) -> Double { Double(bitPattern: try number()) }

    mutating func bool() throws(Failure) -> Bool {
        guard position < bytes.count, bytes[position] <= 1 else { throw Failure() }
        position += 1
        return bytes[position - 1] == 1
    }

    mutating func string() throws(Failure) -> String {
        let count = try int()
        guard count >= 0, count <= bytes.count - position else { throw Failure() }
        position += count
        return String(decoding: bytes[position - count..<position], as: UTF8.self)
    }

    mutating func optional<Value>(_ body: (inout ConfigurationInput) throws(Failure) -> Value) throws(Failure) -> Value?
    {
        try bool() ? try body(&self) : nil
    }

    mutating func optionalString() throws(Failure) -> String? {
        try optional { (input) throws(Failure) in try input.string() }
    }

    mutating func optionalDouble() throws(Failure) -> Double? {
        try optional { (input) throws(Failure) in try input.double() }
    }

    mutating func optionalInt() throws(Failure) -> Int? {
        try optional { (input) throws(Failure) in try input.int() }
    }

    mutating func array<Item>(_ body: (inout ConfigurationInput) throws(Failure) -> Item) throws(Failure) -> [Item] {
        let count = try int()
        // Every item takes a byte at least, so a garbled count cannot reserve more than there is.
        guard count >= 0, count <= bytes.count - position else { throw Failure() }
        var items: [Item] = []
        items.reserveCapacity(count)
        for _ in 0..<count { items.append(try body(&self)) }
        return items
    }
}
