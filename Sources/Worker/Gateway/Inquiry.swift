internal import Shared

/// What a request to a model asks for: read from head and body, in the order in which mistakes are told.
///
/// Pure, reused from request to request. The worker answers by it; `tagway explain` tells by it what the worker would do.
/// A class, so that asking it counts one reference, not those of all that it holds.
final class Inquiry {
    var operation = Endpoint.Operation.chat
    let request: CompletionRequest
    let tags = RequestTags()
    /// The model as asked for.
    let model = ByteBuffer(capacity: 64)
    /// The model that answers, as a JSON string.
    let name = ByteBuffer(capacity: 64)

    /// `templates` are the shapes of earlier requests, if those are remembered.
    init(_ templates: RequestTemplates? = nil) {
        request = CompletionRequest(templates)
    }

    func removeAll() {
        tags.removeAll()
        model.removeAll()
        name.removeAll()
    }

    var modelText: String { String(decoding: model.storage[model.readable], as: UTF8.self) }

    /// Reads a request whose head lies in `bytes` and whose body is `bytes[body]`. `path` is where the request target
    /// names a model, if it does.
    func read(
        _ head: MessageHead, _ bytes: [UInt8], body: Range<Int>, path: Range<Int>?, _ credentials: Credentials,
        _ table: RoutingTable
    ) throws(GatewayError) {
        // The order of the reference: what cannot be read at all is told to everybody, the rest to callers only.
        var wrong: GatewayError?
        do throws(GatewayError) {
            try request.read(bytes, body, operation)
        } catch {
            wrong = error
        }
        switch wrong {
        case .invalidJSON(let reason)?: throw .invalidJSON(reason: reason)
        case .notAnObject?: throw .notAnObject
        default: break
        }
        try credentials.authorize(head, bytes)
        if let wrong { throw wrong }
        takeModel(bytes, path)
        tags.removeAll()
        try request.addTags(bytes, header: head.first(.litellmTags), to: tags, table)
    }

    /// The model's name from the path, else from the body; empty where neither has one.
    private func takeModel(_ bytes: [UInt8], _ path: Range<Int>?) {
        if let path {
            model.append(percentDecoding: bytes, path)
            name.append(json: model.storage, model.readable)
        } else if let member = request.model, member.kind == .string {
            name.append(bytes, member.value)
            let text = member.value.lowerBound + 1..<member.value.upperBound - 1
            if member.valueIsEscaped {
                var plain: [UInt8] = []
                JSONWalker.unescape(bytes, text, into: &plain)
                model.append(plain)
            } else {
                model.append(bytes, text)
            }
        }
    }

    // MARK: What follows from it

    func resolve(_ table: RoutingTable) throws(GatewayError) -> RoutingTable.Resolution {
        guard !model.isEmpty else { throw .unknownModel(modelText) }
        if let resolution = table.resolve(model.storage, model.readable) { return resolution }
        if let reason = table.reasonLeftOut(model.storage, model.readable) {
            throw .leftOut(model: modelText, reason: reason)
        }
        if model.storage[model.readable].contains(ASCII.comma) { throw .commaSeparatedModels }
        throw .unknownModel(modelText)
    }

    /// What a caller is told whose tags leave nothing of the group.
    func tagsRefused(_ table: RoutingTable) -> GatewayError {
        .tagsRefused(
            model: modelText, tags: tags.description, status: table.router.semantics == .strict ? 403 : 401)
    }

    /// What a caller is told where none of those that the tags allow is configured; `reason` says why one is not.
    func unconfigured(_ allowed: [Int32], _ reason: (Int) -> String?) -> GatewayError {
        let reasons = allowed.compactMap { reason(Int($0)) }
        return .unconfigured(model: modelText, reason: reasons.joined(separator: "; "))
    }

    /// How often it is tried again at most: by its own wish, else that of the deployments allowed, else the router's.
    func retries(
        _ head: MessageHead, _ bytes: @autoclosure () -> [UInt8], _ table: RoutingTable, _ allowed: [Int32]
    ) -> Int? {
        let wish =
            request.numRetries
            ?? head.first(.litellmNumRetries).flatMap { ASCII.decimal(bytes(), $0) }
            ?? table.ownRetries(allowed)
            ?? table.router.retries.count
        return wish.map { min($0, 1000) }
    }

    /// The groups that stand in for `group`, which was asked for as `name` and has failed: those that the request brings
    /// along, else the configured ones.
    func standIns(
        after kind: FallbackTable.Kind, of name: [UInt8], _ group: RoutingTable.Resolution, _ bytes: [UInt8],
        _ table: RoutingTable
    ) -> [CompletionRequest.ClientTarget] {
        if request.disablesFallbacks { return [] }
        if let targets = request.fallbacks(kind, of: name, bytes, table) { return targets }
        guard !table.fallbacks.isEmpty else { return [] }
        return table.fallbacks.targets(after: kind, of: name, table.groupName(group)).map { ($0, nil) }
    }
}

extension Credentials {
    func authorize(_ head: MessageHead, _ bytes: [UInt8]) throws(GatewayError) {
        do throws(Refusal) {
            try check(head, bytes)
        } catch {
            throw .credentials(error)
        }
    }
}
