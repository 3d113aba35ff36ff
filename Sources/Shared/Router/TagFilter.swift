/// Chooses among the deployments of a model group by request tags.
///
/// Pure: knows nothing of weights, time, health or sockets. It looks at all deployments of the group, fit or not, so
/// that a tier which is down never looks like one that is not allowed. Semantics follow LiteLLM's tag routing
/// (docs, "Tag Based Routing"); `TagFilterTests` lists every case as a table.
public enum TagFilter {
    /// Why the deployments that are left are those.
    public enum Reason: Sendable {
        case filteringOff, matched, required, notExcluded
        case defaultForUnknown, defaultForUntagged, allForUntagged, failedOpen

        public var text: StaticString {
            switch self {
            case .filteringOff: "tag filtering is off"
            case .matched: "tags match"
            case .required: "required tags match"
            case .notExcluded: "not excluded"
            case .defaultForUnknown: "unknown tags go to the default"
            case .defaultForUntagged: "untagged requests go to the default"
            case .allForUntagged: "untagged, and no default"
            case .failedOpen: "no match, and the group may fail open"
            }
        }
    }

    /// Writes the allowed members of the group into `allowed` and answers why; nil when there are none.
    ///
    /// `userAgent` is what `tag_regex` is searched in, a `User-Agent` value without its name.
    public static func select(
        _ table: RoutingTable, _ resolution: RoutingTable.Resolution, _ tags: RequestTags,
        userAgent: ArraySlice<UInt8>?,
        into allowed: inout [Int32]
    ) -> Reason? {
        allowed.empty()
        let group = table.groups[resolution.group]
        var reason = select(table, group, tags, userAgent, &allowed)
        if allowed.isEmpty {
            guard group.mayFailOpen else { return nil }
            reason = .failedOpen
            append(table, group, &allowed) { $0.isDefault }
            if allowed.isEmpty { allowed.append(contentsOf: table.members(of: group)) }
        }
        if resolution.only >= 0 {
            let isAllowed = allowed.contains(resolution.only)
            allowed.empty()
            guard isAllowed else { return nil }
            allowed.append(resolution.only)
        }
        return reason
    }

    private static func select(
        _ table: RoutingTable, _ group: RoutingTable.Group, _ tags: RequestTags, _ userAgent: ArraySlice<UInt8>?,
        _ allowed: inout [Int32]
    ) -> Reason {
        guard group.isFiltered else {
            allowed.append(contentsOf: table.members(of: group))
            return .filteringOff
        }
        var wants = false
        var requires = false
        for tag in tags.tags {
            switch tag.kind {
            case .wanted: wants = true
            case .required: requires = true
            case .excluded: break
            }
        }
        let searchesPatterns =
            userAgent != nil && group.hasPatterns
            && (wants
                || !requires
                    && table.members(of: group).contains { index in
                        let candidate = table.candidates[Int(index)]
                        return !candidate.patterns.isEmpty && meetsConstraints(candidate, tags, table)
                    })
        if wants || searchesPatterns {
            return match(table, group, tags, searchesPatterns ? userAgent : nil, &allowed)
        }
        if requires {
            append(table, group, &allowed) { meetsConstraints($0, tags, table) }
            return .required
        }
        if !tags.isEmpty {
            append(table, group, &allowed) { ($0.isDefault || !group.hasDefault) && meetsConstraints($0, tags, table) }
            return .notExcluded
        }
        if group.hasDefault {
            append(table, group, &allowed) { $0.isDefault }
            return .defaultForUntagged
        }
        switch table.router.semantics {
        case .litellm: allowed.append(contentsOf: table.members(of: group))
        case .strict: append(table, group, &allowed) { $0.tags.isEmpty }
        }
        return .allForUntagged
    }

    /// Wanted tags, or a User-Agent that patterns look at.
    private static func match(
        _ table: RoutingTable, _ group: RoutingTable.Group, _ tags: RequestTags, _ userAgent: ArraySlice<UInt8>?,
        _ allowed: inout [Int32]
    ) -> Reason {
        let matchAny = table.router.matchAny
        let text = userAgent.map { Array("User-Agent: ".utf8) + $0.prefix(1024) } ?? []
        append(table, group, &allowed) { candidate in
            guard meetsConstraints(candidate, tags, table) else { return false }
            if carriesWanted(candidate, tags, table, matchAny: matchAny) { return true }
            // With match-all, tags that failed are not made good by a pattern of the same deployment.
            guard matchAny || candidate.tags.isEmpty, userAgent != nil else { return false }
            return candidate.patterns.contains { table.patterns[Int($0)].isFound(in: text) }
        }
        if !allowed.isEmpty { return .matched }
        for tag in tags.tags where tag.kind == .wanted {
            // Somebody here carries it, but nobody who may serve this request: that is a refusal, not a default.
            if tag.isWish || tags.isKnown(tag, to: group, table) { return .matched }
        }
        append(table, group, &allowed) { $0.isDefault && meetsConstraints($0, tags, table) }
        return .defaultForUnknown
    }

    /// No excluded tag, every required one.
    private static func meetsConstraints(
        _ candidate: RoutingTable.Candidate, _ tags: RequestTags, _ table: RoutingTable
    ) -> Bool {
        for tag in tags.tags {
            switch tag.kind {
            case .wanted: continue
            case .excluded: if tags.isCarried(tag, by: candidate, table) { return false }
            case .required: if !tags.isCarried(tag, by: candidate, table) { return false }
            }
        }
        return true
    }

    private static func carriesWanted(
        _ candidate: RoutingTable.Candidate, _ tags: RequestTags, _ table: RoutingTable, matchAny: Bool
    ) -> Bool {
        var carries = false
        for tag in tags.tags where tag.kind == .wanted {
            carries = tags.isCarried(tag, by: candidate, table)
            if carries == matchAny { break }
        }
        return carries
    }

    private static func append(
        _ table: RoutingTable, _ group: RoutingTable.Group, _ allowed: inout [Int32],
        where isAllowed: (RoutingTable.Candidate) -> Bool
    ) {
        for index in table.members(of: group) where isAllowed(table.candidates[Int(index)]) { allowed.append(index) }
    }
}
