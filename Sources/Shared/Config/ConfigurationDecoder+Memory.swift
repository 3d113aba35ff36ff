/// A file of the configuration, read.
struct ReadFile {
    let path: String
    let text: [UInt8]
    let root: YAMLNode
    /// What libyaml has read of the text; nil: all, and it is not in pieces yet.
    let skeleton: ListSkeleton?

    /// Whether `list` stands there once, and for nobody else: a key of its own, not twice, and neither with an anchor
    /// nor by an alias.
    func hasForItself(_ list: YAMLNode) -> Bool {
        guard case .mapping(let members) = root.value, !list.hasProperties else { return false }
        let own = members.filter { key, _ in
            if case .scalar("model_list", _) = key.value { true } else { false }
        }
        return own.count == 1 && own[0].value === list
    }
}

/// Deployments of earlier reads are taken over.
extension ConfigurationDecoder {
    /// The items that libyaml has read, and between them those that are remembered. What is not at a place where that
    /// can be said stays out, and `itemsLeftOut` tells.
    mutating func decodeModels(_ items: [YAMLNode], _ list: YAMLNode, of file: ReadFile) {
        let indent = list.position.column - 1
        let known = memory?.lists[file.path]
        var skeleton = file.skeleton
        if skeleton.map({ $0.indent != indent && $0.taken.isEmpty }) ?? true {
            skeleton = ListSkeleton(whole: file.text, indent: indent)
        }
        guard let skeleton else { return }
        let places = skeleton.places(of: items)
        guard skeleton.taken.isEmpty || known?.environment == reader.environment, skeleton.indent == indent else {
            return
        }
        var next = RememberedList(environment: reader.environment, text: file.text, indent: indent)
        let count = items.count + skeleton.taken.count
        next.items.reserveCapacity(count)
        configuration.deployments.reserveCapacity(configuration.deployments.count + count)
        var number = 0
        for (index, item) in items.enumerated() {
            if index > 0, let place = places[index], let known {
                takeOver(skeleton, place, before: item.position, known, &number, &next)
            }
            let (problems, deployments) = (reader.problems.count, configuration.deployments.count)
            decodeModel(item, number)
            number += 1
            guard item.isClosed, reader.problems.count == problems,
                configuration.deployments.count == deployments + 1, index + 1 < items.count,
                let place = places[index], places[index + 1] == place + 1
            else { continue }
            let behind = skeleton.pieces[place + 1]
            let left = known.map { skeleton.lines(of: behind, $0) } ?? 0
            let line = item.position.line
            next.items.append(
                RememberedItem(
                    range: skeleton.pieces[place].range, lines: items[index + 1].position.line - left - line,
                    idPlace: idPosition.map { ($0.line - line, $0.column) }, madeID: ids[deployments].made,
                    deployment: configuration.deployments[deployments]))
        }
        remembered.lists[file.path] = next
    }

    /// Those that were left out before the piece at `place`, with which `item` begins.
    private mutating func takeOver(
        _ skeleton: ListSkeleton, _ place: Int, before node: Position, _ known: RememberedList, _ number: inout Int,
        _ next: inout RememberedList
    ) {
        let behind = skeleton.pieces[place]
        guard !behind.taken.isEmpty else { return }
        var line = node.line - skeleton.lines(of: behind, known)
        var start = behind.range.lowerBound
        for index in behind.taken { start -= known.items[skeleton.taken[index]].range.count }
        for index in behind.taken {
            var item = known.items[skeleton.taken[index]]
            item.range = start..<start + item.range.count
            configuration.deployments.append(item.deployment)
            let place = item.idPlace.map { place in
                IDPlace(
                    position: Position(file: node.file, line: line + place.lines, column: place.column),
                    number: number)
            }
            ids.append(IDOrigin(place: place, made: item.madeID))
            start += item.range.count
            line += item.lines
            number += 1
            next.items.append(item)
        }
        itemsLeftOut -= behind.taken.count
        remembered.taken += behind.taken.count
    }
}
