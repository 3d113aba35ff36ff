import Foundation

/// A library that has workers fail in ways which nothing outside of them can bring about; see Faults/faults.c.
enum Faults {
    struct CannotBuild: Error { let output: String }

    /// Compiled by the toolchain's own C compiler, beside the programs, by the first test that needs it.
    private static let library: Result<URL, CannotBuild> = {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Faults/faults.c")
        let target = SupervisedGateway.programs.appendingPathComponent("tagway-faults.so")
        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments = ["clang", "-shared", "-fPIC", "-pthread", "-o", target.path, source.path]
        let pipe = Pipe()
        compiler.standardError = pipe
        do {
            try compiler.run()
        } catch {
            return .failure(CannotBuild(output: "\(error)"))
        }
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        compiler.waitUntilExit()
        return compiler.terminationStatus == 0 ? .success(target) : .failure(CannotBuild(output: output))
    }()

    /// The environment of a gateway whose workers have that fault.
    static func environment(_ fault: String = "", more: [String: String] = [:]) throws -> [String: String] {
        ["LD_PRELOAD": try library.get().path, "TAGWAY_FAULT": fault].merging(more) { $1 }
    }

    /// What the signals of the library do to a worker.
    static let exitsWithZero = first
    static let crashes = first + 1
    static let toils = first + 2
    static let swells = first + 3

    /// The first of the signals that the C library leaves to programs; signal(7).
    private static let first: Int32 = 34
}
