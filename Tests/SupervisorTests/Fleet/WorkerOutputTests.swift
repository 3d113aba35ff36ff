import Testing

@testable import Shared
@testable import tagway

@Suite struct WorkerOutputTests {
    private let text = "Fatal error: x\n{\"ts\":\"now\",\"event\":\"a\"}\n{\"other\":1}\nlast"

    /// However it is cut, it means the same.
    @Test(arguments: 1...20)
    func linesComeOutWholeHoweverTheyCameIn(_ size: Int) {
        var output = WorkerOutput()
        var lines: [WorkerOutput.Line] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            lines += output.take(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        lines += output.finish()
        #expect(
            lines == [
                .text("Fatal error: x"), .event(Array(#"{"ts":"now","event":"a"}"#.utf8)), .text(#"{"other":1}"#),
                .text("last"),
            ])
        #expect(output.kept == ["Fatal error: x", #"{"other":1}"#, "last"])
        #expect(output.finish().isEmpty)
    }

    @Test func aLongLineIsCutAndTheNewestTextIsKept() {
        var output = WorkerOutput()
        let lines = output.take(Array(repeating: 0x61, count: 40_000)[...]) + output.finish()
        #expect(lines.count == 3)
        for number in 0..<3000 {
            _ = output.take(Array("line \(number) \(String(repeating: "x", count: 30))\n".utf8)[...])
        }
        #expect(output.kept.last?.hasPrefix("line 2999 ") == true)
        #expect(output.kept.reduce(0) { $0 + $1.utf8.count } <= WorkerOutput.mostKept)
        #expect(output.kept.count > 1000)
    }
}
