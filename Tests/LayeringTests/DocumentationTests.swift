import Foundation
import Testing

/// The documents name everything that a user can see.
@Suite struct DocumentationTests {
    private static func document(_ name: String) throws -> String {
        try String(contentsOf: SourceFile.project.appending(path: "docs/\(name)"), encoding: .utf8)
    }

    @Test(arguments: DocumentedNames.all)
    func theDocumentNamesThemAll(_ kind: DocumentedNames) throws {
        let missing = kind.missing(SourceFile.sources, try Self.document(kind.document))
        #expect(missing == [], "not in docs/\(kind.document)")
    }

    /// That nothing is missing may not come from finding nothing.
    @Test(arguments: [
        ("flags of the command line", ["--config", "--env-file", "--json"]),
        ("configuration keys", ["tags", "enable_tag_filtering", "body_bytes", "ssl_verify"]),
        ("events of the log", ["worker-exit", "reload", "accept-failed"]), ("exit statuses", ["0", "78", "74"]),
        ("endpoints", ["/chat/completions", "/health/readiness"]), ("environment variables", ["NOTIFY_SOCKET"]),
    ])
    func theSourcesAreUnderstood(_ description: String, _ names: [String]) throws {
        let kind = try #require(DocumentedNames.all.first { $0.testDescription == description })
        let found = kind.names(SourceFile.sources)
        for name in names { #expect(found.contains(name), "\(found.sorted())") }
        // What nobody has written about yet is missed.
        #expect(kind.missing(SourceFile.sources, "An empty document.") == found.sorted())
    }

    @Test func metricsAreFoundInTheirFile() throws {
        let kind = try #require(DocumentedNames.all.first { $0.testDescription == "metrics" })
        let file = SourceFile(
            path: "Shared/Scoreboard/MetricsText.swift", text: #"write("gateway_requests_total{code=", 1)"#)
        #expect(kind.names([file]) == ["gateway_requests_total"])
        #expect(kind.missing([file], "`gateway_requests` is another") == ["gateway_requests_total"])
        #expect(kind.missing([file], "`gateway_requests_total{code}`: answers") == [])
    }

    /// Links between the documents lead somewhere.
    @Test func linksLeadSomewhere() throws {
        let folder = SourceFile.project.appending(path: "docs")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".md") }
        #expect(!names.isEmpty)
        for name in names {
            let text = try Self.document(name)
            for link in text.matches(of: /\]\(([^)#\s]+)(#[^)]*)?\)/) where !link.output.1.contains("://") {
                let target = folder.appending(path: String(link.output.1)).standardized
                #expect(FileManager.default.fileExists(atPath: target.path), "\(name): \(link.output.1)")
            }
        }
    }
}
