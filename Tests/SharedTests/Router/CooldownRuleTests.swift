import Testing

@testable import Shared

/// When a deployment is left alone, and for how long: docs/configuration.md, "Cooldowns".
@Suite struct CooldownRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var failure: AttemptFailure
        var total: Int
        var failed: Int
        var inWindow = 0
        var isAlone = false
        var isProbe = false
        var retryAfter: Double?
        var ownTime: Double?
        var settings = CooldownSettings()
        /// Seconds; nil: not at all.
        var time: Double?

        init(
            _ description: String, _ failure: AttemptFailure, _ minute: (failed: Int, total: Int) = (1, 1),
            inWindow: Int = 0, isAlone: Bool = false, isProbe: Bool = false, retryAfter: Double? = nil,
            ownTime: Double? = nil, time: Double?, change: (inout CooldownSettings) -> Void = { _ in }
        ) {
            testDescription = description
            self.failure = failure
            failed = minute.failed
            total = minute.total
            self.inWindow = inWindow
            self.isAlone = isAlone
            self.isProbe = isProbe
            self.retryAfter = retryAfter
            self.ownTime = ownTime
            self.time = time
            change(&settings)
        }
    }

    static let byShare: [Case] = [
        Case("429 cools at once", .status(429), time: 5),
        Case("429 of the only one does not", .status(429), isAlone: true, time: nil),
        Case("429 of the only one does after 1,000", .status(429), (1000, 1000), isAlone: true, time: 5),
        Case("401 cools at once", .status(401), time: 5), Case("402 cools at once", .status(402), time: 5),
        Case("404 cools at once", .status(404), time: 5),
        Case("401 of the only one too", .status(401), isAlone: true, time: 5),
        Case("404 of the only one too", .status(404), isAlone: true, time: 5),
        Case("one 500 does not", .status(500), time: nil), Case("one 408 does not", .status(408), time: nil),
        Case("4 of 4 are too few", .status(500), (4, 4), time: nil),
        Case("5 of 5 are enough", .status(500), (5, 5), time: 5),
        Case("3 of 5 are more than half", .noAnswer, (3, 5), time: 5),
        Case("2 of 5 are not", .noAnswer, (2, 5), time: nil),
        Case("half is not more than half", .timeout, (4, 8), time: nil),
        Case("share does not count for the only one", .status(503), (999, 999), isAlone: true, time: nil),
        Case("1,000 of 1,000 do", .status(503), (1000, 1000), isAlone: true, time: 5),
        Case("999 of 1,000 do not", .status(503), (999, 1000), isAlone: true, time: nil),
    ]

    static let ofTheRequest: [Case] = [400, 403, 405, 409, 413, 422, 499].map {
        Case("\($0) is the request's", .status($0), (1000, 1000), isProbe: true, time: nil)
    }
    static let refusals: [Case] = [
        Case("a long prompt is the request's", .contextWindow, (1000, 1000), isProbe: true, time: nil),
        Case("a refused prompt is the request's", .contentPolicy, (1000, 1000), isProbe: true, time: nil),
    ]

    static let byNumber: [Case] = [
        Case("allowed_fails is let pass", .status(500), (9, 9), inWindow: 2, time: nil) { $0.allowedFails = 2 },
        Case("one more is not", .status(500), inWindow: 3, time: 5) { $0.allowedFails = 2 },
        Case("alone or not", .status(500), inWindow: 3, isAlone: true, time: 5) { $0.allowedFails = 2 },
        Case("0 allows none", .status(503), inWindow: 1, time: 5) { $0.allowedFails = 0 },
        Case("429 is counted like others then", .status(429), inWindow: 2, time: nil) { $0.allowedFails = 2 },
        Case("401 is counted like others then", .status(401), inWindow: 2, time: nil) { $0.allowedFails = 2 },
        Case("the policy counts before the number", .timeout, inWindow: 2, time: 5) {
            $0.allowedFails = 100
            $0.allowedFailsPolicy[.timeout] = 1
        },
        Case("kinds without a policy have the number", .status(500), inWindow: 2, time: nil) {
            $0.allowedFails = 100
            $0.allowedFailsPolicy[.timeout] = 1
        },
        Case("with a policy alone, others have 3", .status(500), inWindow: 3, time: nil) {
            $0.allowedFailsPolicy[.timeout] = 1
        },
        Case("and a fourth is too many", .status(500), inWindow: 4, time: 5) { $0.allowedFailsPolicy[.timeout] = 1 },
    ]

    static let times: [Case] = [
        Case("cooldown_time", .status(429), time: 30) { $0.time = 30 },
        Case("retry-after counts before it", .status(429), retryAfter: 12, time: 12) { $0.time = 30 },
        Case("a shorter one too", .status(429), retryAfter: 1, time: 1) { $0.time = 30 },
        Case("at most 60 s of it", .status(429), retryAfter: 3600, time: 60),
        Case("0 says nothing", .status(429), retryAfter: 0, time: 5),
        Case("the deployment's own counts before both", .status(429), retryAfter: 12, ownTime: 100, time: 100),
        Case("cooldown_time 0: not at all", .status(429), time: nil) { $0.time = 0 },
        Case("its own 0: not at all", .status(429), retryAfter: 12, ownTime: 0, time: nil),
        Case("disable_cooldowns", .status(429), (1000, 1000), isProbe: true, time: nil) { $0.isDisabled = true },
        Case("a probe that fails is enough", .status(500), (1, 9), isProbe: true, time: 5),
        Case("alone too", .noAnswer, (1, 9), isAlone: true, isProbe: true, time: 5),
    ]

    @Test(arguments: byShare + ofTheRequest + refusals + byNumber + times) func decides(_ c: Case) {
        let rule = CooldownRule(c.settings, ownTime: c.ownTime, isAlone: c.isAlone)
        let time = rule.cooldown(
            after: c.failure, minute: .init(total: c.total, failed: c.failed), inWindow: c.inWindow, isProbe: c.isProbe,
            retryAfter: c.retryAfter.map { .seconds($0) })
        #expect(time == c.time.map { .seconds($0) })
    }

    @Test(arguments: [
        (401, true), (402, true), (404, true), (408, true), (429, true), (500, true), (502, true), (599, true),
        (400, false), (403, false), (409, false), (422, false), (499, false),
    ])
    func statusesThatCount(_ status: Int, _ counts: Bool) {
        let rule = CooldownRule(CooldownSettings(), ownTime: nil, isAlone: false)
        #expect(rule.counts(.status(status)) == counts)
        let wildcard = CooldownRule(CooldownSettings(), ownTime: nil, isAlone: false, servesAnyModel: true)
        #expect(wildcard.counts(.status(status)) == (counts && status != 404))
    }

    @Test func aProbeHasASecondAtLeast() {
        var settings = CooldownSettings()
        settings.time = 0.2
        #expect(CooldownRule(settings, ownTime: nil, isAlone: true).probeTime == .seconds(1))
        #expect(CooldownRule(settings, ownTime: 9, isAlone: true).probeTime == .seconds(9))
        #expect(CooldownRule(settings, ownTime: nil, isAlone: true).window == .milliseconds(200))
    }

    @Test func numbersAreCountedOnlyWhereTheyAreChosen() {
        var settings = CooldownSettings()
        #expect(!CooldownRule(settings, ownTime: nil, isAlone: true).countsWindow)
        settings.allowedFails = 0
        #expect(CooldownRule(settings, ownTime: nil, isAlone: true).countsWindow)
        settings.allowedFails = nil
        settings.allowedFailsPolicy[.rateLimit] = 0
        #expect(CooldownRule(settings, ownTime: nil, isAlone: true).countsWindow)
    }
}
