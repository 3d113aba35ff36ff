import Testing

@testable import Shared

@Suite struct MasterKeyRuleTests {
    private func judge(
        _ key: String?, isLoopback: Bool, permits: Bool = false, environment: [String: String] = [:]
    ) -> MasterKeyRule.Verdict {
        var general = GeneralSettings()
        general.masterKey = key.map(Secret.init)
        general.permitsWeakMasterKey = permits
        general.masterKeyPosition = Position(file: "c.yaml", line: 7, column: 3)
        return MasterKeyRule.judge(general, isLoopback: isLoopback, environment: environment)
    }

    @Test func aKeyOfOnesOwnIsFineEverywhere() {
        for isLoopback in [true, false] { #expect(judge("sk-my-own", isLoopback: isLoopback) == .fine) }
    }

    @Test(arguments: [nil, "sk-1234", "sk-12345", "sk-123456", "sk-test", "sk-master", "your-master-key"])
    func aKeyThatProtectsNothingServesLoopbackOnly(_ key: String?) {
        guard case .warning(let warning) = judge(key, isLoopback: true) else {
            Issue.record("no warning on loopback")
            return
        }
        guard case .refused(let refusal) = judge(key, isLoopback: false) else {
            Issue.record("not refused")
            return
        }
        #expect(warning.severity == .warning && refusal.severity == .error)
        #expect(refusal.message.hasPrefix(warning.message))
        #expect(refusal.hint?.contains("general_settings.dangerously_permit_weak_or_unset_master_key: true") == true)
        #expect(warning.description.hasPrefix("c.yaml:7:3: warning: general_settings.master_key: is "))
        #expect(warning.message.contains(key == nil ? "is not set" : "is publicly known"))
    }

    @Test func theKeyItselfIsNeverTold() {
        guard case .refused(let problem) = judge("sk-123456", isLoopback: false) else {
            Issue.record("not refused")
            return
        }
        #expect(!problem.description.contains("sk-123456"))
    }

    @Test func permissionTurnsRefusalsIntoWarnings() {
        let words = "dangerously_permit_weak_or_unset_master_key"
        for name in [words.uppercased(), "LITELLM_" + words.uppercased()] {
            guard case .warning = judge(nil, isLoopback: false, environment: [name: "true"]) else {
                Issue.record("\(name) was not heard")
                return
            }
            guard case .refused = judge(nil, isLoopback: false, environment: [name: "1"]) else {
                Issue.record("only the word true permits")
                return
            }
        }
        guard case .warning = judge("sk-1234", isLoopback: false, permits: true) else {
            Issue.record("the setting was not heard")
            return
        }
    }
}

@Suite struct SecretTests {
    @Test func neverShowsItself() {
        let secret = Secret("sk-very-secret")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), "\([secret])"] {
            #expect(text.contains("<secret>"))
            #expect(!text.contains("very"))
        }
        var deployment = Deployment()
        deployment.apiKey = secret
        #expect(!"\(deployment)".contains("very"))
        #expect(secret.reveal() == "sk-very-secret")
    }
}

@Suite struct EnvironmentFileTests {
    @Test func readsAssignments() {
        let text = """
            # comment
            A=1
              B = 2
            export C=three four
            D="quoted = yes"
            E='single'
            F=
            _G1=x#y\r
            H="unclosed
            """
        let (values, badLines) = EnvironmentFile.parse(text)
        #expect(
            values == [
                "A": "1", "C": "three four", "D": "quoted = yes", "E": "single", "F": "", "_G1": "x#y",
                "H": "\"unclosed",
            ])
        #expect(badLines == [3], "a blank before the equals sign is no assignment")
    }

    @Test(arguments: ["novalue", "1A=x", "=x", "A-B=x", "É=x", "export =x"])
    func saysWhichLineIsNone(_ line: String) {
        #expect(EnvironmentFile.parse("OK=1\n\(line)\n").badLines == [2])
    }

    @Test func theLastAssignmentCounts() {
        #expect(EnvironmentFile.parse("A=1\nA=2").values == ["A": "2"])
    }
}

@Suite struct NearestWordTests {
    private static let known = ["tags", "tag_regex", "model", "timeout", "stream_timeout", "rpm", "tpm", "weight"]

    @Test(arguments: [
        ("tagz", "tags"), ("tag", "tags"), ("tgas", "tags"), ("modle", "model"), ("timeuot", "timeout"),
        ("stream_timout", "stream_timeout"), ("wieght", "weight"), ("rmp", "rpm"), ("tag_regx", "tag_regex"),
        ("banana", nil), ("xy", nil), ("", nil), ("timetable", nil),
    ])
    func findsWhatWasMeant(_ word: String, _ nearest: String?) {
        #expect(NearestWord.of(word, among: Self.known) == nearest)
    }

    @Test func theFirstOfEquallyNearWins() {
        #expect(NearestWord.of("tpn", among: ["tpm", "tpx"]) == "tpm")
        #expect(NearestWord.of("tpn", among: ["tpx", "tpm"]) == "tpm")
    }
}

@Suite struct KnownKeysTests {
    @Test func noKeyIsBothHonouredAndIgnored() {
        for section in KnownKeys.all {
            let both = Set(section.honoured).intersection(section.ignored)
            #expect(both == [], "\(section.name)")
            #expect(Set(section.honoured).count == section.honoured.count, "\(section.name) names a key twice")
            #expect(Set(section.ignored).count == section.ignored.count, "\(section.name) names a key twice")
        }
    }
}
