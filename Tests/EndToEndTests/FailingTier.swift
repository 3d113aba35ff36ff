import Foundation
import Synchronization
import Testing

@testable import mock_upstream

/// A gateway before one upstream that has a name for each deployment: what is to fail, and what may stand in.
struct FailingTier {
    let upstream: MockUpstream
    let gateway: SupervisedGateway

    /// A deployment whose id and name at the upstream are the same. With a `weight` it is the first to be asked.
    struct Member {
        var group: String
        var id: String
        var settings = ""
        var model = "m"

        /// The first that the group `main` asks, and the one that stands in.
        static let first = Member(group: "main", id: "first", settings: "weight: 1")
        static let second = Member(group: "main", id: "second")
    }

    /// `router` and `process` are members of `router_settings` and `tagway`.
    init(
        _ members: [Member] = [.first, .second], router: String = "num_retries: 1", process: String = "workers: 2",
        workers: Int = 2
    ) throws {
        upstream = try MockUpstream()
        gateway = try SupervisedGateway(
            Self.configuration(members, upstream.port, router: router, process: process), workers: workers)
    }

    static func configuration(_ members: [Member], _ port: UInt16, router: String, process: String) -> String {
        """
        tagway: {\(process)}
        general_settings: {master_key: \(PlainClient.key)}
        router_settings: {\(router)}
        model_list:

        """
            + members.map { member in
                """
                  - model_name: \(member.group)
                    model_info: {id: \(member.id)}
                    litellm_params:
                      {model: "openai/\(member.model)", api_key: sk-u, api_base: "\(base(member.id, port))"\(
                    member.settings.isEmpty ? "" : ", \(member.settings)")}

                """
            }.joined()
    }

    static func base(_ id: String, _ port: UInt16) -> String { "http://127.0.0.1:\(port)/\(id)/v1" }

    func end() {
        upstream.shutDown()
    }

    /// How many requests a deployment has received.
    func count(_ id: String) -> Int { upstream.received(id).count }

    // MARK: Requests

    /// A plain request on a connection of its own, so that any worker may get it.
    func ask(_ model: String = "main") throws -> PlainClient.Response {
        try PlainClient(port: gateway.port).exchange(PlainClient.chat(model))
    }

    /// A stream to its end: its head, and everything behind it.
    func stream(_ model: String = "main", more: String = "") throws -> (head: PlainClient.Response, text: String) {
        let client = try PlainClient(port: gateway.port)
        try client.send(
            PlainClient.chat(model, stream: true, more: more)
                .replacingOccurrences(of: "host: x\r\n", with: "host: x\r\nconnection: close\r\n"))
        let head = try client.readHead()
        return (head, String(decoding: try client.readAll(), as: UTF8.self))
    }

    /// Runs `body` on that many threads at once; what each has returned.
    static func inParallel<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
        let results = Results<Value>()
        let group = DispatchGroup()
        for number in 0..<count {
            group.enter()
            Thread.detachNewThread {
                results.append(body(number))
                group.leave()
            }
        }
        group.wait()
        return results.all
    }
}

private final class Results<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    func append(_ value: Value) {
        values.withLock { $0.append(value) }
    }

    var all: [Value] { values.withLock { $0 } }
}

extension PlainClient.Response {
    /// Which deployment has answered.
    var deployment: String? { headers["x-litellm-model-id"] }
    var retries: Int? { headers["x-litellm-attempted-retries"].flatMap { Int($0) } }
    var fallbacks: Int? { headers["x-litellm-attempted-fallbacks"].flatMap { Int($0) } }
    var retryAfter: Int? { headers["retry-after"].flatMap { Int($0) } }

    /// The `type` of an error.
    var errorType: String? {
        let object = (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any]
        return (object?["error"] as? [String: Any])?["type"] as? String
    }
}
