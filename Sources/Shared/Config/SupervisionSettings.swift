/// How processes come and go: a part of the section `tagway`. Pure.
public struct SupervisionSettings: Sendable, Equatable {
    /// Seconds that a stop is only announced, by the probe for readiness, before connections are refused.
    public var lameDuck = 0.0
    /// Seconds that a draining worker still listens on a silent connection, for a request already on its way.
    public var idleGrace = 1.0
    /// Seconds without a turn of its loop after which a worker is killed; 0: never.
    public var watchdogTimeout = 10.0
    /// Seconds after a reload in which crashes bring the former configuration back; 0: none.
    public var probation = 30.0
    /// Seconds without a ready worker after which the supervisor gives up; 0: never.
    public var noWorkerExit = 0.0
    /// The most workers that signals and commands can ask for; nil: four for each usable processor.
    public var maxWorkers: Int?
    /// When a worker is replaced though nothing is wrong with it: seconds of age, requests answered, resident bytes;
    /// 0: never.
    public var recycleAge = 0.0
    public var recycleRequests = 0
    public var recycleMemory = 0

    public init() {}
}

extension ConfigurationDecoder {
    mutating func decodeSupervision(_ members: [String: YAMLNode]) {
        func seconds(
            _ key: String, _ target: WritableKeyPath<SupervisionSettings, Double>, _ decoder: inout ConfigurationDecoder
        ) {
            guard let node = members[key], let value = decoder.reader.number(node, "tagway.\(key)") else { return }
            decoder.configuration.supervision[keyPath: target] = value
        }
        func count(
            _ key: String, _ target: WritableKeyPath<SupervisionSettings, Int>, _ decoder: inout ConfigurationDecoder
        ) {
            guard let node = members[key] else { return }
            guard let value = decoder.reader.integer(node, "tagway.\(key)", in: 0...Int.max) else { return }
            decoder.configuration.supervision[keyPath: target] = value
        }
        seconds("lame_duck", \.lameDuck, &self)
        seconds("idle_grace", \.idleGrace, &self)
        seconds("watchdog_timeout", \.watchdogTimeout, &self)
        seconds("probation", \.probation, &self)
        seconds("no_worker_exit", \.noWorkerExit, &self)
        seconds("recycle_age", \.recycleAge, &self)
        count("recycle_requests", \.recycleRequests, &self)
        count("recycle_memory_bytes", \.recycleMemory, &self)
        if let node = members["max_workers"] {
            configuration.supervision.maxWorkers = reader.integer(node, "tagway.max_workers", in: 1...128)
        }
    }
}
