import Foundation
import Testing

/// Every input of the corpora once: what a fuzzer found stays mended.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    private static func inputs(_ target: FuzzTarget) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: folder.appending(path: target.rawValue), includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
    }

    @Test(arguments: FuzzTarget.allCases)
    func everyInputIsTakenWell(_ target: FuzzTarget) throws {
        let inputs = try Self.inputs(target)
        #expect(inputs.count >= 5, "\(target) has too small a corpus to begin with")
        for input in inputs {
            let bytes = Array(try Data(contentsOf: input))
            do throws(FuzzFailure) {
                try target.run(bytes)
            } catch {
                Issue.record("\(input.lastPathComponent): \(error)")
            }
        }
    }

    /// Cut at each position, an input is another input.
    @Test(arguments: FuzzTarget.allCases)
    func everyCutInputIsTakenWell(_ target: FuzzTarget) throws {
        for input in try Self.inputs(target) {
            let bytes = Array(try Data(contentsOf: input))
            let step = max(1, bytes.count / 64)
            for count in stride(from: 0, to: bytes.count, by: step) {
                do throws(FuzzFailure) {
                    try target.run(Array(bytes[..<count]))
                } catch {
                    Issue.record("\(input.lastPathComponent), \(count) bytes: \(error)")
                }
            }
        }
    }

    @Test func everyCorpusHasItsTarget() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).sorted()
        #expect(names == FuzzTarget.allCases.map(\.rawValue).sorted())
    }
}

/// The claims can fail: each is shown one wrong thing.
@Suite struct FuzzClaimTests {
    @Test func aClaimThatDoesNotHoldIsThrown() {
        #expect(throws: FuzzFailure.self) { try claim("one is two", 1 == 2) }
        #expect(throws: Never.self) { try claim("one is one", 1 == 1) }
    }

    @Test(arguments: [
        "{}", " [1, 2.5e-3, true, null, \"\\u00e9\\ud83d\\ude00\"] ", "\"\"", "-0", "{\"a\":{\"b\":[{}]}}",
    ])
    func theReferenceAcceptsJSON(_ text: String) {
        #expect(ReferenceJSON.read(Array(text.utf8), 0..<text.utf8.count) != nil)
    }

    @Test(arguments: [
        "", "{", "01", "1.", "[1,]", "{\"a\"}", "nul", "\"\\ud800\"", "\"\\x\"", "\"\u{1}\"", "1 2", "+1",
    ])
    func theReferenceRefusesWhatIsNone(_ text: String) {
        #expect(ReferenceJSON.read(Array(text.utf8), 0..<text.utf8.count) == nil)
    }

    @Test func aWrongRewritingIsSeen() {
        let input = Array(#"{"model":"a","x":1}"#.utf8)
        guard case .object(let members) = ReferenceJSON.read(input, 0..<input.count)?.value else {
            Issue.record("not an object")
            return
        }
        for wrong in [#"{"model":"a","x":1}"#, #"{"model":"gpt-4","x":2}"#, #"{"model":"gpt-4"}"#, "{"] {
            #expect(throws: FuzzFailure.self) { try AnswerTarget.compareModels(input, members, Array(wrong.utf8)) }
        }
        #expect(throws: Never.self) {
            try AnswerTarget.compareModels(input, members, Array(#"{"model":"gpt-4","x":1}"#.utf8))
        }
    }
}
