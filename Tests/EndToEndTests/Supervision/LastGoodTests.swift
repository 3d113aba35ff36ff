import Foundation
import Testing

extension Supervision {
    /// `--last-good`: a start with bad files serves what was in force before.
    @Suite struct LastGoodTests {
        private final class Place {
            let directory: URL
            var configuration: URL { directory.appendingPathComponent("tagway.yaml") }
            var kept: URL { directory.appendingPathComponent("state/last-good") }

            init() throws { directory = try SupervisedGateway.makeDirectory() }
            deinit { try? FileManager.default.removeItem(at: directory) }

            func write(_ yaml: String) throws { try Data(yaml.utf8).write(to: configuration, options: .atomic) }

            /// `KEY` is what the configuration refers to.
            func start() throws -> SupervisedGateway {
                try SupervisedGateway(
                    "", environment: ["TAGWAY_TEST_KEY": "sk-of-now"],
                    options: [
                        "--config", configuration.path, "--last-good", kept.deletingLastPathComponent().path,
                    ])
            }
        }

        private func yaml(_ model: String) -> String {
            """
            general_settings: {master_key: \(PlainClient.key)}
            model_list:
              - {model_name: \(model), litellm_params: {model: openai/m, api_key: os.environ/TAGWAY_TEST_KEY, mock_response: hi}}
            """
        }

        private func stop(_ gateway: SupervisedGateway) {
            gateway.signal(SIGTERM)
            #expect(gateway.exitStatus(within: 10) == 0)
        }

        @Test func badFilesAreStoodInFor() throws {
            let place = try Place()
            try place.write(yaml("first"))
            let first = try place.start()
            #expect(waitUntil(seconds: 5) { FileManager.default.fileExists(atPath: place.kept.path) })
            try place.write(yaml("second"))
            #expect(try first.control("reload", "--wait").status == 0)
            try place.write("model_list: 3\n")
            #expect(try first.control("reload", "--wait").status == 1)
            stop(first)
            // References only, and for us alone.
            let bytes = try Data(contentsOf: place.kept)
            #expect(bytes.contains(Data("os.environ/TAGWAY_TEST_KEY".utf8)))
            #expect(!bytes.contains(Data("sk-of-now".utf8)))
            let attributes = try FileManager.default.attributesOfItem(atPath: place.kept.path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)

            let second = try place.start()
            #expect(try PlainClient(port: second.port).exchange(PlainClient.chat("second")).status == 200)
            #expect(second.events("last-good").count == 1)
            #expect(
                second.events("config-problem").contains { ($0["at"] as? String)?.contains("tagway.yaml:1") == true })
            var status = try second.status()
            #expect(status["state"] as? String == "degraded")
            #expect(status["config_drift"] as? Bool == true)
            #expect(status["last_good_kept_at"] != nil)
            #expect(try second.control("status").output.contains("this was kept on"))
            try place.write(yaml("third"))
            #expect(try second.control("reload", "--wait").status == 0)
            status = try second.status()
            #expect(status["state"] as? String == "ready")
            #expect(status["last_good_kept_at"] == nil)
            #expect(try PlainClient(port: second.port).exchange(PlainClient.chat("third")).status == 200)
            stop(second)
        }

        @Test func withoutAnythingKeptTheStartFails() throws {
            let place = try Place()
            try place.write("model_list: 3\n")
            let (status, output) = try SupervisedGateway.run([
                "serve", "--config", place.configuration.path, "--last-good", place.directory.path, "--port", "0",
            ])
            #expect(status == 78)
            #expect(output.contains("tagway.yaml:1"), "\(output)")
        }
    }
}
