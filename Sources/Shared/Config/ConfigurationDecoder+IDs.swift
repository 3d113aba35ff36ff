/// Where a deployment has its id from.
struct IDOrigin {
    /// Where it is given in the file.
    var place: IDPlace?
    /// What it has where none is given.
    let made: MadeID?
}

/// Where a deployment has its id.
struct IDPlace {
    let position: Position
    /// The deployment's number in the list of its file.
    let number: Int

    var path: String { "model_list[\(number)].model_info.id" }
}

/// A stable id for a deployment that has none: a hash of its name and parameters, keys left out; equal ones are
/// numbered. Pure.
struct MadeID {
    let id: String
    /// `model_info` as it is shown, with the id that it lacks.
    let infoJSON: String

    /// `copies`: how many before it are equal.
    init(for deployment: Deployment, copies: Int = 0) {
        let parts = [deployment.modelName, deployment.parametersJSON, deployment.apiBase, "\(copies)"]
        id = Self.hash(parts.joined(separator: "\u{0}"))
        let json = deployment.infoJSON
        let rest = json.isEmpty || json == "{}" ? "{" : "\(json.dropLast()),"
        infoJSON = "\(rest)\"id\":\(YAMLScalar.quoted(id))}"
    }

    private static func hash(_ text: String) -> String {
        // Four hashes side by side: each waits for its own multiplication only.
        let start: UInt64 = 0xCBF2_9CE4_8422_2325
        let step: UInt64 = 0x9E37_79B9_7F4A_7C15
        var hashes = SIMD4(start, start &+ step, start &+ step &* 2, start &+ step &* 3)
        for byte in text.utf8 {
            for index in 0..<4 { hashes[index] = (hashes[index] ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        let buffer = ByteBuffer(capacity: 64)
        for index in 0..<4 {
            let hash = (hashes[index] ^ hashes[index] >> 33) &* 0xFF51_AFD7_ED55_8CCD
            buffer.append(hex: hash ^ hash >> 33, digits: 16)
        }
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }
}

/// Who has an id.
struct IDOwner {
    var modelName: String
    /// How many deployments would have it, had the others not been numbered.
    var copies: Int
}

/// What can be said only when all deployments are known: ids and the groups that were left out.
extension ConfigurationDecoder {
    mutating func finishModels() {
        let owners = finishIDs()
        if configuration.deployments.count > Configuration.mostDeployments {
            reader.fail(
                Position(file: files.first?.path ?? "", line: 1, column: 1), "model_list",
                "has \(configuration.deployments.count) deployments; at most \(Configuration.mostDeployments) can be"
                    + " counted over all workers")
        }
        let sizes = groupSizes()
        checkMentioned(sizes, owners)
        checkHiddenNames(sizes, owners)
        configuration.leftOut.removeAll { sizes[$0.modelName] != nil || $0.modelName.isEmpty }
        for alias in configuration.router.aliases where sizes[alias.target] == nil {
            reader.warn(
                alias.position, "router_settings.model_group_alias.\(alias.name)",
                "its target \(alias.target) is no model name",
                hint: NearestWord.of(alias.target, among: sizes.keys).map { "did you mean `\($0)`?" })
        }
    }

    /// Gives every deployment its id, and answers who has which.
    private mutating func finishIDs() -> [String: IDOwner] {
        var owners = [String: IDOwner](minimumCapacity: configuration.deployments.count)
        for index in configuration.deployments.indices {
            let name = configuration.deployments[index].modelName
            var id = configuration.deployments[index].id
            var owner = ids[index].made.map { owners[$0.id] } ?? owners[id]
            if var made = ids[index].made {
                if let copies = owner?.copies, copies > 0 {
                    owners[made.id]?.copies = copies + 1
                    made = MadeID(for: configuration.deployments[index], copies: copies)
                    owner = owners[made.id]
                }
                id = made.id
                configuration.deployments[index].id = id
                configuration.deployments[index].infoJSON = made.infoJSON
            }
            if let owner {
                let place = ids[index].place
                reader.fail(
                    place?.position ?? Position(file: files.first?.path ?? "", line: 1, column: 1),
                    place?.path ?? "model_info.id",
                    "the id \(id) is given to deployments of \(owner.modelName) and of \(name)")
            }
            let isFirst = ids[index].made?.id == id
            owners[id] = IDOwner(modelName: name, copies: isFirst ? 1 : owner?.copies ?? 0)
        }
        return owners
    }

    /// How many deployments each group has. Those of a group mostly follow each other.
    private func groupSizes() -> [String: Int] {
        let deployments = configuration.deployments
        var sizes: [String: Int] = [:]
        var start = 0
        while start < deployments.count {
            var end = start + 1
            while end < deployments.count, deployments[end].modelName == deployments[start].modelName { end += 1 }
            sizes[deployments[start].modelName, default: 0] += end - start
            start = end
        }
        return sizes
    }
}
