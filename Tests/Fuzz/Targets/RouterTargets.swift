@testable import Shared

/// `tag_regex`: the pattern up to the first line feed, the text behind it.
enum PatternTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let parts = bytes.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let pattern = String(validating: first, as: UTF8.self) else { return }
        let text = parts.count > 1 ? Array(parts[1]) : []
        guard let plain = try? TagPattern(pattern) else { return }
        let isFound = plain.isFound(in: text)
        let flags = pattern.hasPrefix("(?i)") ? "(?i)" : ""
        let rest = pattern.dropFirst(flags.count)
        // Ways to write the same; a program that becomes too large is refused.
        for same in ["\(flags)(?:\(rest))", "\(flags)(?:\(rest))|(?:\(rest))", "\(flags)(?:)(?:\(rest)){1}"] {
            guard let other = try? TagPattern(same) else { continue }
            try claim("the same pattern written differently", other.isFound(in: text) == isFound, same)
        }
        if let never = try? TagPattern("\(flags)(?:\(rest))[^\\x00-\\xff]") {
            try claim("nothing follows what cannot be", !never.isFound(in: text), pattern)
        }
    }
}

/// Tags of a header against a group: the first line are the tags, the second the User-Agent, further ones the tags of
/// one deployment each, separated by commas; a line that begins with `~` holds a pattern.
enum TagsTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var lines = bytes.split(separator: 0x0A, maxSplits: 12, omittingEmptySubsequences: false).map(Array.init)
        guard lines.count > 2 else { return }
        let wanted = lines.removeFirst()
        let agent = lines.removeFirst()
        for matchAny in [true, false] {
            for failsOpen in [true, false] {
                try check(wanted, agent, lines, matchAny: matchAny, failsOpen: failsOpen)
            }
        }
    }

    private static func check(
        _ wanted: [UInt8], _ agent: [UInt8], _ lines: [[UInt8]], matchAny: Bool, failsOpen: Bool
    ) throws(FuzzFailure) {
        var configuration = Configuration()
        configuration.router.enableTagFiltering = true
        configuration.router.matchAny = matchAny
        for (index, line) in lines.enumerated() {
            var deployment = Deployment()
            deployment.modelName = "m"
            deployment.id = "id\(index)"
            deployment.allowFailOpen = failsOpen
            if line.first == 0x7E {
                deployment.tagPatterns = [text(line.dropFirst())]
            } else {
                deployment.tags = text(line).split(separator: ",").map(String.init)
            }
            configuration.deployments.append(deployment)
        }
        let table = RoutingTable(configuration)
        let tags = RequestTags()
        tags.add(list: wanted, 0..<wanted.count, table)
        guard let group = table.resolve(Array("m".utf8), 0..<1) else { return }
        var allowed: [Int32] = []
        let reason = TagFilter.select(
            table, group, tags, userAgent: agent.isEmpty ? nil : agent[...], into: &allowed)
        try claim("a reason exactly when somebody is allowed", (reason == nil) == allowed.isEmpty, "\(allowed)")
        try claim("each once, in order", allowed == Set(allowed).sorted(), "\(allowed)")
        let told = TagFilter.verdicts(table, group, tags, userAgent: agent.isEmpty ? nil : agent[...])
        try claim(
            "who asks is told what is done",
            told.reason == reason && told.verdicts.filter(\.isAllowed).map(\.deployment) == allowed.map { Int($0) },
            "\(told)")
        try claim("with a reason for each", told.verdicts.allSatisfy { !$0.reason.isEmpty }, "\(told)")
        for index in allowed where reason != .failedOpen {
            // Bytes: a header need not be UTF-8, a configuration is.
            let carried = configuration.deployments[Int(index)].tags.map { Array($0.utf8) }
            for part in wanted.split(separator: 0x2C) {
                let tag = Array(wanted[ASCII.trimmed(wanted, part.startIndex..<part.endIndex)])
                guard tag.first == 0x21 else { continue }
                try claim("excluded tags exclude", !carried.contains(Array(tag.dropFirst())), "\(text(tag)) \(carried)")
            }
        }
        // Asked for by its id, a deployment gets what its group gets.
        for (index, deployment) in configuration.deployments.enumerated() {
            let id = Array(deployment.id.utf8)
            guard let one = table.resolve(id, 0..<id.count) else {
                throw FuzzFailure(claim: "ids are found", seen: deployment.id)
            }
            var only: [Int32] = []
            _ = TagFilter.select(table, one, tags, userAgent: agent.isEmpty ? nil : agent[...], into: &only)
            try claim("an id opens no door", only == (allowed.contains(Int32(index)) ? [Int32(index)] : []), "\(only)")
        }
    }
}

/// Messages between supervisor and workers.
enum ControlTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let message = try? ControlMessage(bytes) else { return }
        let encoded = message.encoded()
        try claim("messages fit a packet", encoded.count < PacketSocket.largest, "\(encoded.count)")
        guard let back = try? ControlMessage(encoded) else {
            throw FuzzFailure(claim: "what is encoded can be decoded", seen: "\(message)")
        }
        try claim("coding settles", back.encoded() == encoded, "\(message)")
    }
}
