import Foundation
import Testing

@testable import Shared
@testable import Worker

@Suite struct CatalogTests {
    private func rows(_ yaml: String) throws -> [[String: Any]] {
        let decoded = ConfigurationDecoder.decode(path: "c.yaml", environment: [:]) { _ in .success(Array(yaml.utf8)) }
        let buffer = ByteBuffer(capacity: 1024)
        let deployments = decoded.configuration.deployments
        Catalog.info(RoutingTable(decoded.configuration), deployments.count, { deployments[$0] }, into: buffer)
        let object = try JSONSerialization.jsonObject(with: Data(buffer.storage[buffer.readable]))
        return ((object as? [String: Any])?["data"] as? [[String: Any]]) ?? []
    }

    @Test func everyDeploymentHasARowWithItsIdAndNoKey() throws {
        let rows = try rows(
            """
            model_list:
              - model_name: bare
                litellm_params: {model: openai/a, api_key: sk-upstream, tags: [x]}
              - model_name: named
                litellm_params: {model: openai/b, api_key: sk-upstream}
                model_info: {id: b-1, mode: chat}
              - model_name: unnamed
                litellm_params: {model: openai/c, api_key: sk-upstream}
                model_info: {mode: chat}
            router_settings:
              model_group_alias: {other: named, secret: {model: named, hidden: true}}

            """)
        #expect(rows.map { $0["model_name"] as? String } == ["bare", "named", "unnamed", "other"])
        let information = rows.compactMap { $0["model_info"] as? [String: Any] }
        #expect(information.count == 4)
        #expect(information.allSatisfy { ($0["id"] as? String)?.isEmpty == false })
        #expect(information[1]["id"] as? String == "b-1")
        #expect(information[2]["mode"] as? String == "chat")
        let parameters = rows.compactMap { $0["litellm_params"] as? [String: Any] }
        #expect(parameters.allSatisfy { $0["api_key"] == nil })
        #expect(parameters[0]["tags"] as? [String] == ["x"])
    }
}
