import Foundation
import Testing

/// The figures of `/metrics`, by name and labels as they are written.
struct Metrics {
    let values: [String: Double]

    init(_ gateway: SupervisedGateway) throws {
        let response = try PlainClient(port: gateway.port).exchange(
            "GET /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \(PlainClient.key)\r\n\r\n")
        try #require(response.status == 200)
        #expect(response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        var values: [String: Double] = [:]
        for line in response.body.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        self.values = values
    }

    subscript(name: String) -> Double? { values[name] }

    /// Those that only ever grow.
    var counters: [String: Double] {
        values.filter { $0.key.contains("_total") || $0.key.contains("_count") || $0.key.contains("_bucket") }
    }

    /// The sum over all labels.
    func sum(_ name: String) -> Double {
        values.filter { $0.key == name || $0.key.hasPrefix("\(name){") }.values.reduce(0, +)
    }
}
