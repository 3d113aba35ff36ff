import Testing

@testable import Shared
@testable import tagway

/// The files in `examples/` are what a reader copies: they have to be true.
@Suite struct ExamplesTests {
    private static func path(_ name: String) -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(root)/examples/\(name)"
    }

    private func load(_ name: String, _ environment: [String: String]) -> ConfigurationSource.Loaded {
        var source = ConfigurationSource(path: Self.path(name), environmentFile: nil, isStrict: false)
        return source.load(environment)
    }

    private func text(_ name: String) throws -> String {
        String(decoding: try File.read(Self.path(name)).get(), as: UTF8.self)
    }

    @Test func theQuickstartServesBothTiersWithoutAKey() {
        let configuration = load("quickstart.yaml", [:]).decoded.configuration
        #expect(configuration.deployments.map(\.unconfigured) == [nil, nil])
        #expect(configuration.deployments.map(\.tags) == [["free"], ["paid"]])
        #expect(configuration.deployments.allSatisfy { $0.mockResponse != nil })
        #expect(
            configuration.deployments.map(\.apiBase) == [
                "https://exampleopenaiendpoint-production.up.railway.app/", "https://api.openai.com",
            ])
    }

    @Test func theQuickstartIsTheDocumentedExampleWithMocks() throws {
        let withoutMocks = try text("quickstart.yaml").split(separator: "\n")
            .filter { !$0.hasPrefix("#") && !$0.contains("mock_response") }
        #expect(withoutMocks == (try text("free-paid.yaml")).split(separator: "\n"))
    }

    @Test func anUnsetKeyIsAWarningWithItsPlaceAndNotAnUpstream() throws {
        let loaded = load("free-paid.yaml", [:])
        let problem = try #require(loaded.decoded.problems.first)
        #expect(loaded.decoded.problems.count == 1 && problem.severity == .warning)
        #expect(problem.position.line == 11 && problem.message.contains("OPENAI_API_KEY"))
        #expect(loaded.decoded.configuration.deployments[0].unconfigured == nil)
        #expect(loaded.decoded.configuration.deployments[1].unconfigured?.contains("OPENAI_API_KEY") == true)
        #expect(load("free-paid.yaml", ["OPENAI_API_KEY": "sk-x"]).decoded.problems.isEmpty)
    }

    @Test func theReferenceIsAcceptedWithoutAWarning() {
        let environment = ["OPENAI_API_KEY": "sk-x", "TAGWAY_MASTER_KEY": "sk-0123456789abcdef"]
        let (report, code) = Check.report(load("reference.yaml", environment), isStrict: true)
        #expect(code == ExitCode.done, "\(report)")
    }

    @Test func theReferenceHasEverySettingThatExists() throws {
        let text = try text("reference.yaml")
        for section in KnownKeys.all {
            let missing = section.honoured.filter { !text.contains("\($0):") }
            #expect(missing.isEmpty, "of \(section.name)")
        }
    }
}
