/// Numbers, strings and arrays as bytes, for what processes of the same build, or its neighbour, tell each other. Pure.
///
/// Strings and arrays carry their length in front, numbers are 8 bytes, little endian.
public struct BinaryEncoder {
    /// What has been put, and room for more: an array that grows by each number and string checks and counts more than it
    /// copies.
    private var room: [UInt8] = []
    public private(set) var count = 0

    /// `capacity`: how many bytes it should have room for from the beginning.
    public init(capacity: Int = 0) {
        if capacity > 0 { room = room.grown(to: capacity, keeping: 0..<0) }
    }

    public var bytes: [UInt8] { count == room.count ? room : Array(room[..<count]) }

    public mutating func put(_ number: UInt64) {
        makeRoom(8)
        room.store(number, at: count)
        count += 8
    }

    public mutating func put(_ number: Int) { put(UInt64(bitPattern: Int64(number))) }
    public mutating func put(_ number: Double) { put(number.bitPattern) }

    public mutating func put(_ flag: Bool) {
        makeRoom(1)
        room[count] = flag ? 1 : 0
        count += 1
    }

    /// As a string is put.
    public mutating func put(raw: [UInt8]) {
        put(raw.count)
        put(bare: raw)
    }

    /// Without a length in front: who reads it knows it.
    public mutating func put(bare raw: [UInt8]) {
        put(raw.span)
    }

    /// What another one has put.
    public mutating func put(bare other: BinaryEncoder) {
        put(other.room.span.extracting(0..<other.count))
    }

    public mutating func put(_ text: String) {
        let bytes = text.utf8Span.span
        put(bytes.count)
        put(bytes)
    }

    private mutating func put(_ bytes: Span<UInt8>) {
        makeRoom(bytes.count)
        room.copy(bytes, to: count)
        count += bytes.count
    }

    @inline(__always)
    private mutating func makeRoom(_ more: Int) {
        if room.count - count < more { room = room.grown(to: max(256, (count + more) * 2), keeping: 0..<count) }
    }

    public mutating func put<Value>(_ value: Value?, _ body: (inout BinaryEncoder, Value) -> Void) {
        put(value != nil)
        if let value { body(&self, value) }
    }

    public mutating func put(_ text: String?) { put(text) { $0.put($1) } }
    public mutating func put(_ number: Double?) { put(number) { $0.put($1) } }
    public mutating func put(_ number: Int?) { put(number) { $0.put($1) } }
    public mutating func put(_ flag: Bool?) { put(flag) { $0.put($1) } }

    public mutating func put<Item>(_ items: [Item], _ body: (inout BinaryEncoder, Item) -> Void) {
        put(items.count)
        for item in items { body(&self, item) }
    }
}

/// Reads what a `BinaryEncoder` wrote, in the same order. Cut or garbled bytes throw.
public struct BinaryDecoder {
    public struct Failure: Error, Equatable { public init() {} }

    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    public init(_ bytes: [UInt8]) {
        self.init(bytes, 0..<bytes.count)
    }

    /// Reads `bytes[range]`, and nothing beyond it.
    public init(_ bytes: [UInt8], _ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "range outside of the bytes")
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    public var isAtEnd: Bool { position == end }

    public mutating func number() throws(Failure) -> UInt64 {
        guard end - position >= 8 else { throw Failure() }
        position += 8
        return ByteSearch.word(bytes.span, at: position - 8, count: 8)
    }

    public mutating func int() throws(Failure) -> Int { Int(Int64(bitPattern: try number())) }
    public mutating func double() throws(Failure) -> Double { Double(bitPattern: try number()) }

    public mutating func bool() throws(Failure) -> Bool {
        guard position < end, bytes[position] <= 1 else { throw Failure() }
        position += 1
        return bytes[position - 1] == 1
    }

    public mutating func string() throws(Failure) -> String {
        String(decoding: try piece(), as: UTF8.self)
    }

    public mutating func raw() throws(Failure) -> [UInt8] { Array(try piece()) }

    private mutating func piece() throws(Failure) -> ArraySlice<UInt8> {
        let count = try int()
        guard count >= 0, count <= end - position else { throw Failure() }
        position += count
        return bytes[position - count..<position]
    }

    public mutating func optional<Value>(_ body: (inout BinaryDecoder) throws(Failure) -> Value) throws(Failure)
        -> Value?
    {
        try bool() ? try body(&self) : nil
    }

    public mutating func optionalString() throws(Failure) -> String? {
        try optional { (input) throws(Failure) in try input.string() }
    }

    public mutating func optionalDouble() throws(Failure) -> Double? {
        try optional { (input) throws(Failure) in try input.double() }
    }

    public mutating func optionalInt() throws(Failure) -> Int? {
        try optional { (input) throws(Failure) in try input.int() }
    }

    public mutating func array<Item>(_ body: (inout BinaryDecoder) throws(Failure) -> Item) throws(Failure) -> [Item] {
        let count = try int()
        // Every item takes a byte at least, so a garbled count cannot reserve more than there is.
        guard count >= 0, count <= end - position else { throw Failure() }
        var items: [Item] = []
        items.reserveCapacity(count)
        for _ in 0..<count { items.append(try body(&self)) }
        return items
    }
}
