internal import CLinux
internal import Glibc

/// Whole files, and the few things that the supervisor keeps in its run directory.
public enum File {
    /// The bytes of a file of at most `limit` bytes; a longer one is EFBIG.
    public static func read(_ path: String, limit: Int = 64 << 20) -> Result<[UInt8], SystemError> {
        let number = unsafe path.withCString { unsafe clinux_open($0, O_RDONLY | CLINUX_O_CLOEXEC, 0) }
        guard number >= 0 else { return .failure(.last("open")) }
        let file = FileDescriptor(owning: number)
        do throws(SystemError) {
            return .success(try read(file.number, limit: limit))
        } catch {
            return .failure(error)
        }
    }

    /// Opens a file to read from.
    public static func open(_ path: String) throws(SystemError) -> DescriptorBox {
        let number = unsafe path.withCString { unsafe clinux_open($0, O_RDONLY | CLINUX_O_CLOEXEC, 0) }
        guard number >= 0 else { throw .last("open") }
        return DescriptorBox(FileDescriptor(owning: number))
    }

    /// Standard input to its end.
    public static func readInput(limit: Int = 64 << 20) -> Result<[UInt8], SystemError> {
        do throws(SystemError) {
            return .success(try read(0, limit: limit))
        } catch {
            return .failure(error)
        }
    }

    /// Up to `count` bytes from the beginning of a file.
    public static func readBeginning(_ path: String, _ count: Int) -> Result<[UInt8], SystemError> {
        let number = unsafe path.withCString { unsafe clinux_open($0, O_RDONLY | CLINUX_O_CLOEXEC, 0) }
        guard number >= 0 else { return .failure(.last("open")) }
        let file = FileDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: count)
        let got = unsafe Glibc.read(file.number, &bytes, count)
        guard got >= 0 else { return .failure(.last("read")) }
        return .success(Array(bytes[..<got]))
    }

    /// What is left to read of an open descriptor, up to its end.
    public static func read(_ number: Int32, limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        // One more than the limit shows that it is exceeded; a worker reads short files once a second.
        var piece = [UInt8](repeating: 0, count: min(max(0, limit) + 1, 64 << 10))
        while true {
            let count = unsafe Glibc.read(number, &piece, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("read")
            }
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw SystemError(call: "read", code: EFBIG) }
            bytes.append(contentsOf: piece[..<count])
        }
    }

    /// Replaces a file in one step: readers see the old bytes or the new ones; rename(2).
    public static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o644) throws(SystemError) {
        let temporary = "\(path).\(getpid())"
        let number = unsafe temporary.withCString {
            unsafe clinux_open($0, O_WRONLY | O_CREAT | O_TRUNC | CLINUX_O_CLOEXEC, mode)
        }
        guard number >= 0 else { throw .last("open") }
        let file = FileDescriptor(owning: number)
        var position = 0
        while position < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw -> Int in
                guard let base = raw.baseAddress else { return 0 }
                return unsafe write(file.number, base + position, bytes.count - position)
            }
            guard count > 0 else { throw .last("write") }
            position += count
        }
        guard unsafe rename(temporary, path) == 0 else { throw .last("rename") }
    }

    /// Removes a file; one that is not there is fine.
    public static func remove(_ path: String) {
        _ = unsafe unlink(path)
    }

    /// Who may use a file; chmod(2).
    public static func setMode(_ path: String, _ mode: UInt32) throws(SystemError) {
        guard unsafe chmod(path, mode) == 0 else { throw .last("chmod") }
    }

    /// Makes a directory for this user alone, and those above it. One that exists already must be ours.
    public static func makePrivateDirectory(_ path: String) throws(SystemError) {
        var parent = ""
        for part in path.split(separator: "/").dropLast() {
            parent += (parent.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            _ = unsafe mkdir(parent, 0o755)
        }
        if unsafe mkdir(path, 0o700) == 0 { return }
        guard errno == EEXIST else { throw .last("mkdir") }
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { throw .last("lstat") }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw SystemError(call: "mkdir", code: ENOTDIR) }
        guard status.st_uid == geteuid() || geteuid() == 0 else { throw SystemError(call: "mkdir", code: EPERM) }
    }

    /// Takes the lock on `path` for as long as the descriptor lives; nil when another process holds it. flock(2).
    public static func lock(_ path: String) throws(SystemError) -> FileDescriptor? {
        let number = unsafe path.withCString { unsafe clinux_open($0, O_RDWR | O_CREAT | CLINUX_O_CLOEXEC, 0o600) }
        guard number >= 0 else { throw .last("open") }
        let file = FileDescriptor(owning: number)
        if flock(file.number, LOCK_EX | LOCK_NB) == 0 { return file }
        guard errno == EWOULDBLOCK else { throw .last("flock") }
        return nil
    }

    /// Overwrites an open file with `text`.
    public static func overwrite(_ file: borrowing FileDescriptor, with text: String) {
        let bytes = Array(text.utf8)
        _ = ftruncate(file.number, 0)
        _ = unsafe pwrite(file.number, bytes, bytes.count, 0)
    }

    /// What a symbolic link says; nil when `path` is none. readlink(2).
    public static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { raw -> Int in
            guard let base = raw.baseAddress else { return -1 }
            return unsafe readlink(path, base.assumingMemoryBound(to: CChar.self), raw.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    /// `path` as seen from the root directory, for messages and for a later change of directory.
    public static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let directory = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(directory) }
        return unsafe String(cString: directory) + "/" + path
    }
}
