/// What is fuzzed: one entry for each parser and each rewriting of bytes from outside.
///
/// The same entries are driven by libFuzzer (`make fuzz`, Main.swift) and, over the corpora, by every test run
/// (CorpusTests.swift). An entry throws when something that must always hold did not; a trap is a failure by itself.
enum FuzzTarget: String, CaseIterable, Sendable {
    case json, requestHead, responseHead, chunked, configuration, request, answer, events, pattern, tags, control
    case coding, url

    func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        switch self {
        case .json: try JSONTarget.run(bytes)
        case .requestHead: try HeadTarget.run(bytes, isRequest: true)
        case .responseHead: try HeadTarget.run(bytes, isRequest: false)
        case .chunked: try ChunkedTarget.run(bytes)
        case .configuration: try ConfigurationTarget.run(bytes)
        case .request: try RequestTarget.run(bytes)
        case .answer: try AnswerTarget.run(bytes)
        case .events: try EventsTarget.run(bytes)
        case .pattern: try PatternTarget.run(bytes)
        case .tags: try TagsTarget.run(bytes)
        case .control: try ControlTarget.run(bytes)
        case .coding: try CodingTarget.run(bytes)
        case .url: try URLTarget.run(bytes)
        }
    }
}

/// A claim that did not hold, with what shows it.
struct FuzzFailure: Error, CustomStringConvertible {
    let claim: String
    let seen: String

    var description: String { "\(claim): \(seen)" }
}

/// States what must hold; `seen` is only made when it does not.
func claim(_ text: String, _ holds: Bool, _ seen: @autoclosure () -> String = "") throws(FuzzFailure) {
    guard holds else { throw FuzzFailure(claim: text, seen: seen()) }
}

/// Where to cut an input into pieces: derived from the input itself, so that a run can be repeated.
struct Cuts {
    private var state: UInt64

    init(_ bytes: [UInt8]) {
        state = 0xCBF2_9CE4_8422_2325
        for byte in bytes { state = (state ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }

    mutating func next(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % max(1, limit)
    }

    /// Ends of pieces from `range.lowerBound` to `range.upperBound`, most of them short.
    mutating func ends(of range: Range<Int>) -> [Int] {
        var ends: [Int] = []
        var position = range.lowerBound
        while position < range.upperBound {
            let longest = next(below: 4) == 0 ? 200 : 6
            position = min(range.upperBound, position + 1 + next(below: longest))
            ends.append(position)
        }
        return ends
    }
}

func text(_ bytes: some Sequence<UInt8>) -> String {
    String(decoding: Array(bytes), as: UTF8.self)
}
