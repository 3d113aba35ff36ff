internal import Shared

/// Every failure that a client can be told of. The only place that turns failures into a status and an
/// OpenAI-shaped body. Pure.
///
/// Statuses and types are the reference's where clients depend on them; where they differ, docs/compatibility.md
/// says why.
enum GatewayError: Error {
    case refusal(RequestRefusal)
    case notFound
    case methodNotAllowed(allow: String)
    /// `/v1/models/{id}` of a name that is not served.
    case noSuchModel(String)
    case credentials(Credentials.Refusal)
    case invalidJSON(reason: String)
    case notAnObject
    case modelNotAString
    /// Missing, empty or unknown.
    case unknownModel(String)
    case missingParameter(StaticString)
    case wrongParameter(StaticString, expected: StaticString)
    case malformedTags(reason: String)
    /// A parameter that a caller may not set: it would send the request elsewhere.
    case forbiddenParameter(String)
    case unsupportedParameter(String)
    case tagsRefused(model: String, tags: String, status: Int)
    case commaSeparatedModels
    /// The group's deployments were left out at load, for the reason given.
    case leftOut(model: String, reason: String)
    /// The group's deployments lack something the environment should have given.
    case unconfigured(model: String, reason: String)
    case upstreamStatus(Int, message: String, code: String, group: String)
    case upstream(UpstreamTrouble, group: String)
    /// All deployments that may serve the request are down, or have used up their limits.
    case outage(model: String, seconds: Int, isCooling: Bool)
    case draining

    /// What went wrong with an upstream that gave no usable answer.
    enum UpstreamTrouble: Equatable {
        case timeout(phase: String)
        case unreachable(reason: String)
        case brokenAnswer(reason: String)
        /// An error inside a 200.
        case errorInAnswer(message: String)
    }

    struct Answer: Equatable {
        var status: Int
        var type: String
        var param: String?
        var message: String
    }

    var answer: Answer {
        switch self {
        case .refusal(let refusal): return Self.answer(to: refusal)
        case .notFound: return Answer(status: 404, type: "not_found_error", message: "Not Found")
        case .methodNotAllowed: return Answer(status: 405, type: "invalid_request_error", message: "Method Not Allowed")
        case .noSuchModel(let name):
            return Answer(
                status: 404, type: "not_found_error", message: "The model '\(name)' does not exist. See /v1/models.")
        case .credentials(.missing):
            return Answer(
                status: 401, type: "auth_error", param: "None",
                message: "Authentication Error, No api key passed in. Send it as 'Authorization: Bearer <key>'.")
        case .credentials(.notBearer):
            return Answer(
                status: 401, type: "auth_error", param: "None",
                message: "Authentication Error, Malformed API Key passed in. Ensure the key has a 'Bearer ' prefix.")
        case .credentials(.wrong):
            return Answer(
                status: 401, type: "auth_error", param: "key",
                message: "Authentication Error, Invalid proxy server token passed. The key is not known here.")
        case .invalidJSON(let reason):
            return Answer(
                status: 400, type: "invalid_request_error", param: "request_body",
                message: "Invalid JSON payload: \(reason)")
        case .notAnObject:
            return Answer(
                status: 400, type: "invalid_request_error", param: "request_body",
                message: "Invalid JSON payload: the request body has to be a JSON object")
        case .modelNotAString:
            return Answer(
                status: 400, type: "bad_request_error", param: "model", message: "Invalid 'model': expected a string")
        case .unknownModel(let name):
            return Answer(
                status: 400, type: "invalid_request_error",
                message:
                    "Invalid model name passed in model=\(name). Call `/v1/models` to view available models for your key."
            )
        case .missingParameter(let name):
            return Answer(
                status: 400, type: "invalid_request_error", param: "\(name)",
                message: "Missing required parameter: '\(name)'")
        case .wrongParameter(let name, let expected):
            return Answer(
                status: 400, type: "invalid_request_error", param: "\(name)",
                message: "Invalid type for '\(name)': expected \(expected)")
        case .malformedTags(let reason):
            return Answer(
                status: 400, type: "invalid_request_error", param: "tags",
                message: "Invalid 'tags': \(reason). Tags have to be a list of strings.")
        case .forbiddenParameter(let name):
            return Answer(
                status: 401, type: "auth_error", param: name,
                message:
                    "Authentication Error, '\(name)' is not allowed in a request: deployments are the gateway's choice."
            )
        case .unsupportedParameter(let name):
            return Answer(
                status: 400, type: "invalid_request_error", param: name,
                message: "Parameter '\(name)' is not allowed in a request.")
        case .tagsRefused(let model, let tags, let status):
            return Answer(
                status: status, type: "internal_server_error",
                message:
                    "Not allowed to access model due to tags configuration. Passed model=\(model) and tags=\(tags)")
        case .commaSeparatedModels:
            return Answer(
                status: 400, type: "invalid_request_error", param: "model",
                message: "Invalid model name passed in model=: several models in one request are not supported.")
        case .leftOut(let model, let reason):
            return Answer(
                status: 400, type: "invalid_request_error",
                message: "No healthy deployments for model=\(model): left out at start, \(reason)")
        case .unconfigured(let model, let reason):
            return Answer(
                status: 503, type: "deployment_unconfigured",
                message: "No configured deployment for model=\(model): \(reason)")
        case .upstreamStatus(let status, let message, let code, let group):
            let kind = UpstreamError.className(status: status, message: message, code: code)
            return Answer(
                status: status, type: UpstreamError.type(status: status),
                message: "litellm.\(kind): \(kind): OpenAIException - \(message). Received Model Group=\(group)")
        case .upstream(let trouble, let group):
            return Self.answer(to: trouble, group)
        case .outage(let model, let seconds, let isCooling):
            return Answer(
                status: 429, type: isCooling ? "all_deployments_in_cooldown" : "rate_limit_error",
                message: "No deployments available for selected model, Try again in \(seconds) seconds. "
                    + "Passed model=\(model).")
        case .draining:
            return Answer(
                status: 503, type: "service_unavailable_error",
                message: "The gateway is stopping and cut this request. Send it again.")
        }
    }

    private static func answer(to refusal: RequestRefusal) -> Answer {
        let type = "invalid_request_error"
        switch refusal {
        case .violation(let violation):
            let status =
                switch violation.kind {
                case .malformed: 400
                case .headTooLarge: 431
                case .version: 505
                case .transferCoding: 501
                case .bodyTooLarge: 413
                }
            return Answer(status: status, type: type, message: "Invalid HTTP request: \(violation.reason).")
        case .deadline(let body):
            let part = body ? "body" : "header"
            return Answer(status: 408, type: type, message: "The request \(part) did not arrive in time.")
        case .cutOff:
            return Answer(status: 400, type: type, message: "The request ended before it was complete.")
        }
    }

    private static func answer(to trouble: UpstreamTrouble, _ group: String) -> Answer {
        switch trouble {
        case .timeout(let phase):
            return Answer(
                status: 504, type: "timeout_error",
                message:
                    "litellm.Timeout: Timeout: the upstream's \(phase) took too long. Received Model Group=\(group)")
        case .unreachable(let reason):
            return Answer(
                status: 502, type: "upstream_connection_error",
                message:
                    "litellm.InternalServerError: InternalServerError: Connection error: \(reason). Received Model Group=\(group)"
            )
        case .brokenAnswer(let reason):
            return Answer(
                status: 502, type: "upstream_protocol_error",
                message:
                    "litellm.APIError: APIError: the upstream's answer cannot be used: \(reason). Received Model Group=\(group)"
            )
        case .errorInAnswer(let message):
            return Answer(
                status: 502, type: "upstream_error",
                message: "litellm.APIError: APIError: OpenAIException - \(message). Received Model Group=\(group)")
        }
    }
}

/// The reference's names for what an upstream's status means.
enum UpstreamError {
    static func className(status: Int, message: String, code: String) -> String {
        switch status {
        case 400 where code == "context_length_exceeded" || message.contains("maximum context length"):
            "ContextWindowExceededError"
        case 400 where code == "content_policy_violation" || code == "content_filter": "ContentPolicyViolationError"
        case 400: "BadRequestError"
        case 401: "AuthenticationError"
        case 403: "PermissionDeniedError"
        case 404: "NotFoundError"
        case 408, 504: "Timeout"
        case 422: "UnprocessableEntityError"
        case 429: "RateLimitError"
        case 500: "InternalServerError"
        case 502: "BadGatewayError"
        case 503: "ServiceUnavailableError"
        default: "APIError"
        }
    }

    /// What an upstream's `error` says: its message, where it is an object, else itself.
    static func message(_ bytes: [UInt8], _ value: Range<Int>, _ kind: JSONScanner.Kind) -> String {
        switch kind {
        case .object:
            guard let message = JSONWalker.member("message", of: value, bytes) else { return text(bytes, value) }
            return message.kind == .string ? unescaped(bytes, message.text) : text(bytes, message.range)
        case .string: return unescaped(bytes, value.lowerBound + 1..<value.upperBound - 1)
        default: return text(bytes, value)
        }
    }

    /// The status-independent facts of an error body: `{"error": {"message", "code"}}`, or what others send instead.
    static func read(_ bytes: [UInt8], _ body: Range<Int>, _ status: Int) -> (message: String, code: String) {
        var scanner = JSONScanner()
        guard (try? scanner.scanAll(bytes, body)) != nil, scanner.kind == .object,
            let start = bytes[body].firstIndex(of: 0x7B)
        else {
            let text = text(bytes, body)
            return (text.isEmpty ? HTTPStatus.reason(status) : text, "")
        }
        for name in ["error", "message", "detail"] as [StaticString] {
            guard let value = JSONWalker.member(name, of: start..<body.upperBound, bytes),
                value.kind != .null
            else { continue }
            var code = ""
            if value.kind == .object, let member = JSONWalker.member("code", of: value.range, bytes),
                member.kind == .string
            {
                code = unescaped(bytes, member.text)
            }
            return (message(bytes, value.range, value.kind), code)
        }
        return (text(bytes, body), "")
    }

    /// Longest text of an upstream that is told to a client.
    private static let longestText = 4096

    private static func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
        String(decoding: bytes[range].prefix(longestText), as: UTF8.self)
    }

    private static func unescaped(_ bytes: [UInt8], _ range: Range<Int>) -> String {
        var plain: [UInt8] = []
        JSONWalker.unescape(
            bytes, range.lowerBound..<min(range.upperBound, range.lowerBound + longestText), into: &plain)
        return String(decoding: plain, as: UTF8.self)
    }

    static func type(status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "throttling_error"
        case 500...: "internal_server_error"
        default: "invalid_request_error"
        }
    }
}
