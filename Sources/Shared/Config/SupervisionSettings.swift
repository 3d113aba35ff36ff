/// How processes come and go: a part of the section `tagway`. Pure.
package struct SupervisionSettings: Sendable, Equatable {
    /// Seconds that a stop is only announced, by the probe for readiness, before connections are refused.
    package var lameDuck = 0.0
    /// Seconds that a draining worker still listens on a silent connection, for a request already on its way.
    package var idleGrace = 1.0
    /// Seconds without a turn of its loop after which a worker is killed; 0: never.
    package var watchdogTimeout = 10.0
    /// Seconds after a reload in which crashes bring the former configuration back; 0: none.
    package var probation = 30.0
    /// Seconds without a ready worker after which the supervisor gives up; 0: never.
    package var noWorkerExit = 0.0
    /// The most workers that signals and commands can ask for; nil: four for each usable processor.
    package var maxWorkers: Int?
    /// When a worker is replaced though nothing is wrong with it: seconds of age, requests answered, resident bytes;
    /// 0: never.
    package var recycleAge = 0.0
    package var recycleRequests = 0
    package var recycleMemory = 0

    package init() {}
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
