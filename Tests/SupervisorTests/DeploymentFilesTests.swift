import Testing

@testable import Shared
@testable import tagway

/// What `deploy/` says of exit statuses, times and paths is what the code says of them.
@Suite struct DeploymentFilesTests {
    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    private func text(_ name: String) throws -> String {
        String(decoding: try File.read("\(Self.root)/deploy/\(name)").get(), as: UTF8.self)
    }

    private func load(_ name: String, _ environment: [String: String]) -> ConfigurationSource.Loaded {
        var source = ConfigurationSource(
            path: "\(Self.root)/deploy/\(name)", environmentFile: nil, isStrict: true)
        return source.load(environment)
    }

    /// The values of `key=` in a unit, in their order.
    private func values(_ key: String, _ unit: String) -> [String] {
        unit.split(separator: "\n").filter { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    @Test func theUnitKnowsTheExitStatusesThatNoNewStartCanMend() throws {
        let unit = try text("systemd/tagway.service")
        let expected = [ExitCode.usage, ExitCode.alreadyRunning, ExitCode.configuration].map(String.init)
        #expect(values("RestartPreventExitStatus", unit) == [expected.joined(separator: " ")])
        #expect(values("SuccessExitStatus", unit) == ["\(ExitCode.cut)"])
    }

    @Test func theUnitSaysHowManySocketsAreKept() throws {
        let unit = try text("systemd/tagway.service")
        let most = try #require(values("FileDescriptorStoreMax", unit).first)
        #expect(values("Environment", unit) == ["FDSTORE=\(most)"])
    }

    @Test func whoeverStopsItWaitsForTheDefaultDrain() throws {
        let said = Check.grace(of: Configuration())
        let stop = try #require(values("TimeoutStopSec", try text("systemd/tagway.service")).first)
        #expect(said.contains("TimeoutStopSec=\(stop)\n"))
        let compose = try text("compose.yaml").split(separator: "\n").map { $0.drop { $0 == " " } }
        let grace = try #require(compose.first { $0.hasPrefix("stop_grace_period:") })
        #expect(said.split(separator: "\n").contains(grace))
    }

    @Test func aPodIsGivenTheTimeOfItsDrain() throws {
        let loaded = load("kubernetes/config.yaml", ["OPENAI_API_KEY": "a", "TAGWAY_MASTER_KEY": "0123456789abcdef"])
        #expect(loaded.decoded.problems == [])
        let said = Check.grace(of: loaded.decoded.configuration).split(separator: "\n")
        let lines = try text("kubernetes/deployment.yaml").split(separator: "\n").map { $0.drop { $0 == " " } }
        let grace = try #require(lines.first { $0.hasPrefix("terminationGracePeriodSeconds:") })
        #expect(said.contains(grace))
        #expect(said.first?.hasPrefix("terminationGracePeriodSeconds:") == true, "no lame duck: \(said)")
    }

    /// Every command line in `deploy/` is one that we understand.
    @Test func commandLinesAreUnderstood() throws {
        var lines: [String] = []
        for name in ["tagway.service", "credentials.conf"] {
            let unit = try text("systemd/\(name)")
            lines += values("ExecStart", unit) + values("ExecReload", unit)
        }
        for line in try text("Containerfile").split(separator: "\n") {
            guard let list = line.firstIndex(of: "["), line.hasPrefix("CMD") || line.contains(" CMD ") else { continue }
            lines.append(line[list...].split { "[]\", ".contains($0) }.joined(separator: " "))
        }
        let words = lines.filter { !$0.isEmpty }.map { $0.split(separator: " ").map(String.init) }
        #expect(words.count == 5)
        for line in words {
            let arguments = line.first == "/usr/bin/tagway" ? Array(line.dropFirst()) : line
            #expect(throws: Never.self, "\(line)") { try Command(arguments) }
        }
    }

    /// The configuration that the package installs answers by itself.
    @Test func theInstalledConfigurationServesWithoutAKey() {
        let configuration = load("package/config.yaml", [:]).decoded.configuration
        #expect(configuration.deployments.count == 1)
        #expect(configuration.deployments.allSatisfy { $0.unconfigured == nil && $0.mockResponse != nil })
    }
}
