internal import Shared

/// The files of the last configuration that workers took, kept for a start at which the files are bad.
///
/// They are kept as they are, so `os.environ/NAME` stays a reference; the `--env-file` is not kept.
struct LastGood {
    private let path: String
    /// In force now, and before it, as far as this image knows.
    private var current: Record?
    private var former: Record?

    struct Record: Equatable {
        /// Seconds since 1970.
        var keptAt: Int
        /// By path as given.
        var files: [String: [UInt8]]
    }

    private static let version: UInt64 = 1
    /// All files together; each has its own limit when it is read.
    private static let limit = 256 << 20

    /// In a directory that is made for this user alone if it is not there.
    init(in directory: String) throws(SystemError) {
        try File.makePrivateDirectory(directory)
        path = "\(directory)/last-good"
    }

    /// Nil: none is there, or none that this build can read.
    func read() -> Record? {
        guard case .success(let bytes) = File.read(path, limit: Self.limit) else { return nil }
        return try? Record(encoded: bytes)
    }

    /// Workers serve by it.
    mutating func keep(_ record: Record) throws(SystemError) {
        former = current
        current = record
        try File.replace(path, with: record.encoded(), mode: 0o600)
    }

    /// Workers crashed with what was kept last.
    mutating func takeBack() throws(SystemError) {
        guard let former else { return }
        current = former
        self.former = nil
        try File.replace(path, with: former.encoded(), mode: 0o600)
    }

    /// A start from what was kept.
    mutating func adopt(_ record: Record) {
        current = record
    }
}

extension LastGood.Record {
    init(_ files: [String: ConfigurationSource.FileState], without excluded: String?, keptAt: Int) {
        self.keptAt = keptAt
        self.files = [:]
        for case (let path, .bytes(let bytes)) in files where path != excluded { self.files[path] = bytes }
    }

    /// When it was kept, for people.
    var date: String { Timestamp.text(Int64(keptAt) * 1000) }

    /// What reading `path` gave then.
    func content(of path: String) -> Result<[UInt8], SystemError> {
        files[path].map { .success($0) } ?? .failure(SystemError(call: "open", code: SystemError.noSuchFile))
    }

    func encoded() -> [UInt8] {
        var out = BinaryEncoder()
        out.put(LastGood.version)
        out.put(keptAt)
        out.put(files.sorted { $0.key < $1.key }) { out, file in
            out.put(file.key)
            out.put(raw: file.value)
        }
        return out.bytes
    }

    init(encoded bytes: [UInt8]) throws(BinaryDecoder.Failure) {
        typealias Failure = BinaryDecoder.Failure
        var input = BinaryDecoder(bytes)
        guard try input.number() == LastGood.version else { throw Failure() }
        let keptAt = try input.int()
        let files = try input.array { (input) throws(Failure) in (try input.string(), try input.raw()) }
        guard input.isAtEnd else { throw Failure() }
        self.init(keptAt: keptAt, files: Dictionary(files) { $1 })
    }
}
