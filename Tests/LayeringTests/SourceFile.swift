import Foundation

/// A Swift source, its comments and the insides of its strings set aside, so that rules look at code alone.
struct SourceFile {
    /// Below `Sources/`: `Shared/HTTP/HeadParser.swift`.
    let path: String
    let text: String
    let code: String
    let comments: String
    /// Every identifier and keyword of the code.
    let words: Set<String>

    init(path: String, text: String) {
        self.path = path
        self.text = text
        (code, comments) = Self.strip(text)
        words = Set(code.matches(of: /[A-Za-z_][A-Za-z_0-9]*/).map { String($0.output) })
    }

    /// `Shared/HTTP`; the target alone for files that lie in its root.
    var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }

    /// The comment before the first declaration.
    var header: String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { !$0.hasPrefix("///") }.prefix { $0.hasPrefix("///") }.joined(separator: "\n")
    }

    var imports: [String] {
        code.matches(of: /(?m)^\s*(?:@\w+\s+)*(?:(?:package|internal|private|public)\s+)?import\s+(\w+)/).map {
            String($0.output.1)
        }
    }

    /// Types that the file declares outside of others, extensions not counted.
    var types: [String] {
        code.matches(
            of:
                /(?m)^(?:@\w+ )*(?:(?:public|package|private|fileprivate|final|indirect|nonisolated) )*(?:class|struct|enum|protocol|actor|typealias) (\w+)/
        ).map { String($0.output.1) }
    }

    /// Types that the file declares within others.
    var nestedTypes: [String] {
        code.matches(of: /(?m)^ +[\w@ ]*?(?:class|struct|enum|protocol|actor|typealias|case) (\w+)/).map {
            String($0.output.1)
        }
    }

    static func all(under root: URL) -> [SourceFile] {
        let names = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(".swift") }.sorted().compactMap { name in
            (try? String(contentsOf: root.appending(path: name), encoding: .utf8)).map {
                SourceFile(path: name, text: $0)
            }
        }
    }

    static let project = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let sources = all(under: project.appending(path: "Sources"))

    /// The code with strings emptied, and the comments. An interpolation goes with its string.
    private static func strip(_ text: String) -> (code: String, comments: String) {
        var code: [UInt8] = []
        var comments: [UInt8] = []
        var rest = Array(text.utf8)[...]
        func starts(_ with: StaticString) -> Bool { with.withUTF8Buffer { rest.starts(with: $0) } }
        let quote = UInt8(ascii: "\"")
        let newline = UInt8(ascii: "\n")
        while let first = rest.first {
            if starts("//") {
                let line = rest.prefix { $0 != newline }
                comments += line + [newline]
                rest = rest[line.endIndex...]
            } else if starts("/*") {
                let end = rest.firstRange(of: "*/".utf8)?.upperBound ?? rest.endIndex
                comments += rest[..<end] + [newline]
                rest = rest[end...]
            } else if starts("\"\"\"") {
                code += [quote, quote]
                rest = rest.dropFirst(3)
                rest = rest[(rest.firstRange(of: "\"\"\"".utf8)?.upperBound ?? rest.endIndex)...]
            } else if first == quote {
                code += [quote, quote]
                rest = rest.dropFirst()
                while let byte = rest.first, byte != quote, byte != newline {
                    rest = rest.dropFirst(byte == UInt8(ascii: "\\") ? 2 : 1)
                }
                rest = rest.dropFirst()
            } else {
                code.append(first)
                rest = rest.dropFirst()
            }
        }
        return (String(decoding: code, as: UTF8.self), String(decoding: comments, as: UTF8.self))
    }
}
