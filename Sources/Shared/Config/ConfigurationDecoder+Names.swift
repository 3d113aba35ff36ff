/// Names that mean something else than they seem to: each is served as it is written, and said.
extension ConfigurationDecoder {
    /// Tags of a deployment that no request can ask for, or not from everywhere.
    mutating func checkTags(_ tags: [String], _ position: Position, _ path: String) {
        for tag in tags {
            let bytes = Array(tag.utf8)
            if tag.isEmpty {
                reader.warn(position, path, "an empty tag", hint: "no request can ask for it")
            } else if tag.hasPrefix("!") || tag.hasPrefix("&") {
                reader.warn(
                    position, path, "the tag \(tag) begins with a mark",
                    hint: "no request can ask for it: in a request `!` excludes and `&` requires")
            } else if ASCII.trimmed(bytes, 0..<bytes.count).count < bytes.count {
                reader.warn(
                    position, path, "the tag `\(tag)` begins or ends with a blank",
                    hint: "tags of a header are compared without")
            }
            checkStars(tag, position, path)
        }
    }

    /// A wildcard has one star.
    mutating func checkStars(_ name: String, _ position: Position, _ path: String) {
        guard name.count(where: { $0 == "*" }) > 1 else { return }
        reader.warn(position, path, "\(name) has several stars", hint: "only the first stands for any text")
    }

    /// Of equal names an id counts before an alias, and that before a group, which is then out of reach.
    mutating func checkHiddenNames(_ sizes: [String: Int], _ owners: [String: IDOwner]) {
        for index in configuration.deployments.indices {
            let id = configuration.deployments[index].id
            guard let place = ids[index].place, let size = sizes[id],
                size > 1 || configuration.deployments[index].modelName != id
            else { continue }
            reader.warn(
                place.position, place.path, "the id \(id) hides the model of that name",
                hint: "requests for it go to this deployment alone")
        }
        for alias in configuration.router.aliases where alias.name != alias.target {
            let path = "router_settings.model_group_alias.\(alias.name)"
            if owners[alias.name] != nil {
                reader.warn(
                    alias.position, path, "a deployment has this name as its id",
                    hint: "requests for it go to that deployment")
            } else if sizes[alias.name] != nil, sizes[alias.target] != nil {
                reader.warn(
                    alias.position, path, "hides the model of that name",
                    hint: "requests for it go to \(alias.target)")
            }
        }
    }
}
