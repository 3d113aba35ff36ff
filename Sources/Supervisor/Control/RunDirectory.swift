internal import Shared

/// The directory of one running supervisor: its lock, which keeps a second one out, and its control socket.
final class RunDirectory {
    let path: String
    private let lock: FileDescriptor

    enum Failure: Error {
        /// By this process, as far as it says.
        case held(by: String)
        case unusable(String)
    }

    /// Where it is: as told, or as the service manager says, or one for each user and port. Pure.
    static func path(told: String?, port: UInt16, environment: [String: String], user: UInt32) -> String {
        if let told { return told }
        // systemd names several, separated by colons; systemd.exec(5) RuntimeDirectory.
        if let given = environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first { return String(given) }
        if let given = environment["XDG_RUNTIME_DIR"], !given.isEmpty { return "\(given)/tagway/\(port)" }
        return "/tmp/tagway-\(user)/\(port)"
    }

    static func controlSocket(in path: String) -> String { "\(path)/control.sock" }

    /// Makes it and takes the lock.
    init(taking path: String) throws(Failure) {
        // unix(7): what a socket's name may have.
        guard Self.controlSocket(in: path).utf8.count <= 107 else { throw .unusable("\(path) is too long a path") }
        let file = "\(path)/supervisor.lock"
        let lock: FileDescriptor?
        do throws(SystemError) {
            if path.hasPrefix("/tmp/tagway-"), let slash = path.lastIndex(of: "/"), slash > path.startIndex {
                // Anybody may write to /tmp: the directory above has to be ours as well.
                try File.makePrivateDirectory(String(path[..<slash]))
            }
            try File.makePrivateDirectory(path)
            lock = try File.lock(file)
        } catch {
            throw .unusable("\(path): \(error)")
        }
        guard let lock else { throw .held(by: Self.holder(file)) }
        File.overwrite(lock, with: "\(CurrentProcess.id)\n")
        self.lock = lock
        self.path = path
    }

    /// The one whose lock an earlier image of this process has taken.
    init(adopting lock: consuming FileDescriptor, at path: String) {
        self.lock = lock
        self.path = path
    }

    var lockNumber: Int32 { lock.number }

    private static func holder(_ file: String) -> String {
        guard case .success(let bytes) = File.read(file, limit: 64) else { return "another process" }
        let digits = bytes.prefix { ASCII.isDigit($0) }
        return digits.isEmpty ? "another process" : "process \(String(decoding: digits, as: UTF8.self))"
    }
}
