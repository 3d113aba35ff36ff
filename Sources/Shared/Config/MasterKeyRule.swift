/// Who may serve without a real master key: only a process that nobody else can reach. Pure.
///
/// The reference refuses to start with the key of its own documentation; so does Tagway, but for loopback, where
/// the documented example has to work as it stands.
public enum MasterKeyRule {
    public enum Verdict: Equatable, Sendable {
        case fine
        case warning(Problem)
        case refused(Problem)
    }

    /// Keys that stand in documentation and therefore protect nothing.
    static let publicKeys: Set<String> = [
        "sk-1234", "sk-12345", "sk-123456", "sk-test", "sk-master", "your-master-key",
    ]

    public static let permission = "dangerously_permit_weak_or_unset_master_key"

    public static func judge(
        _ general: GeneralSettings, isLoopback: Bool, environment: [String: String]
    ) -> Verdict {
        let what: String
        if let key = general.masterKey {
            guard publicKeys.contains(key.reveal()) else { return .fine }
            what = "is publicly known: it stands in documentation"
        } else {
            what = "is not set: whoever reaches this address may use every deployment"
        }
        var problem = Problem(
            severity: .warning, position: general.masterKeyPosition, path: "general_settings.master_key",
            message: what, hint: "set a key of your own: openssl rand -hex 24")
        let isPermitted =
            general.permitsWeakMasterKey
            || [permission.uppercased(), "LITELLM_\(permission.uppercased())"].contains { environment[$0] == "true" }
        if isLoopback || isPermitted { return .warning(problem) }
        problem.severity = .error
        problem.message += ", and others than this machine can reach the address"
        problem.hint =
            "set a key of your own (openssl rand -hex 24), bind to 127.0.0.1, or say "
            + "general_settings.\(permission): true"
        return .refused(problem)
    }
}

/// Reads `NAME=value` lines, as service managers and shells write them. Pure.
public enum EnvironmentFile {
    /// Lines that are no assignment are answered with their numbers.
    public static func parse(_ text: String) -> (values: [String: String], badLines: [Int]) {
        var values: [String: String] = [:]
        var badLines: [Int] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var rest = line.drop { $0 == " " || $0 == "\t" }
            while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
            if rest.isEmpty || rest.hasPrefix("#") { continue }
            if rest.hasPrefix("export ") { rest = rest.dropFirst(7) }
            guard let equals = rest.firstIndex(of: "=") else {
                badLines.append(index + 1)
                continue
            }
            let name = rest[..<equals]
            guard let first = name.utf8.first, !ASCII.isDigit(first),
                name.utf8.allSatisfy({ ASCII.isDigit($0) || $0 == 0x5F || ASCII.lowercased($0) &- 0x61 < 26 })
            else {
                badLines.append(index + 1)
                continue
            }
            var value = rest[rest.index(after: equals)...]
            if let quote = value.first, quote == "\"" || quote == "'", value.count >= 2, value.last == quote {
                value = value.dropFirst().dropLast()
            }
            values[String(name)] = String(value)
        }
        return (values, badLines)
    }
}
