import Testing

@testable import Shared
@testable import tagway

@Suite struct ReloadTests {
    private func queue() -> ReloadQueue { ReloadQueue(clock: { Instant(nanoseconds: 5) }) }

    @Test func whoAsksDuringAReloadIsAnsweredByTheNext() throws {
        var queue = queue()
        var answer = queue.ask("SIGHUP")
        #expect(answer.id == 1 && answer.begins)
        answer = queue.ask("ctl")
        #expect(answer.id == 2 && !answer.begins)
        answer = queue.ask("SIGHUP")
        #expect(answer.id == 2 && !answer.begins)
        answer = queue.ask("ctl")
        #expect(answer.id == 2 && !answer.begins)
        #expect(queue.finish(.unchanged, generation: 1)?.id == 1)
        #expect(queue.current?.id == 2)
        #expect(queue.current?.triggers == ["ctl", "SIGHUP"])
        #expect(queue.finish(.failed(["a", "b"]), generation: 1)?.failure == "a (and 1 more)")
        #expect(queue.current == nil)
        #expect(queue.finish(.unchanged, generation: 1) == nil)
        #expect(queue.successes == 1 && queue.failures == 1)
    }

    @Test func theDifferenceNamesModelGroups() {
        func configuration(_ models: [(String, String)]) -> Configuration {
            var configuration = Configuration()
            for (name, id) in models {
                var deployment = Deployment()
                deployment.modelName = name
                deployment.id = id
                configuration.deployments.append(deployment)
            }
            return configuration
        }
        let difference = ModelDifference(
            from: configuration([("kept", "1"), ("gone", "2"), ("new id", "3"), ("grown", "4")]),
            to: configuration([("kept", "1"), ("came", "2"), ("new id", "5"), ("grown", "4"), ("grown", "6")]))
        #expect(difference.added == ["came"])
        #expect(difference.removed == ["gone"])
        #expect(difference.changed == ["grown", "new id"])
        let inPlace = ModelDifference(
            from: configuration([("kept", "1"), ("two", "2"), ("two", "3"), ("b", "4"), ("a", "5")]),
            to: configuration([("kept", "1"), ("two", "6"), ("two", "7"), ("b", "8"), ("a", "9")]))
        #expect(inPlace.added == [] && inPlace.removed == [])
        #expect(inPlace.changed == ["a", "b", "two"])
    }

    // MARK: Verdicts

    private func load(_ text: String, _ environment: [String: String] = [:]) -> ConfigurationSource.Loaded {
        let decoded = ConfigurationDecoder.decode(path: "c.yaml", environment: environment) { path in
            path == "c.yaml" ? .success(Array(text.utf8)) : .failure(SystemError(call: "open", code: 2))
        }
        return ConfigurationSource.Loaded(decoded: decoded, environment: environment)
    }

    private static let good = """
        model_list:
          - model_name: a
            litellm_params: {model: openai/a, api_key: sk-upstream}
        general_settings: {master_key: sk-0123456789abcdef}

        """

    private func verdict(
        _ text: String, _ occasion: ConfigurationVerdict.Occasion = .start, isStrict: Bool = false,
        isLoopback: Bool = true
    ) -> (verdict: ConfigurationVerdict, warnings: [Problem]) {
        var slots = DeploymentSlots()
        return ConfigurationVerdict.judge(
            load(text), occasion, isStrict: isStrict, isLoopback: isLoopback, slots: &slots)
    }

    @Test func aGoodFileIsACandidateAndTheSameFileIsNot() {
        guard case .candidate(_, let encoded) = verdict(Self.good, isStrict: true, isLoopback: false).verdict else {
            Issue.record("not a candidate")
            return
        }
        guard case .unchanged = verdict(Self.good + "# a comment\n", .reload(encoded)).verdict else {
            Issue.record("not unchanged")
            return
        }
        let changed = Self.good.replacing("model_name: a", with: "model_name: b")
        guard case .candidate = verdict(changed, .reload(encoded)).verdict else {
            Issue.record("not a candidate")
            return
        }
    }

    @Test func everyErrorOfABadFileIsAReason() {
        let bad = """
            model_list:
              - model_name: a
                litellm_params: {model: openai/a, tags: free}
            router_settings: {enable_tag_filtering: "yes"}
            general_settings: {master_key: sk-0123456789abcdef}

            """
        guard case .refused(let reasons) = verdict(bad, .reload([])).verdict else {
            Issue.record("not refused")
            return
        }
        #expect(reasons.count == 2)
        #expect(reasons.allSatisfy { $0.hasPrefix("c.yaml:") })
    }

    @Test func aPublicMasterKeyIsAWarningOnThisMachineOnly() {
        let text = Self.good.replacing("sk-0123456789abcdef", with: "sk-1234")
        let (here, warnings) = verdict(text)
        guard case .candidate = here else {
            Issue.record("refused on loopback")
            return
        }
        #expect(warnings.map(\.severity) == [.warning])
        for (isStrict, isLoopback) in [(false, false), (true, true)] {
            guard case .refused(let reasons) = verdict(text, isStrict: isStrict, isLoopback: isLoopback).verdict else {
                Issue.record("not refused")
                return
            }
            #expect(reasons.count == 1)
            #expect(reasons[0].hasPrefix("c.yaml:4:32: "))
            #expect(!reasons[0].contains("sk-1234"))
        }
    }
}
