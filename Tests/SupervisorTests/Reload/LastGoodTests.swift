import Foundation
import Shared
import Testing

@testable import tagway

@Suite final class LastGoodTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(
        "tagway-last-good-\(UUID().uuidString.prefix(8))")

    deinit { try? FileManager.default.removeItem(at: directory) }

    private func record(_ text: String, at seconds: Int = 5) -> LastGood.Record {
        LastGood.Record(
            [
                "c.yaml": .bytes(Array(text.utf8)), "gone.yaml": .unreadable(SystemError(call: "open", code: 2)),
                "secrets.env": .bytes([1]),
            ], without: "secrets.env", keptAt: seconds)
    }

    @Test func filesAreKeptButNotTheEnvironment() throws {
        let record = record("a: 1")
        #expect(record.files == ["c.yaml": Array("a: 1".utf8)])
        #expect(record.content(of: "c.yaml") == .success(Array("a: 1".utf8)))
        #expect(record.content(of: "secrets.env") == .failure(SystemError(call: "open", code: ENOENT)))
        #expect(try LastGood.Record(encoded: record.encoded()) == record)
        #expect(record.date == "1970-01-01T00:00:05.000Z")
    }

    @Test func whatIsCutIsNothing() throws {
        let bytes = record("a: 1").encoded()
        for count in 0..<bytes.count {
            #expect(throws: BinaryDecoder.Failure.self) { try LastGood.Record(encoded: Array(bytes[..<count])) }
        }
        let store = try LastGood(in: directory.path)
        #expect(store.read() == nil)
        try Data(bytes.dropLast()).write(to: directory.appendingPathComponent("last-good"))
        #expect(store.read() == nil)
    }

    @Test func aRollbackBringsTheFormerBack() throws {
        var store = try LastGood(in: directory.path)
        try store.keep(record("a: 1"))
        try store.keep(record("a: 2"))
        #expect(store.read() == record("a: 2"))
        try store.takeBack()
        #expect(store.read() == record("a: 1"))
        // A second one in a row has nothing to go back to.
        try store.takeBack()
        #expect(store.read() == record("a: 1"))
    }

    @Test func whatWasStartedFromIsTheFormerOfTheNext() throws {
        var store = try LastGood(in: directory.path)
        store.adopt(record("a: 1"))
        try store.keep(record("a: 2"))
        try store.takeBack()
        #expect(store.read() == record("a: 1"))
    }
}
