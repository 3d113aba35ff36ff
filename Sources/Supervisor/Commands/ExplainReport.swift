internal import Shared
internal import Worker

/// What `tagway explain` prints of an explanation: for people, and for programs. Pure.
struct ExplainReport {
    let explanation: Explanation
    let configuration: Configuration

    // MARK: For people

    var text: String {
        var lines = ["model      \(explanation.model.isEmpty ? "none" : explanation.model)"]
        let tags = explanation.tags.map { "\($0.text) (\($0.source))" }
        lines.append("tags       \(tags.isEmpty ? "none" : tags.joined(separator: ", "))")
        if let group = explanation.group {
            let router = configuration.router
            lines.append(
                "filtering  \(group.isFiltered ? (router.matchAny ? "on, one shared tag is enough" : "on, all tags are needed") : "off")"
            )
            lines.append(
                "choice     \(router.strategy.rawValue), \(Self.count(explanation.retries, "retry", "retries"))")
            lines += [""] + describe(group, as: "group")
            for fallback in explanation.fallbacks { lines += [""] + describe(fallback, as: "fallback") }
            lines += [
                "", "when the prompt is too long      \(way(explanation.contextWindowFallbacks))",
                "when a filter refuses the prompt \(way(explanation.contentPolicyFallbacks))",
            ]
        }
        lines += ["", verdict]
        return lines.map { $0 + "\n" }.joined()
    }

    private var verdict: String {
        if let refusal = explanation.refusal {
            return "refused: status \(refusal.status), \(refusal.type): \(refusal.message)"
        }
        guard let group = explanation.group, !group.canServe else { return "served" }
        return "served by a fallback"
    }

    private func way(_ groups: [Explanation.Group]) -> String {
        if groups == explanation.fallbacks { return groups.isEmpty ? "no other group" : "the same fallbacks" }
        return groups.isEmpty ? "no other group" : groups.map(\.name).joined(separator: ", then ")
    }

    private func describe(_ group: Explanation.Group, as role: String) -> [String] {
        let alias = group.name == group.modelName ? "" : " (\(group.modelName))"
        var rows: [[String]] = []
        for member in ordered(group.members) {
            let deployment = configuration.deployments[member.index]
            rows.append([
                place(member, deployment), shortened(deployment.id), member.model,
                deployment.tags.isEmpty ? "no tags" : deployment.tags.joined(separator: ", "),
                deployment.unconfigured.map { member.isAllowed ? $0 : member.reason } ?? member.reason,
            ])
        }
        return ["\(role) \(group.name)\(alias): \(group.reason ?? "the tags allow nobody here")"] + Self.aligned(rows)
    }

    /// Who may be asked first comes first, by `order`.
    private func ordered(_ members: [Explanation.Member]) -> [Explanation.Member] {
        func rank(_ member: Explanation.Member) -> (Int, Int, Int) {
            let order = configuration.deployments[member.index].order ?? .max
            return (member.share == nil ? 1 : 0, member.share == nil ? 0 : order, member.index)
        }
        return members.sorted { rank($0) < rank($1) }
    }

    private func place(_ member: Explanation.Member, _ deployment: Deployment) -> String {
        guard let share = member.share else { return member.isAllowed ? "unset" : "excluded" }
        let percent = "\(Int((share * 100).rounded())) %"
        return deployment.order.map { "order \($0), \(percent)" } ?? percent
    }

    /// An id that nobody has given is 64 digits long.
    private func shortened(_ id: String) -> String { id.count > 32 ? "\(id.prefix(12))…" : id }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let columns = rows.first?.count ?? 0
        let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { index, cell in
                index == columns - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
            }
            return "  " + cells.joined(separator: "  ")
        }
    }

    private static func count(_ number: Int, _ one: String, _ several: String) -> String {
        number == 0 ? "no \(several)" : "\(number) \(number == 1 ? one : several)"
    }

    // MARK: For programs

    var json: String {
        let buffer = ByteBuffer(capacity: 4096)
        var object = JSONObject(in: buffer)
        object.member("served", explanation.refusal == nil)
        object.member("model", explanation.model)
        object.member("stream", explanation.isStream)
        object.key("tags")
        Self.list(explanation.tags, buffer) { tag in
            var object = JSONObject(in: buffer)
            object.member("tag", tag.text)
            object.member("from", tag.source)
            object.end()
        }
        object.member("match", configuration.router.matchAny ? "any" : "all")
        object.member("strategy", configuration.router.strategy.rawValue)
        object.member("retries", explanation.retries)
        object.key("group")
        if let group = explanation.group { write(group, buffer) } else { buffer.append("null" as StaticString) }
        for (name, groups) in [
            ("fallbacks", explanation.fallbacks), ("context_window_fallbacks", explanation.contextWindowFallbacks),
            ("content_policy_fallbacks", explanation.contentPolicyFallbacks),
        ] {
            object.key(name)
            Self.list(groups, buffer) { write($0, buffer) }
        }
        object.key("refusal")
        if let refusal = explanation.refusal {
            var object = JSONObject(in: buffer)
            object.member("status", refusal.status)
            object.member("type", refusal.type)
            object.member("param", refusal.param)
            object.member("message", refusal.message)
            object.end()
        } else {
            buffer.append("null" as StaticString)
        }
        object.end()
        buffer.append(ASCII.lineFeed)
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    private func write(_ group: Explanation.Group, _ buffer: ByteBuffer) {
        var object = JSONObject(in: buffer)
        object.member("name", group.name)
        object.member("model_name", group.modelName)
        object.member("filtered", group.isFiltered)
        object.member("reason", group.reason)
        object.key("deployments")
        Self.list(group.members, buffer) { member in
            let deployment = configuration.deployments[member.index]
            var object = JSONObject(in: buffer)
            object.member("id", deployment.id)
            object.member("model", member.model)
            object.member("api_base", deployment.apiBase)
            object.member("tags", deployment.tags)
            object.key("order")
            if let order = deployment.order { buffer.append("\(order)") } else { buffer.append("null" as StaticString) }
            object.member("allowed", member.isAllowed)
            object.member("reason", member.reason)
            object.member("unconfigured", deployment.unconfigured)
            object.key("share")
            if let share = member.share { buffer.append("\(share)") } else { buffer.append("null" as StaticString) }
            object.end()
        }
        object.end()
    }

    private static func list<Item>(_ items: [Item], _ buffer: ByteBuffer, _ write: (Item) -> Void) {
        buffer.append(0x5B)
        for (index, item) in items.enumerated() {
            if index > 0 { buffer.append(ASCII.comma) }
            write(item)
        }
        buffer.append(0x5D)
    }
}
