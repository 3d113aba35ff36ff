/// The resolved configuration as bytes, as the supervisor hands it to its workers, and back. Pure.
///
/// Both sides are the same executable, so the format needs no history: a version that differs is an error. Cut or
/// garbled input throws.
extension Configuration {
    package typealias CodingError = BinaryDecoder.Failure

    private static let version: UInt64 = 4

    package func encoded() -> [UInt8] {
        var out = BinaryEncoder()
        out.put(Self.version)
        out.put(deployments) { out, item in item.encode(into: &out) }
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
        return out.bytes
    }

    package init(encoded bytes: [UInt8]) throws(CodingError) {
        self.init()
        var input = BinaryDecoder(bytes)
        guard try input.number() == Self.version else { throw CodingError() }
        deployments = try input.array { (input) throws(CodingError) in try Deployment(from: &input) }
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
        guard input.isAtEnd else { throw CodingError() }
    }
}

extension Deployment {
    fileprivate func encode(into out: inout BinaryEncoder) {
        for text in [modelName, id, model, upstreamModel, apiBase, basePath, parametersJSON, infoJSON] { out.put(text) }
        out.put(apiKey?.reveal())
        out.put(origin.isSecure)
        out.put(origin.host)
        out.put(Int(origin.port))
        out.put(tags) { $0.put($1) }
        out.put(tagPatterns) { $0.put($1) }
        for number in [
            weight, rpm, tpm, timeout, streamTimeout, streamIdleTimeout, cooldownTime, inputCost, outputCost,
        ] {
            out.put(number)
        }
        out.put(order)
        out.put(numRetries)
        out.put(boardSlot)
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

    fileprivate init(from input: inout BinaryDecoder) throws(Configuration.CodingError) {
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
        streamIdleTimeout = try input.optionalDouble()
        cooldownTime = try input.optionalDouble()
        inputCost = try input.optionalDouble()
        outputCost = try input.optionalDouble()
        order = try input.optionalInt()
        numRetries = try input.optionalInt()
        boardSlot = try input.int()
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
