internal import Shared
internal import Worker

/// `tagway explain`: says where a request would go, and why. Nothing is sent.
enum Explain {
    static func run(_ options: ExplainOptions) -> Int32 {
        var source = ConfigurationSource(
            path: options.config, environmentFile: options.environmentFile, isStrict: options.isStrict)
        let loaded = source.load()
        guard loaded.decoded.isUsableAtStart(strict: options.isStrict) else {
            for problem in loaded.decoded.problems where options.isStrict || problem.severity == .error {
                StandardStream.error.write("\(problem)\n")
            }
            return ExitCode.configuration
        }
        let body: [UInt8]
        let key: [UInt8]?
        do throws(Unreadable) {
            body = try options.body.map(read) ?? madeBody(options)
            key = try options.keyFile.map(read)
        } catch {
            StandardStream.error.write("tagway: cannot read \(error.path): \(error.reason)\n")
            return ExitCode.noInput
        }
        let configuration = loaded.decoded.configuration
        let own = configuration.general.masterKey.map { Array($0.reveal().utf8) }
        let request = request(options, body, key: key ?? own)
        let report = ExplainReport(explanation: Explanation(of: request, configuration), configuration: configuration)
        StandardStream.output.write(options.isJSON ? report.json : report.text)
        return report.explanation.refusal == nil ? ExitCode.done : ExitCode.refused
    }

    private struct Unreadable: Error {
        let path: String
        let reason: String
    }

    private static func read(_ path: String) throws(Unreadable) -> [UInt8] {
        switch path == "-" ? File.readInput() : File.read(path) {
        case .success(let bytes): return bytes
        case .failure(let error): throw Unreadable(path: path, reason: error.reason)
        }
    }

    // MARK: The request

    /// A body that is as good as a real one for the router, whatever the endpoint. Pure.
    static func madeBody(_ options: ExplainOptions) -> [UInt8] {
        let buffer = ByteBuffer(capacity: 256)
        var object = JSONObject(in: buffer)
        if let model = options.model { object.member("model", model) }
        object.member("messages", raw: Array("[]".utf8))
        object.member("prompt", "")
        object.member("input", "")
        object.member("stream", options.isStream)
        if let tags = options.tags { object.member("tags", tags) }
        object.end()
        return Array(buffer.storage[buffer.readable])
    }

    /// Head and body as a client would send them. `key` is what it calls with, unless a header says that. Pure.
    static func request(_ options: ExplainOptions, _ body: [UInt8], key: [UInt8]?) -> [UInt8] {
        let given = options.headers.map { line in
            line.prefix { $0 != ":" }.lowercased()
        }
        let buffer = ByteBuffer(capacity: 1024)
        buffer.append("POST \(options.path) HTTP/1.1\r\n")
        if !given.contains("host") { buffer.append(field: "host", "localhost") }
        for line in options.headers { buffer.append("\(line)\r\n") }
        if let key, options.keyFile != nil || !given.contains(where: keyFields.contains) {
            buffer.append("authorization: Bearer ")
            let text = ASCII.trimmed(key, 0..<(key.firstIndex(of: ASCII.lineFeed) ?? key.count))
            buffer.append(key, text)
            buffer.appendLineEnd()
        }
        buffer.append(field: "content-length", body.count)
        buffer.appendLineEnd()
        buffer.append(body)
        return Array(buffer.storage[buffer.readable])
    }

    private static let keyFields: Set<String> = [
        "authorization", "api-key", "x-api-key", "x-goog-api-key", "x-litellm-api-key",
    ]
}
