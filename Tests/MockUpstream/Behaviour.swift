import Foundation

/// What an upstream does with one request. Everything is optional; nothing at all is a plain successful answer.
package struct Behaviour: Codable, Sendable, Equatable {
    /// What goes wrong below HTTP.
    package enum Fault: String, Codable, Sendable {
        /// A TCP reset: before the first byte, within the head, within the body.
        case reset, resetInHead, resetInBody
        /// A close without a byte.
        case close
        /// No answer at all, until the other side hangs up.
        case silent
        /// A head and half of a body, then nothing until the other side hangs up.
        case stall
        /// Bytes that are no HTTP.
        case garbage
    }

    /// How the end of the body is told; the last four are wrong.
    package enum Framing: String, Codable, Sendable {
        case length, chunked, close
        /// Both a length and chunks.
        case both
        /// A length that the body does not reach before the close, and one that it exceeds.
        case tooShort, tooLong
        /// A chunk size that is no number.
        case badChunk
    }

    package var status: Int?
    package var headers: [String: String]?
    /// The body as it is; else `base64`; else an answer for the path.
    package var body: String?
    package var base64: String?
    /// A body of this many bytes, in the `content` of a chat answer.
    package var size: Int?
    /// Seconds before the first byte of the answer.
    package var delay: Double?
    /// The text of the answer.
    package var content: String?
    package var fault: Fault?
    package var framing: Framing?
    /// Answers 400 when the last message is the assistant's, as some models do.
    package var refusesPrefill: Bool?

    // Of a stream only.
    /// How many pieces of text (two, unless told).
    package var pieces: Int?
    /// Seconds between events.
    package var pace: Double?
    /// After that many events: end without the framing's end; reset; say nothing more; report an error; send an
    /// event that is no JSON.
    package var cutAfter: Int?
    package var resetAfter: Int?
    package var stallAfter: Int?
    package var errorAfter: Int?
    package var malformedAfter: Int?
    /// False leaves out the last `[DONE]`.
    package var done: Bool?

    package init() {}

    package init(_ change: (inout Behaviour) -> Void) {
        change(&self)
    }

    /// An answer with that status and an OpenAI-shaped error.
    package static func error(
        _ status: Int, _ message: String, type: String, code: String? = nil, headers: [String: String]? = nil
    ) -> Behaviour {
        Behaviour {
            $0.status = status
            $0.headers = headers
            $0.body = Bodies.error(message, type: type, code: code)
        }
    }

    package static let names = presets.keys.sorted()

    /// Behaviours that have a name; scripts, upstream names (`NAME--PRESET`) and keys (`mock-PRESET`) use them.
    package static let presets: [String: Behaviour] = [
        "ok": Behaviour(),
        "400": .error(400, "mock bad request", type: "invalid_request_error"),
        "401": .error(401, "mock bad key", type: "invalid_request_error", code: "invalid_api_key"),
        "403": .error(403, "mock forbidden", type: "permission_error"),
        "404": .error(404, "mock no such model", type: "invalid_request_error", code: "model_not_found"),
        "408": .error(408, "mock request timeout", type: "timeout"),
        "422": .error(422, "mock unprocessable", type: "invalid_request_error"),
        "429": .error(429, "mock rate limited", type: "rate_limit_error", code: "rate_limit_exceeded"),
        "429-after": .error(
            429, "mock rate limited", type: "rate_limit_error", code: "rate_limit_exceeded",
            headers: ["retry-after": "1"]),
        "500": .error(500, "mock internal error", type: "server_error"),
        "503": .error(503, "mock unavailable", type: "server_error"),
        "context": .error(
            400, "This model's maximum context length is 10 tokens.", type: "invalid_request_error",
            code: "context_length_exceeded"),
        "content-filter": .error(
            400, "The response was filtered due to the content management policy.", type: "invalid_request_error",
            code: "content_filter"),
        "prefill": Behaviour { $0.refusesPrefill = true },
        "error-in-200": Behaviour {
            $0.body = Bodies.error("mock error in a success", type: "server_error", code: nil)
        },
        "malformed-json": Behaviour { $0.body = "{not json" },
        "empty": Behaviour { $0.body = "" },
        "html": Behaviour {
            $0.status = 502
            $0.headers = ["content-type": "text/html"]
            $0.body = "<html>bad gateway</html>"
        },
        "redirect": Behaviour {
            $0.status = 302
            $0.headers = ["location": "http://127.0.0.1:9/elsewhere"]
            $0.body = ""
        },
        "gzip": Behaviour {
            $0.headers = ["content-encoding": "gzip"]
            $0.base64 = Bodies.gzipped
        },
        "slow": Behaviour { $0.delay = 3 },
        "silent": Behaviour { $0.fault = .silent },
        "stall": Behaviour { $0.fault = .stall },
        "reset": Behaviour { $0.fault = .reset },
        "reset-in-head": Behaviour { $0.fault = .resetInHead },
        "reset-in-body": Behaviour { $0.fault = .resetInBody },
        "close": Behaviour { $0.fault = .close },
        "garbage": Behaviour { $0.fault = .garbage },
        "both-framings": Behaviour { $0.framing = .both },
        "too-short": Behaviour { $0.framing = .tooShort },
        "too-long": Behaviour { $0.framing = .tooLong },
        "bad-chunk": Behaviour { $0.framing = .badChunk },
        "huge": Behaviour { $0.size = 8 << 20 },
        "cut": Behaviour { $0.cutAfter = 1 },
        "cut-reset": Behaviour { $0.resetAfter = 1 },
        "stalled": Behaviour { $0.stallAfter = 1 },
        "error-event": Behaviour { $0.errorAfter = 1 },
        "malformed-event": Behaviour { $0.malformedAfter = 1 },
        "no-done": Behaviour { $0.done = false },
    ]

    /// A preset's name, or an object with the members above.
    package static func parse(_ value: Any) -> Behaviour? {
        if let name = value as? String { return presets[name] }
        guard JSONSerialization.isValidJSONObject(value),
            let data = try? JSONSerialization.data(withJSONObject: value)
        else { return nil }
        return try? JSONDecoder().decode(Behaviour.self, from: data)
    }
}
