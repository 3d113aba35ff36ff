import Testing

@testable import Shared
@testable import tagway

@Suite struct CheckTests {
    private func report(_ text: String, isStrict: Bool = false) -> (text: String, code: Int32) {
        let decoded = ConfigurationDecoder.decode(path: "c.yaml", environment: [:]) { _ in .success(Array(text.utf8)) }
        return Check.report(
            ConfigurationSource.Loaded(decoded: decoded, environment: [:]), isStrict: isStrict)
    }

    private static let good = """
        model_list:
          - model_name: a
            litellm_params: {model: openai/a, api_key: sk-upstream}
        general_settings: {master_key: sk-0123456789abcdef}

        """

    @Test func aGoodFileIsFine() {
        let (text, code) = report(Self.good, isStrict: true)
        #expect(text == "fine: 1 deployment in 1 model group, 0 errors, 0 warnings\n")
        #expect(code == 0)
    }

    @Test func aMistypedKeyIsNamedWithItsPlaceAndTheRightOne() {
        let text = Self.good.replacing("api_key: sk-upstream", with: "api_key: sk-upstream, tag: [x]")
        let (output, code) = report(text)
        #expect(output.contains("c.yaml:3:"))
        #expect(output.contains("did you mean `tags`?"))
        #expect(code == 0)
        #expect(report(text, isStrict: true).code == ExitCode.configuration)
    }

    @Test func everyProblemIsPrinted() {
        let (output, code) = report(
            """
            model_list:
              - model_name: a
                litellm_params: {model: openai/a, tags: free}
              - litellm_params: {model: openai/b}
            general_settings: {master_key: sk-1234}

            """)
        #expect(code == ExitCode.configuration)
        let errors = output.split(separator: "\n").filter { $0.contains(": error: ") }
        #expect(errors.count == 2)
        #expect(output.contains("c.yaml:5:32: warning: general_settings.master_key: is publicly known"))
        #expect(!output.contains("sk-1234"))
        #expect(output.hasSuffix("2 errors, 1 warning\n"))
    }

    @Test func problemsComeInTheOrderOfTheText() {
        let (output, _) = report(
            """
            general_settings: {master_key: sk-1234}
            model_list:
              - model_name: a
                litellm_params: {model: openai/a, tag: [x], tags: free}
            router_settings: {enable_tag_filtering: "true"}

            """)
        let lines = output.split(separator: "\n").dropLast().map { $0.prefix { $0 != " " } }
        #expect(lines == ["c.yaml:1:32:", "c.yaml:4:39:", "c.yaml:4:55:", "c.yaml:5:41:"])
    }

    @Test func aFileThatIsNotThereIsAProblem() {
        var source = ConfigurationSource(path: "/nonexistent/c.yaml", environmentFile: nil, isStrict: false)
        let (output, code) = Check.report(source.load([:]), isStrict: false)
        #expect(output.contains("cannot read /nonexistent/c.yaml: No such file or directory"))
        #expect(code == ExitCode.configuration)
    }

    @Test(arguments: [
        (60.0, 5.0, "80"), (300, 2.5, "318"), (0.2, 0.5, "17"), (1e300, 1, "1000000015"), (60, 1e300, "1000000015"),
    ])
    func whoStopsItHasToWaitForLameDuckAndDrain(_ drain: Double, _ lameDuck: Double, _ grace: String) {
        var configuration = Configuration()
        configuration.process.drainTimeout = drain
        configuration.supervision.lameDuck = lameDuck
        #expect(
            Check.grace(of: configuration) == """
                terminationGracePeriodSeconds: \(grace)
                stop_grace_period: \(grace)s
                TimeoutStopSec=\(grace)

                """)
    }

    @Test func aPodWithoutALameDuckIsToldOf() {
        #expect(
            Check.grace(of: Configuration()) == """
                # in a pod, tagway.lame_duck should be 5 and not 0
                terminationGracePeriodSeconds: 315
                stop_grace_period: 315s
                TimeoutStopSec=315

                """)
    }
}
