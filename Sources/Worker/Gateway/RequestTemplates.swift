internal import Shared

/// The latest shapes of requests that were read, for those to come: most of a program's requests have the same members, and
/// differ in what they ask. One for all exchanges of a worker.
///
/// Pure. What matches is valid JSON with the same members in the same order: where they lie follows, so that the body need
/// not be read to find them. What their values say is looked at as ever; only whether a string is written with escapes is
/// not known.
final class RequestTemplates {
    /// Beyond this size a body is not compared, lest its text be looked at for each shape in turn.
    private static let longest = 4096
    private static let most = 4

    /// One shape.
    final class Known {
        fileprivate let template = JSONTemplate(fixed: [])
        /// From the start of the body.
        fileprivate var members: [JSONScanner.Member] = []
        /// What each of them means.
        fileprivate(set) var parameters: [CompletionRequest.Parameter?] = []
    }

    /// What matched last is the first.
    private var known: [Known] = []
    /// How many requests in a row were like none.
    private var misses = 0

    /// Where requests have nothing in common it is not worth the trouble; but that may change.
    private var isWorthIt: Bool { misses <= 8 || misses % 16 == 0 }

    /// The shape of the body at `range`, whose members it puts in `members`; nil when it is like none.
    func find(_ bytes: [UInt8], _ range: Range<Int>, _ members: inout [JSONScanner.Member]) -> Known? {
        guard range.count <= Self.longest, isWorthIt else { return nil }
        for index in 0..<known.count {
            let candidate = known[index]
            guard candidate.template.match(bytes, from: range.lowerBound, to: range.upperBound) == range.upperBound
            else { continue }
            if index > 0 { known.swapAt(0, index) }
            misses = 0
            candidate.locate(range.lowerBound, &members)
            return candidate
        }
        return nil
    }

    /// Takes a body that was read whole and is a valid object.
    func learn(
        _ bytes: [UInt8], _ range: Range<Int>, _ members: [JSONScanner.Member],
        _ parameter: (JSONScanner.Member) -> CompletionRequest.Parameter?
    ) {
        // One that could not be compared says nothing of the others.
        guard range.count <= Self.longest else { return }
        misses += 1
        guard isWorthIt else { return }
        let latest = known.count < Self.most ? Known() : known.removeLast()
        latest.template.learn(bytes, range, object: range)
        latest.members.removeAll(keepingCapacity: true)
        latest.parameters.removeAll(keepingCapacity: true)
        for member in members {
            latest.members.append(member.moved(by: -range.lowerBound))
            latest.parameters.append(parameter(member))
        }
        known.insert(latest, at: 0)
    }
}

extension RequestTemplates.Known {
    /// The members of the body that matched last, which begins at `start`.
    fileprivate func locate(_ start: Int, _ located: inout [JSONScanner.Member]) {
        while located.count > members.count { located.removeLast() }
        for index in 0..<members.count {
            var member = members[index]
            member.key = place(member.key, start)
            member.value = place(member.value, start)
            member.valueIsEscaped = false
            if index < located.count { located[index] = member } else { located.append(member) }
        }
    }

    private func place(_ range: Range<Int>, _ start: Int) -> Range<Int> {
        start + template.matched(range.lowerBound)..<start + template.matched(range.upperBound)
    }
}

extension JSONScanner.Member {
    fileprivate func moved(by distance: Int) -> JSONScanner.Member {
        var moved = self
        moved.key = key.lowerBound + distance..<key.upperBound + distance
        moved.value = value.lowerBound + distance..<value.upperBound + distance
        return moved
    }
}
