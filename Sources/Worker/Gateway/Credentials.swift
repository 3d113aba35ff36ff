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
        let word = value.lowerBound..<min(value.lowerBound + bearer.count, value.upperBound)
        if ASCII.equalsIgnoringCase(bytes, word, bearer) {
            let key = ASCII.trimmed(bytes, word.upperBound..<value.upperBound)
            if key.isEmpty { throw .missing }
            if key.lowerBound > word.upperBound { return key }
        }
        // Another scheme is a wrong key; a key with no scheme at all is told what is missing.
        guard mayBeBare || bytes[value].contains(ASCII.space) else { throw .notBearer }
        return value
    }

    private static let bearer = StaticString("bearer").bytes

    /// Looks at every byte of `bytes[range]`, whatever it finds on the way.
    static func equal(_ secret: [UInt8], _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        guard !secret.isEmpty else { return false }
        var difference = UInt(bitPattern: secret.count ^ range.count)
        var position = 0
        for index in range {
            difference |= UInt(bytes[index] ^ secret[position])
            position = position + 1 == secret.count ? 0 : position + 1
        }
        return difference == 0
    }
}
