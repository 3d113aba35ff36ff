internal import Shared

/// What is served, as `/v1/models` and `/model/info` tell it. Pure.
enum Catalog {
    static func models(_ table: RoutingTable, into buffer: ByteBuffer) {
        buffer.append("{\"data\":[" as StaticString)
        for (index, name) in table.visibleModels.enumerated() {
            if index > 0 { buffer.append(ASCII.comma) }
            model(name, into: buffer)
        }
        buffer.append("],\"object\":\"list\"}" as StaticString)
    }

    /// `created` and `owned_by` are the constants that the reference answers.
    static func model(_ name: String, into buffer: ByteBuffer) {
        var object = JSONObject(in: buffer)
        object.member("id", name)
        object.member("object", "model")
        object.member("created", 1_677_610_602)
        object.member("owned_by", "openai")
        object.end()
    }

    /// One row for each deployment, then one for each alias of its group. Keys are not part of the parameters.
    static func info(
        _ table: RoutingTable, _ count: Int, _ deployment: (Int) -> Deployment, into buffer: ByteBuffer
    ) {
        buffer.append("{\"data\":[" as StaticString)
        var isFirst = true
        func row(_ name: String, _ deployment: Deployment) {
            if !isFirst { buffer.append(ASCII.comma) }
            isFirst = false
            var object = JSONObject(in: buffer)
            object.member("model_name", name)
            object.member("litellm_params", raw: Array(deployment.parametersJSON.utf8))
            object.member("model_info", raw: Array(deployment.infoJSON.utf8))
            object.end()
        }
        for index in 0..<count {
            let deployment = deployment(index)
            row(deployment.modelName, deployment)
        }
        for alias in table.router.aliases where !alias.isHidden {
            for index in table.members(ofGroup: alias.target) { row(alias.name, deployment(Int(index))) }
        }
        buffer.append("]}" as StaticString)
    }
}
