internal import Shared

/// Fallbacks that a request brings along; they take the place of the configured ones. Pure.
///
///     "fallbacks": ["other", {"model": "big", "messages": [...]}, {"gpt-4": ["third"]}]
extension CompletionRequest {
    typealias ClientTarget = (target: FallbackTable.Target, own: Range<Int>?)

    /// The groups that stand in for `name`, in order; nil where the request leaves that to the configuration.
    func fallbacks(
        _ kind: FallbackTable.Kind, of name: [UInt8], _ bytes: [UInt8], _ table: RoutingTable
    ) -> [ClientTarget]? {
        let member =
            switch kind {
            case .general: generalFallbacks
            case .contextWindow:
                contextWindowFallbacks ?? (table.fallbacks.hasList(for: kind) ? nil : generalFallbacks)
            case .contentPolicy:
                contentPolicyFallbacks ?? (table.fallbacks.hasList(for: kind) ? nil : generalFallbacks)
            }
        guard let member, member.kind == .array else { return nil }
        var targets: [ClientTarget] = []
        JSONWalker.elements(of: member.value, bytes) { element in
            switch element.kind {
            case .string: Self.add(element, nil, bytes, table, to: &targets)
            case .object:
                if let model = JSONWalker.member("model", of: element.range, bytes) {
                    Self.add(model, element.range, bytes, table, to: &targets)
                } else {
                    Self.addMapped(element.range, name, bytes, table, to: &targets)
                }
            case .array, .number, .true, .false, .null: break
            }
            return true
        }
        return targets
    }

    /// `{"group": ["other"]}`, where the group is the one that has failed.
    private static func addMapped(
        _ object: Range<Int>, _ name: [UInt8], _ bytes: [UInt8], _ table: RoutingTable, to targets: inout [ClientTarget]
    ) {
        JSONWalker.members(of: object, bytes) { key, value in
            guard text(key, bytes) == name, value.kind == .array else { return true }
            JSONWalker.elements(of: value.range, bytes) { element in
                if element.kind == .string { add(element, nil, bytes, table, to: &targets) }
                return true
            }
            return true
        }
    }

    /// A name that nothing is known by is passed over, like a group that refuses the tags.
    private static func add(
        _ name: JSONWalker.Value, _ own: Range<Int>?, _ bytes: [UInt8], _ table: RoutingTable,
        to targets: inout [ClientTarget]
    ) {
        guard name.kind == .string else { return }
        let plain = text(name, bytes)
        guard let resolution = table.resolve(plain, 0..<plain.count) else { return }
        targets.append((.init(name: String(decoding: plain, as: UTF8.self), resolution: resolution), own))
    }

    private static func text(_ value: JSONWalker.Value, _ bytes: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        JSONWalker.unescape(bytes, value.text, into: &plain)
        return plain
    }
}
