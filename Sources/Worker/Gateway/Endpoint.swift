internal import Shared

/// What a request asks for: method and path told apart. Pure.
enum Endpoint: Equatable {
    /// A call that goes to a deployment.
    case inference(Operation, model: Range<Int>?)
    case models
    case model(id: Range<Int>)
    case modelInfo
    case live
    case ready
    case health
    case metrics
    case preflight
    case notFound
    case methodNotAllowed(allow: String)

    /// The kinds of call that deployments serve, each with the path that its URL ends with.
    enum Operation: Int, CaseIterable {
        case chat, completion, embedding, response

        var path: StaticString {
            switch self {
            case .chat: "/chat/completions"
            case .completion: "/completions"
            case .embedding: "/embeddings"
            case .response: "/responses"
            }
        }
    }

    /// `target` is the request target as sent: `/path?query`, or an absolute URL, whose authority is not looked at.
    init(_ method: Method, _ bytes: [UInt8], target: Range<Int>) {
        if case .post = method, Self.isUsual(bytes, target) {
            self = .inference(.chat, model: nil)
            return
        }
        let path = Self.path(bytes, target)
        guard let asked = Self.route(bytes, path) else {
            self = .notFound
            return
        }
        switch (asked, method) {
        case (_, .options): self = .preflight
        case (.inference, .post): self = asked
        case (.inference, _): self = .methodNotAllowed(allow: "POST")
        case (_, .get), (_, .head): self = asked
        default: self = .methodNotAllowed(allow: "GET, HEAD")
        }
    }

    /// Whether it is what nearly all ask for.
    @inline(__always)
    private static func isUsual(_ bytes: [UInt8], _ target: Range<Int>) -> Bool {
        target.count == 20 && bytes.holds("/v1/chat/completions", at: target.lowerBound)
    }

    /// The path of a request target, without its query.
    static func path(_ bytes: [UInt8], _ target: Range<Int>) -> Range<Int> {
        if isUsual(bytes, target) { return target }
        var start = target.lowerBound
        if bytes[start] != ASCII.slash {
            // absolute-form (RFC 9112 §3.2.2): the path begins at the third slash.
            var slashes = 0
            while start < target.upperBound, slashes < 3 {
                if bytes[start] == ASCII.slash { slashes += 1 }
                if slashes < 3 { start += 1 }
            }
        }
        let end = ByteSearch.first(0x3F, bytes, in: start..<target.upperBound) ?? target.upperBound
        return start..<(ByteSearch.first(0x23, bytes, in: start..<end) ?? end)
    }

    private static func route(_ bytes: [UInt8], _ whole: Range<Int>) -> Endpoint? {
        var path = whole
        if bytes.holds("/v1/", at: path.lowerBound), path.count > 4 { path = path.lowerBound + 3..<path.upperBound }
        func isPath(_ text: StaticString) -> Bool {
            path.count == text.utf8CodeUnitCount && bytes.holds(text, at: path.lowerBound)
        }
        for operation in Operation.allCases where isPath(operation.path) {
            return .inference(operation, model: nil)
        }
        if isPath("/models") { return .models }
        if isPath("/model/info") { return .modelInfo }
        if bytes.holds("/models/", at: path.lowerBound), path.count > 8 {
            return .model(id: path.lowerBound + 8..<path.upperBound)
        }
        // The rest has no form with /v1.
        path = whole
        if isPath("/health/liveliness") || isPath("/health/liveness") || isPath("/health/live") { return .live }
        if isPath("/health/readiness") || isPath("/health/ready") { return .ready }
        if isPath("/health") { return .health }
        if isPath("/metrics") || isPath("/metrics/") { return .metrics }
        return deployment(bytes, whole)
    }

    /// `/engines/{model}/chat/completions` and `/openai/deployments/{model}/chat/completions`; the model may
    /// have slashes in its name.
    private static func deployment(_ bytes: [UInt8], _ path: Range<Int>) -> Endpoint? {
        for prefix in ["/engines/", "/openai/deployments/"] as [StaticString]
        where bytes.holds(prefix, at: path.lowerBound) {
            let start = path.lowerBound + prefix.utf8CodeUnitCount
            for operation in Operation.allCases {
                let end = path.upperBound - operation.path.utf8CodeUnitCount
                if end > start, bytes[start] != ASCII.slash, bytes.holds(operation.path, at: end) {
                    return .inference(operation, model: start..<end)
                }
            }
        }
        return nil
    }
}
