/// The resolved configuration as bytes, as the supervisor hands it to its workers, and back. Pure.
///
/// Strings and arrays carry their length in front, numbers are 8 bytes, little endian. Both sides are the same
/// executable, so the format needs no history: a version that differs is an error. Cut or garbled input throws.
extension Configuration {
    package struct CodingError: Error, Equatable {}

    private static let version: UInt64 = 1

    package func encoded() -> [UInt8] {
        var out = Encoder()
        out.put(Self.version)
        out.put(deployments) { out, item in item.encode(into: &out) }
        router.encode(into: &out)
        out.put(general.masterKey?.reveal())
        out.put(general.permitsWeakMasterKey)
        switch tls.verification {
        case .system: out.put(UInt64(0))
        case .off: out.put(UInt64(1))
        case .authorities(let text):
            out.put(UInt64(2))
            out.put(text)
        }
        process.encode(into: &out)
        out.put(leftOut) { out, item in
            out.put(item.modelName)
            out.put(item.reason)
        }
        return out.bytes
    }

    package init(encoded bytes: [UInt8]) throws(CodingError) {
        self.init()
        var input = Decoder(bytes)
        guard try input.number() == Self.version else { throw CodingError() }
        deployments = try input.array { (input) throws(CodingError) in try Deployment(from: &input) }
        router = try RouterSettings(from: &input)
        general.masterKey = try input.optionalString().map(Secret.init)
        general.permitsWeakMasterKey = try input.bool()
        switch try input.number() {
        case 0: tls.verification = .system
        case 1: tls.verification = .off
        case 2: tls.verification = .authorities(try input.string())
        default: throw CodingError()
        }
        process = try ProcessSettings(from: &input)
        leftOut = try input.array { (input) throws(CodingError) in
            LeftOutGroup(modelName: try input.string(), reason: try input.string())
        }
        guard input.isAtEnd else { throw CodingError() }
    }
}

private struct Encoder {
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

    mutating func put<Value>(_ value: Value?, _ body: (inout Encoder, Value) -> Void) {
        put(value != nil)
        if let value { body(&self, value) }
    }

    mutating func put(_ text: String?) { put(text) { $0.put($1) } }
    mutating func put(_ number: Double?) { put(number) { $0.put($1) } }
    mutating func put(_ number: Int?) { put(number) { $0.put($1) } }
    mutating func put(_ flag: Bool?) { put(flag) { $0.put($1) } }

    mutating func put<Item>(_ items: [Item], _ body: (inout Encoder, Item) -> Void) {
        put(items.count)
        for item in items { body(&self, item) }
    }
}

private struct Decoder {
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

    mutating func optional<Value>(_ body: (inout Decoder) throws(Failure) -> Value) throws(Failure) -> Value? {
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

    mutating func array<Item>(_ body: (inout Decoder) throws(Failure) -> Item) throws(Failure) -> [Item] {
        let count = try int()
        // Every item takes a byte at least, so a garbled count cannot reserve more than there is.
        guard count >= 0, count <= bytes.count - position else { throw Failure() }
        var items: [Item] = []
        items.reserveCapacity(count)
        for _ in 0..<count { items.append(try body(&self)) }
        return items
    }
}

extension Deployment {
    fileprivate func encode(into out: inout Encoder) {
        for text in [modelName, id, model, upstreamModel, apiBase, basePath, parametersJSON, infoJSON] { out.put(text) }
        out.put(apiKey?.reveal())
        out.put(origin.isSecure)
        out.put(origin.host)
        out.put(Int(origin.port))
        out.put(tags) { $0.put($1) }
        out.put(tagPatterns) { $0.put($1) }
        for number in [weight, rpm, tpm, timeout, streamTimeout] { out.put(number) }
        out.put(order)
        out.put(numRetries)
        out.put(mockResponse)
        out.put(extraHeaders) { out, header in
            out.put(header.name)
            out.put(header.value)
        }
        out.put(defaults) { out, parameter in
            out.put(parameter.name)
            out.put(parameter.json)
        }
        out.put(enableTagFiltering)
        out.put(allowFailOpen)
        out.put(unconfigured)
    }

    fileprivate init(from input: inout Decoder) throws(Configuration.CodingError) {
        self.init()
        modelName = try input.string()
        id = try input.string()
        model = try input.string()
        upstreamModel = try input.string()
        apiBase = try input.string()
        basePath = try input.string()
        parametersJSON = try input.string()
        infoJSON = try input.string()
        apiKey = try input.optionalString().map(Secret.init)
        origin.isSecure = try input.bool()
        origin.host = try input.string()
        origin.port = UInt16(truncatingIfNeeded: try input.int())
        tags = try input.array { (input) throws(Configuration.CodingError) in try input.string() }
        tagPatterns = try input.array { (input) throws(Configuration.CodingError) in try input.string() }
        weight = try input.optionalDouble()
        rpm = try input.optionalDouble()
        tpm = try input.optionalDouble()
        timeout = try input.optionalDouble()
        streamTimeout = try input.optionalDouble()
        order = try input.optionalInt()
        numRetries = try input.optionalInt()
        mockResponse = try input.optionalString()
        extraHeaders = try input.array { (input) throws(Configuration.CodingError) in
            HeaderSetting(name: try input.string(), value: try input.string())
        }
        defaults = try input.array { (input) throws(Configuration.CodingError) in
            DefaultParameter(name: try input.string(), json: try input.string())
        }
        enableTagFiltering = try input.optional { (input) throws(Configuration.CodingError) in try input.bool() }
        allowFailOpen = try input.bool()
        unconfigured = try input.optionalString()
    }
}

extension RouterSettings {
    fileprivate func encode(into out: inout Encoder) {
        out.put(enableTagFiltering)
        out.put(matchAny)
        out.put(tagPrefix)
        out.put(semantics == .strict)
        out.put(numRetries)
        out.put(timeout)
        out.put(streamTimeout)
        out.put(aliases) { out, alias in
            out.put(alias.name)
            out.put(alias.target)
            out.put(alias.isHidden)
        }
    }

    fileprivate init(from input: inout Decoder) throws(Configuration.CodingError) {
        self.init()
        enableTagFiltering = try input.bool()
        matchAny = try input.bool()
        tagPrefix = try input.string()
        semantics = try input.bool() ? .strict : .litellm
        numRetries = try input.int()
        timeout = try input.optionalDouble()
        streamTimeout = try input.optionalDouble()
        aliases = try input.array { (input) throws(Configuration.CodingError) in
            ModelAlias(name: try input.string(), target: try input.string(), isHidden: try input.bool())
        }
    }
}

extension ProcessSettings {
    fileprivate func encode(into out: inout Encoder) {
        out.put(workers)
        out.put(headerBytes)
        out.put(bodyBytes)
        for number in [clientIdle, clientHeader, clientBody, clientWrite, connectTimeout, drainTimeout] {
            out.put(number)
        }
        out.put(accessLog)
        out.put(watch)
        out.put(httpsProxy)
        out.put(httpProxy)
        out.put(noProxy)
    }

    fileprivate init(from input: inout Decoder) throws(Configuration.CodingError) {
        self.init()
        workers = try input.optionalInt()
        headerBytes = try input.int()
        bodyBytes = try input.int()
        clientIdle = try input.double()
        clientHeader = try input.double()
        clientBody = try input.double()
        clientWrite = try input.double()
        connectTimeout = try input.double()
        drainTimeout = try input.double()
        accessLog = try input.bool()
        watch = try input.bool()
        httpsProxy = try input.optionalString()
        httpProxy = try input.optionalString()
        noProxy = try input.optionalString()
    }
}
