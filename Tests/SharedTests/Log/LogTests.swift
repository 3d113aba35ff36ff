import Foundation
import Testing

@testable import Shared

@Suite struct LogTests {
    @Test func anEventIsOneLineOfJSONInOneWrite() throws {
        var writes: [[UInt8]] = []
        let log = Log { writes.append(Array($0[$1])) }
        log.event(.warn, "worker-exit") {
            $0.member("slot", 3)
            $0.member("reason", "line\nbreak \"quoted\"")
        }
        #expect(writes.count == 1)
        let line = try #require(writes.first)
        #expect(line.last == 0x0A)
        #expect(line.count { $0 == 0x0A } == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
        #expect(object["level"] as? String == "warn")
        #expect(object["event"] as? String == "worker-exit")
        #expect(object["slot"] as? Int == 3)
        #expect(object["reason"] as? String == "line\nbreak \"quoted\"")
        #expect((object["ts"] as? String)?.hasSuffix("Z") == true)
    }

    @Test func eventsBelowTheLevelAreNotWritten() {
        var count = 0
        let log = Log(level: .warn) { _, _ in count += 1 }
        log.event(.info, "quiet")
        log.event(.error, "loud")
        #expect(count == 1)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (951_826_154_007, "2000-02-29T12:09:14.007Z"),
        (1_772_323_199_999, "2026-02-28T23:59:59.999Z"), (4_102_444_800_010, "2100-01-01T00:00:00.010Z"),
    ])
    func timesAreThoseOfTheCalendar(_ milliseconds: Int64, _ text: String) {
        #expect(Timestamp.text(milliseconds) == text)
    }
}
