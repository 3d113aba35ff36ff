/// The resolved configuration as bytes, as the supervisor hands it to its workers, and back. Pure.
///
///     version, length of the front, front: settings, lengths │ of each deployment its choice │ of each the rest
///
/// A worker reads the front and all choices, and the rest of a deployment when somebody asks it (`ConfigurationFront`).
/// Both sides are the same executable, so the format needs no history: a version that differs is an error. Cut or
/// garbled input throws.
extension Configuration {
    public typealias CodingError = BinaryDecoder.Failure

    fileprivate static let version: UInt64 = 6

    public func encoded() -> [UInt8] {
        var choices = BinaryEncoder()
        var rests = BinaryEncoder()
        var lengths: [(choice: Int, rest: Int)] = []
        lengths.reserveCapacity(deployments.count)
        for index in deployments.indices {
            let (choice, rest) = (choices.count, rests.count)
            deployments[index].encodeChoice(into: &choices)
            deployments[index].encodeRest(into: &rests)
            lengths.append((choices.count - choice, rests.count - rest))
        }
        var front = BinaryEncoder()
        encodeSettings(into: &front)
        front.put(lengths) { out, length in
            out.put(length.choice)
            out.put(length.rest)
        }
        var out = BinaryEncoder(capacity: ConfigurationFront.headLength + front.count + choices.count + rests.count)
        out.put(Self.version)
        out.put(front.count)
        out.put(bare: front)
        out.put(bare: choices)
        out.put(bare: rests)
        return out.bytes
    }

    private func encodeSettings(into out: inout BinaryEncoder) {
        router.encode(into: &out)
        out.put(general.masterKey?.reveal())
        out.put(general.permitsWeakMasterKey)
        out.put(general.metricsNeedKey)
        switch tls.verification {
        case .system: out.put(UInt64(0))
        case .off: out.put(UInt64(1))
        case .authorities(let text):
            out.put(UInt64(2))
            out.put(text)
        }
        process.encode(into: &out)
        supervision.encode(into: &out)
        out.put(leftOut) { out, item in
            out.put(item.modelName)
            out.put(item.reason)
        }
    }

    public init(encoded bytes: [UInt8]) throws(CodingError) {
        let front = try ConfigurationFront(bytes)
        guard front.end == bytes.count else { throw CodingError() }
        self = front.settings
        deployments.reserveCapacity(front.count)
        for index in 0..<front.count {
            deployments.append(try Deployment(choice: (bytes, front.choice(index)), rest: (bytes, front.rest(index))))
        }
    }

    fileprivate init(settingsFrom input: inout BinaryDecoder) throws(CodingError) {
        self.init()
        router = try RouterSettings(from: &input)
        general.masterKey = try input.optionalString().map(Secret.init)
        general.permitsWeakMasterKey = try input.bool()
        general.metricsNeedKey = try input.bool()
        switch try input.number() {
        case 0: tls.verification = .system
        case 1: tls.verification = .off
        case 2: tls.verification = .authorities(try input.string())
        default: throw CodingError()
        }
        process = try ProcessSettings(from: &input)
        supervision = try SupervisionSettings(from: &input)
        leftOut = try input.array { (input) throws(CodingError) in
            LeftOutGroup(modelName: try input.string(), reason: try input.string())
        }
    }
}

/// How an encoded configuration begins: all but its deployments, and where they are. Pure.
public struct ConfigurationFront: Sendable {
    /// Without deployments.
    public let settings: Configuration
    /// Where the choice and the rest of each deployment begin, and where the last ones end.
    private let choices: [Int]
    private let rests: [Int]

    /// How many bytes say how long the front is.
    public static let headLength = 16

    /// The length of the front, by the first `headLength` bytes.
    public static func length(_ head: [UInt8]) throws(Configuration.CodingError) -> Int {
        var input = BinaryDecoder(head)
        guard try input.number() == Configuration.version else { throw Configuration.CodingError() }
        let length = try input.int()
        guard length >= 0, length < Int.max - headLength else { throw Configuration.CodingError() }
        return headLength + length
    }

    /// Reads the front, with which `bytes` have to begin.
    public init(_ bytes: [UInt8]) throws(Configuration.CodingError) {
        let length = try Self.length(bytes)
        guard length <= bytes.count else { throw Configuration.CodingError() }
        var input = BinaryDecoder(bytes, Self.headLength..<length)
        settings = try Configuration(settingsFrom: &input)
        let lengths = try input.array { (input) throws(Configuration.CodingError) in
            (try input.int(), try input.int())
        }
        guard input.isAtEnd else { throw Configuration.CodingError() }
        choices = try Self.bounds(from: length, lengths.lazy.map(\.0))
        rests = try Self.bounds(from: choices[lengths.count], lengths.lazy.map(\.1))
    }

    private static func bounds(
        from start: Int, _ lengths: some Collection<Int>
    ) throws(Configuration.CodingError) -> [Int] {
        var bounds = [start]
        bounds.reserveCapacity(lengths.count + 1)
        var end = start
        for length in lengths {
            let (next, overflow) = end.addingReportingOverflow(length)
            guard length >= 0, !overflow else { throw Configuration.CodingError() }
            end = next
            bounds.append(end)
        }
        return bounds
    }

    /// How many deployments there are.
    public var count: Int { choices.count - 1 }
    /// Where the whole configuration ends.
    public var end: Int { rests[count] }

    /// Where that lies which decides about the choice of a deployment, and where the rest of it.
    public func choice(_ index: Int) -> Range<Int> { choices[index]..<choices[index + 1] }
    public func rest(_ index: Int) -> Range<Int> { rests[index]..<rests[index + 1] }
}

extension Deployment {
    /// Where in some bytes something lies.
    public typealias Piece = (bytes: [UInt8], range: Range<Int>)

    /// Reads only what decides about its choice: what the router, the counters and the pools of connections look at.
    public init(choice: Piece) throws(Configuration.CodingError) {
        self.init()
        var input = BinaryDecoder(choice.bytes, choice.range)
        try decodeChoice(from: &input)
        guard input.isAtEnd else { throw Configuration.CodingError() }
    }

    public init(choice: Piece, rest: Piece) throws(Configuration.CodingError) {
        try self.init(choice: choice)
        var input = BinaryDecoder(rest.bytes, rest.range)
        try decodeRest(from: &input)
        guard input.isAtEnd else { throw Configuration.CodingError() }
    }
}

extension Deployment {
    fileprivate func encodeChoice(into out: inout BinaryEncoder) {
        out.put(modelName)
        out.put(id)
        out.put(upstreamModel)
        out.put(origin.isSecure)
        out.put(origin.host)
        out.put(Int(origin.port))
        out.put(tags) { $0.put($1) }
        out.put(tagPatterns) { $0.put($1) }
        out.put(weight)
        out.put(rpm)
        out.put(tpm)
        out.put(timeout)
        out.put(streamTimeout)
        out.put(streamIdleTimeout)
        out.put(cooldownTime)
        out.put(inputCost)
        out.put(outputCost)
        out.put(order)
        out.put(numRetries)
        out.put(boardSlot)
        out.put(enableTagFiltering)
        out.put(allowFailOpen)
        out.put(unconfigured)
    }

    fileprivate func encodeRest(into out: inout BinaryEncoder) {
        out.put(model)
        out.put(apiBase)
        out.put(basePath)
        out.put(parametersJSON)
        out.put(infoJSON)
        out.put(apiKey?.reveal())
        out.put(mockResponse)
        out.put(extraHeaders) { out, header in
            out.put(header.name)
            out.put(header.value)
        }
        out.put(defaults) { out, parameter in
            out.put(parameter.name)
            out.put(parameter.json)
        }
    }

    private mutating func decodeChoice(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        modelName = try input.string()
        id = try input.string()
        upstreamModel = try input.string()
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
        streamIdleTimeout = try input.optionalDouble()
        cooldownTime = try input.optionalDouble()
        inputCost = try input.optionalDouble()
        outputCost = try input.optionalDouble()
        order = try input.optionalInt()
        numRetries = try input.optionalInt()
        boardSlot = try input.int()
        enableTagFiltering = try input.optional { (input) throws(Configuration.CodingError) in try input.bool() }
        allowFailOpen = try input.bool()
        unconfigured = try input.optionalString()
    }

    private mutating func decodeRest(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        model = try input.string()
        apiBase = try input.string()
        basePath = try input.string()
        parametersJSON = try input.string()
        infoJSON = try input.string()
        apiKey = try input.optionalString().map(Secret.init)
        mockResponse = try input.optionalString()
        extraHeaders = try input.array { (input) throws(Configuration.CodingError) in
            HeaderSetting(name: try input.string(), value: try input.string())
        }
        defaults = try input.array { (input) throws(Configuration.CodingError) in
            DefaultParameter(name: try input.string(), json: try input.string())
        }
    }
}

extension ProcessSettings {
    fileprivate func encode(into out: inout BinaryEncoder) {
        out.put(workers)
        out.put(headerBytes)
        out.put(bodyBytes)
        for number in [clientIdle, clientHeader, clientBody, clientWrite, connectTimeout, requestTimeout, drainTimeout]
        {
            out.put(number)
        }
        out.put(accessLog)
        out.put(holdUntilContent) { $0.put($1) }
        out.put(listen) { $0.put($1) { $0.put($1) } }
        out.put(watch)
        out.put(httpsProxy)
        out.put(httpProxy)
        out.put(noProxy)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        workers = try input.optionalInt()
        headerBytes = try input.int()
        bodyBytes = try input.int()
        clientIdle = try input.double()
        clientHeader = try input.double()
        clientBody = try input.double()
        clientWrite = try input.double()
        connectTimeout = try input.double()
        requestTimeout = try input.double()
        drainTimeout = try input.double()
        accessLog = try input.bool()
        holdUntilContent = try input.optional { (input) throws(Configuration.CodingError) in try input.bool() }
        listen = try input.optional { (input) throws(Configuration.CodingError) in
            try input.array { (input) throws(Configuration.CodingError) in try input.string() }
        }
        watch = try input.bool()
        httpsProxy = try input.optionalString()
        httpProxy = try input.optionalString()
        noProxy = try input.optionalString()
    }
}

extension SupervisionSettings {
    fileprivate func encode(into out: inout BinaryEncoder) {
        for number in [lameDuck, idleGrace, watchdogTimeout, probation, noWorkerExit, recycleAge] { out.put(number) }
        out.put(maxWorkers)
        out.put(recycleRequests)
        out.put(recycleMemory)
    }

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
        self.init()
        lameDuck = try input.double()
        idleGrace = try input.double()
        watchdogTimeout = try input.double()
        probation = try input.double()
        noWorkerExit = try input.double()
        recycleAge = try input.double()
        maxWorkers = try input.optionalInt()
        recycleRequests = try input.int()
        recycleMemory = try input.int()
    }
}
