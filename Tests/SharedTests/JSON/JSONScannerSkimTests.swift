import Testing

@testable import Shared

/// The fast way through a text finds what the state machine finds, which takes over wherever a piece ends: whole
/// texts against texts one byte at a time, and cut in two everywhere.
@Suite struct JSONScannerSkimTests {
    private struct Finding: Equatable {
        var members: [JSONScanner.Member] = []
        var kind: JSONScanner.Kind?
        var hasFinishReason = false
        var hasWhiteSpace = false
        var error: JSONError?
    }

    private func scan(_ bytes: [UInt8], cuts: [Int], depth: Int = 256) -> Finding {
        var scanner = JSONScanner(maximumDepth: depth)
        var finding = Finding()
        do throws(JSONError) {
            var start = 0
            for cut in cuts + [bytes.count] {
                try scanner.scan(bytes, start..<cut)
                start = cut
            }
            try scanner.finish(at: bytes.count)
        } catch {
            // What was found before an error is nobody's business.
            finding.error = error
            return finding
        }
        finding.members = scanner.members
        finding.kind = scanner.kind
        finding.hasFinishReason = scanner.hasFinishReason
        finding.hasWhiteSpace = scanner.hasWhiteSpace
        return finding
    }

    private static let samples: [String] = [
        #"{"model":"gpt-4","messages":[{"role":"user","content":"hi"}],"tags":["free"]}"#,
        #" { "a" : [ 1 , -2.5e+3 , 0 , -0.1E-9, true , false , null ] , "b" : { } , "c" : [ ] } "#,
        #"{"choices":[{"index":0,"delta":{"content":" x"},"finish_reason":null}]}"#,
        #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"n":1}}"#,
        #"{"choices":[{"finish_reason":{"a":1}}]}"#, #"{"a":{"b":{"finish_reason":1}}}"#,
        #"{"e\u0073c\n":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","k\"":2}"#,
        #"{"text":"żółw, 漢字かな, 😀 and a rather long run of plain text behind it, longer than a block"}"#,
        #"["a",["b",{"c":[[[{"d":"e"}]]]}],1,2,3]"#, #""a string""#, "12.5", "-0", "true", "null", "[]", "{}", "[[]]",
        #"{"a":1,"a":2,"b":"c"}"#,
        // What is wrong.
        "", " ", "{", "}", "[1,]", "[,1]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,"a":1}"#, #"{"a" 1}"#, #"{1:2}"#,
        "01", "-", "1.", "1.e5", ".5", "1e", "1e+", "+1", "0x1", "tru", "truE", "nul", "falsy", "[1 2]", "[1]]",
        "{} {}", "[}", "{]", "\"\u{1}\"", "\"\t\"", #""\x""#, #""\u12g4""#, #""\ud800""#, #""\ude00""#,
        #""\ud800\u0041""#,
        #""\ud800x""#, "\"abc", #"{"abc"#, #"{"a":"b"#, "\u{feff}{}", "{\"a\":1}\u{0}", "nulll", "[1.5.5]", "[--1]",
    ]

    @Test(arguments: samples)
    func readsTheSameHoweverItIsCut(_ text: String) {
        let bytes = Array(text.utf8)
        let whole = scan(bytes, cuts: [])
        #expect(scan(bytes, cuts: Array(bytes.indices)) == whole)
        for cut in bytes.indices { #expect(scan(bytes, cuts: [cut]) == whole, "cut at \(cut)") }
    }

    @Test(arguments: samples)
    func findsTheSameInEveryPrefix(_ text: String) {
        for length in 0...text.utf8.count {
            let bytes = Array(text.utf8.prefix(length))
            #expect(scan(bytes, cuts: []) == scan(bytes, cuts: Array(bytes.indices)), "\(length) bytes")
        }
    }

    /// Any byte anywhere: most of these are wrong in some way, among them all malformed UTF-8 of one byte.
    @Test(arguments: samples.prefix(8))
    func judgesTheSameWithAnyByteChanged(_ text: String) {
        var bytes = Array(text.utf8)
        for index in bytes.indices {
            let original = bytes[index]
            for byte in stride(from: 0, through: 255, by: 3) {
                bytes[index] = UInt8(byte)
                #expect(scan(bytes, cuts: []) == scan(bytes, cuts: Array(bytes.indices)), "byte \(byte) at \(index)")
            }
            bytes[index] = original
        }
    }

    /// Sequences of up to four bytes that begin with each byte beyond ASCII.
    @Test func judgesUTF8AsTheMachineDoes() {
        let continuations: [UInt8] = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0]
        for first in UInt8(0x80)...0xFF {
            for second in continuations {
                for third in continuations {
                    let bytes = Array("[\"".utf8) + [first, second, third, 0x80] + Array("      \"]".utf8)
                    #expect(scan(bytes, cuts: []) == scan(bytes, cuts: Array(bytes.indices)), "\(bytes)")
                    let short = Array("[\"".utf8) + [first, second, third] + Array("      \"]".utf8)
                    #expect(scan(short, cuts: []) == scan(short, cuts: Array(short.indices)), "\(short)")
                }
            }
        }
    }

    @Test(arguments: [1, 2, 16, 61, 62, 63, 64, 65, 200])
    func countsLevelsAsTheMachineDoes(_ depth: Int) {
        for levels in [depth - 1, depth, depth + 1] where levels >= 1 {
            for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
                let text = String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels)
                let bytes = Array(text.utf8)
                let whole = scan(bytes, cuts: [], depth: depth)
                #expect(whole == scan(bytes, cuts: Array(bytes.indices), depth: depth))
                #expect(whole.error?.kind == (levels > depth ? .depth : nil))
            }
        }
    }
}
