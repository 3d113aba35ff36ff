/// Why the tag filter allows each deployment of a group, or does not. For whoever asks; the filter itself decides.
extension TagFilter {
    public struct Verdict: Equatable, Sendable {
        /// Its index in the routing table.
        public let deployment: Int
        public let isAllowed: Bool
        /// In words.
        public let reason: String
    }

    /// One for each deployment of the group, in the order of the configuration, and what `select` answers.
    public static func verdicts(
        _ table: RoutingTable, _ resolution: RoutingTable.Resolution, _ tags: RequestTags, userAgent: ArraySlice<UInt8>?
    ) -> (reason: Reason?, verdicts: [Verdict]) {
        var allowed: [Int32] = []
        let reason = select(table, resolution, tags, userAgent: userAgent, into: &allowed)
        let group = table.groups[resolution.group]
        let kept = Set(allowed)
        let verdicts = table.members(of: group).map { index in
            let candidate = table.candidates[Int(index)]
            let isAllowed = kept.contains(index)
            let words =
                if resolution.only >= 0, index != resolution.only {
                    "another deployment was asked for by its id"
                } else if isAllowed {
                    whyAllowed(candidate, reason, tags, table)
                } else {
                    whyExcluded(candidate, group, reason, tags, table, hasAgent: userAgent != nil)
                }
            return Verdict(deployment: Int(index), isAllowed: isAllowed, reason: words)
        }
        return (reason, verdicts)
    }

    private static func whyAllowed(
        _ candidate: RoutingTable.Candidate, _ reason: Reason?, _ tags: RequestTags, _ table: RoutingTable
    ) -> String {
        guard reason == .matched else { return reason?.text.description ?? "" }
        for tag in tags.tags where tag.kind == .wanted && tags.isCarried(tag, by: candidate, table) {
            return table.router.matchAny ? "carries \(tags.quoted(tag))" : "carries every wanted tag"
        }
        return "a pattern is found in the User-Agent"
    }

    private static func whyExcluded(
        _ candidate: RoutingTable.Candidate, _ group: RoutingTable.Group, _ reason: Reason?, _ tags: RequestTags,
        _ table: RoutingTable, hasAgent: Bool
    ) -> String {
        if reason == .failedOpen { return "not tagged default" }
        for tag in tags.tags {
            let isCarried = tags.isCarried(tag, by: candidate, table)
            switch tag.kind {
            case .excluded: if isCarried { return "carries what \(tags.quoted(tag)) excludes" }
            case .required: if !isCarried { return "lacks what \(tags.quoted(tag)) requires" }
            case .wanted: if !isCarried, !table.router.matchAny { return "lacks \(tags.quoted(tag))" }
            }
        }
        if tags.tags.contains(where: { $0.kind == .wanted }) { return "carries no wanted tag" }
        if hasAgent, group.hasPatterns { return "no pattern of it is found in the User-Agent" }
        if group.hasDefault { return "not tagged default" }
        // What `strict` semantics leave of a group without a default.
        return "tagged, and the request is not"
    }
}

extension RequestTags {
    /// As the caller wrote it.
    fileprivate func quoted(_ tag: Tag) -> String { "`\(String(decoding: texts[tag.text], as: UTF8.self))`" }
}
