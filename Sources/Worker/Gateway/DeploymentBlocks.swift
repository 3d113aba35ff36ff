internal import Shared

/// What every request to one deployment has in common, written once per generation: heads to send upstream, fields
/// to answer with. The only place that knows how a provider is asked. Immutable but for what answers look like.
final class DeploymentBlocks {
    let id: String
    let modelName: String
    /// What it answers by itself, if it does.
    let mockResponse: String?
    /// Request heads by operation, up to the length of the body.
    let requestHeads: [[UInt8]]
    /// `{"model":"…"`: how the body for the upstream begins. Empty where the model depends on the request.
    let bodyStart: [UInt8]
    /// What the upstream is asked for, with a `*` for what a wildcard name matched.
    let upstreamModel: String
    /// Parameters that are sent where a request does not give them.
    let defaults: [(name: [UInt8], member: [UInt8])]
    /// `x-litellm-model-id` and so on, for every answer it serves.
    let responseFields: [UInt8]
    /// Its part of a line of the access log.
    let logMember: [UInt8]
    let answers = AnswerTemplate()
    let events = EventTemplates()

    init(_ deployment: Deployment, _ proxy: ProxyRules.Proxy?) {
        id = deployment.id
        modelName = deployment.modelName
        mockResponse = deployment.mockResponse
        requestHeads = Endpoint.Operation.allCases.map { Self.head(deployment, $0, proxy) }
        upstreamModel = deployment.upstreamModel
        let buffer = ByteBuffer(capacity: 64)
        if !deployment.upstreamModel.contains("*") { Self.begin(buffer, deployment.upstreamModel) }
        bodyStart = Array(buffer.storage[buffer.readable])
        defaults = deployment.defaults.map { parameter in
            let buffer = ByteBuffer(capacity: 64)
            buffer.append(ASCII.comma)
            buffer.append(json: parameter.name)
            buffer.append(ASCII.colon)
            buffer.append(parameter.json)
            return (Array(parameter.name.utf8), Array(buffer.storage[buffer.readable]))
        }
        let member = ByteBuffer(capacity: 64)
        member.append(",\"deployment\":" as StaticString)
        member.append(json: deployment.id)
        logMember = Array(member.storage[member.readable])
        responseFields = Array(
            ("x-litellm-model-id: \(Self.fieldValue(deployment.id))\r\n"
                + "x-litellm-model-api-base: \(Self.fieldValue(deployment.apiBase))\r\n"
                + "x-litellm-model-name: \(Self.fieldValue(deployment.model))\r\n").utf8)
    }

    static func begin(_ buffer: ByteBuffer, _ model: String) {
        buffer.append("{\"model\":" as StaticString)
        buffer.append(json: model)
    }

    private static func head(
        _ deployment: Deployment, _ operation: Endpoint.Operation, _ proxy: ProxyRules.Proxy?
    ) -> [UInt8] {
        var target = "\(deployment.basePath)\(operation.path)"
        var fields = ""
        // A plain proxy is asked with the whole URL (RFC 9112 §3.2.2); an encrypted origin is behind a tunnel.
        if let proxy, !deployment.origin.isSecure {
            target = "\(deployment.origin)\(target)"
            if let authorization = proxy.authorization { fields += "proxy-authorization: \(authorization)\r\n" }
        }
        let extra = deployment.extraHeaders.filter { $0.name.lowercased() != "content-length" }
        func field(_ name: String, _ value: String) {
            if !extra.contains(where: { $0.name.lowercased() == name }) { fields += "\(name): \(value)\r\n" }
        }
        field("host", deployment.origin.authority)
        if let key = deployment.apiKey { field("authorization", "Bearer \(fieldValue(key.reveal()))") }
        field("content-type", "application/json")
        field("accept-encoding", "identity")
        field("user-agent", "tagway")
        for header in extra { fields += "\(fieldValue(header.name)): \(fieldValue(header.value))\r\n" }
        return Array("POST \(fieldValue(target)) HTTP/1.1\r\n\(fields)content-length: ".utf8)
    }

    /// Configured text as it may stand in a field: control characters, which could end the line, become blanks.
    private static func fieldValue(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
        return String(decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }, as: UTF8.self)
    }
}

/// The blocks of a generation, each made when the first request goes to its deployment: to make ten thousand takes
/// a tenth of a second, in which a worker that is told to reload would serve nobody.
@Loop final class DeploymentBlocksByIndex {
    private let deployments: PublishedDeployments
    private let rules: ProxyRules
    private var made: [DeploymentBlocks?]
    private var count = 0

    init(_ deployments: PublishedDeployments, _ rules: ProxyRules) {
        self.deployments = deployments
        self.rules = rules
        made = [DeploymentBlocks?](repeating: nil, count: deployments.count)
    }

    subscript(_ index: Int) -> DeploymentBlocks {
        if let blocks = made[index] { return blocks }
        let deployment = deployments[index]
        let blocks = DeploymentBlocks(deployment, rules.proxy(for: deployment.origin))
        made[index] = blocks
        count += 1
        return blocks
    }

    /// Frees them a few at a time, with requests in between. Nobody may need them any more.
    nonisolated func letGo() {
        EventLoop.shared.start {
            while self.count > Self.portion, !self.made.isEmpty {
                self.made.removeLast(min(Self.portion, self.made.count))
                await EventLoop.shared.turn()
            }
        }
    }

    private static let portion = 256
}
