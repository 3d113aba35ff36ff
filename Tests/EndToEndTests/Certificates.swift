import Foundation

/// An authority and certificates signed by it, made with the `openssl` program, gone with their owner.
final class Certificates {
    struct Failed: Error { let output: String }

    private let directory: URL

    /// The certificate of the authority.
    var authority: String { path("authority.pem") }

    init() throws {
        directory = try SupervisedGateway.makeDirectory()
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=tagway test authority", "-addext", "keyUsage=keyCertSign", "-keyout", path("authority.key"),
            "-out", authority)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    /// A certificate for `localhost` alone, and its key. With `days` below zero it has expired.
    func leaf(days: Int = 2) throws -> (certificate: String, key: String) {
        let name = UUID().uuidString
        try openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
            "-keyout", path("\(name).key"), "-out", path("\(name).csr"))
        try Data("subjectAltName=DNS:localhost\n".utf8).write(to: URL(fileURLWithPath: path("extensions")))
        try openssl(
            "x509", "-req", "-in", path("\(name).csr"), "-CA", authority, "-CAkey", path("authority.key"),
            "-CAcreateserial", "-days", "\(days)", "-extfile", path("extensions"), "-out", path("\(name).pem"))
        return (path("\(name).pem"), path("\(name).key"))
    }

    private func path(_ name: String) -> String {
        directory.appendingPathComponent(name).path
    }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(output: String(decoding: output, as: UTF8.self)) }
    }
}
