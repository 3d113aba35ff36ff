internal import Shared

/// Who calls: the key of a request against the keys that are known. Pure.
///
/// Without a database only the master key exists. Keys are compared in constant time, so that how long a refusal
/// takes says nothing about how much of a guess was right.
struct Credentials {
    /// Nil: everybody may call.
    let masterKey: [UInt8]?

    enum Refusal: Error, Equatable {
        case missing
        /// An `Authorization` without the word Bearer.
        case notBearer
        case wrong
    }

    /// Fields that may carry a key, with or without `Bearer`; the first that is present counts.
    private static let keyFields: [FieldName] = [.litellmApiKey, .authorization, .apiKey, .xApiKey, .xGoogApiKey]

    func check(_ head: MessageHead, _ bytes: [UInt8]) throws(Refusal) {
        guard let masterKey else { return }
        for id in Self.keyFields {
            guard let value = head.first(id) else { continue }
            let key = try Self.key(bytes, value, mayBeBare: id != .authorization)
            guard Self.equal(masterKey, bytes, key) else { throw .wrong }
            return
        }
        throw .missing
    }

    private static func key(_ bytes: [UInt8], _ value: Range<Int>, mayBeBare: Bool) throws(Refusal) -> Range<Int> {
        if value.isEmpty { throw .missing }
        if isBearer(bytes, value) {
            let end = value.lowerBound + bearerLength
            let key = ASCII.trimmed(bytes, end..<value.upperBound)
            if key.isEmpty { throw .missing }
            if key.lowerBound > end { return key }
        }
        // Another scheme is a wrong key; a key with no scheme at all is told what is missing.
        guard mayBeBare || bytes[value].contains(ASCII.space) else { throw .notBearer }
        return value
    }

    private static func isBearer(_ bytes: [UInt8], _ value: Range<Int>) -> Bool {
        guard value.count >= bearerLength else { return false }
        let word = ByteSearch.word(bytes.span, at: value.lowerBound, count: bearerLength)
        // "bearer" as a number, its first letter lowest.
        return ASCII.lowercased(word) == 0x7265_7261_6562
    }

    private static let bearerLength = 6

    /// Looks at every byte of `bytes[range]`, whatever it finds on the way, by words of eight.
    static func equal(_ secret: [UInt8], _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        guard !secret.isEmpty else { return false }
        let isAsLong = secret.count == range.count
        // One of another length is compared with itself, which takes as long.
        let (given, wanted) = (bytes.span, isAsLong ? secret.span : bytes.span)
        let start = isAsLong ? 0 : range.lowerBound
        var difference: UInt64 = isAsLong ? 0 : 1
        var done = 0
        while done < range.count {
            let count = min(8, range.count - done)
            difference |=
                ByteSearch.word(given, at: range.lowerBound + done, count: count)
                ^ ByteSearch.word(wanted, at: start + done, count: count)
            done += count
        }
        return difference == 0
    }
}
