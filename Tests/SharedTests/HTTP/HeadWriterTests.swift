import Testing

@testable import Shared

@Suite struct HeadWriterTests {
    private func written(_ body: (ByteBuffer) -> Void) -> String {
        let buffer = ByteBuffer(capacity: 4)
        body(buffer)
        return String(decoding: buffer.storage[buffer.readable], as: UTF8.self)
    }

    @Test func writesHeads() {
        let value = Array("<text/plain>".utf8)
        let head = written {
            $0.append(HTTPStatus.line(429))
            $0.append(field: "content-type", value, 1..<value.count - 1)
            $0.append(field: "x-name", "é")
            $0.append(field: "content-length", 120)
            $0.appendLineEnd()
        }
        #expect(
            head
                == "HTTP/1.1 429 Too Many Requests\r\ncontent-type: text/plain\r\nx-name: é\r\ncontent-length: 120\r\n\r\n"
        )
    }

    /// What is written is read again as it was meant.
    @Test(arguments: [100, 200, 204, 299, 404, 418, 431, 529, 599])
    func statusLinesAreValid(_ status: Int) throws {
        let bytes = HTTPStatus.line(status) + Array("\r\n".utf8)
        var parser = HeadParser.response(limit: 100)
        let head = MessageHead()
        #expect(try parser.read(bytes, 0..<bytes.count, into: head))
        #expect(head.status == status)
        #expect(!HTTPStatus.reason(status).isEmpty)
    }

    @Test(arguments: [-1, 0, 99, 600, 1000])
    func whatIsNoStatusBecomesBadGateway(_ status: Int) {
        #expect(HTTPStatus.line(status) == HTTPStatus.line(502))
    }

    @Test(arguments: [(0, "0\r\n"), (9, "9\r\n"), (10, "a\r\n"), (255, "ff\r\n"), (65536, "10000\r\n")])
    func chunkHeadersAreHexadecimal(_ size: Int, _ line: String) {
        #expect(written { $0.append(chunkHeader: size) } == line)
    }

    /// With room in front or without, and however much the buffer had to grow or move for what it holds.
    @Test func whatIsHeldBecomesAChunk() throws {
        for front in [0, 1, 7, 8, ByteBuffer.chunkFront] {
            for size in [1, 9, 15, 16, 255, 256, 4095, 4096, 5000, 20_000, 70_000] {
                let buffer = ByteBuffer(from: BufferPool(size: 4096))
                buffer.leaveFront(front)
                for number in 0..<size { buffer.append(UInt8(truncatingIfNeeded: number % 251)) }
                buffer.frameChunk()
                let expected =
                    Array("\(String(size, radix: 16))\r\n".utf8)
                    + (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) } + Array("\r\n".utf8)
                #expect(Array(buffer.storage[buffer.readable]) == expected, "\(size) bytes behind \(front)")
            }
        }
    }

    /// A head goes in front of a chunk, with the room for it or without.
    @Test func bytesGoInFrontOfWhatIsHeld() throws {
        let head = Array("..HTTP/1.1 200 OK..".utf8)
        for front in [0, 3, 4, 14, 15, 19, 20, 100] {
            for size in [0, 1, 300, 5000] {
                let buffer = ByteBuffer(from: BufferPool(size: 4096))
                buffer.leaveFront(front)
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 % 251) }
                buffer.append(body)
                if size > 0 { buffer.frameChunk() }
                let framed = Array(buffer.storage[buffer.readable])
                buffer.prepend(head, 2..<17)
                buffer.append(UInt8(ascii: "!"))
                let expected = Array(head[2..<17]) + framed + [UInt8(ascii: "!")]
                #expect(Array(buffer.storage[buffer.readable]) == expected, "\(size) bytes behind \(front)")
            }
        }
    }

    @Test func constantsAreWhatTheDecoderExpects() throws {
        var decoder = ChunkedDecoder()
        var position = 0
        #expect(try decoder.next(HeadBytes.lastChunk, &position, HeadBytes.lastChunk.count) == .end)
        #expect(position == HeadBytes.lastChunk.count)
        var parser = HeadParser.response(limit: 100)
        let head = MessageHead()
        #expect(try parser.read(HeadBytes.continue100, 0..<HeadBytes.continue100.count, into: head))
        #expect(head.status == 100)
    }
}

@Suite struct HTTPDateTests {
    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_795_592_222, "Wed, 25 Nov 2026 07:37:02 GMT"),
        ] as [(Int64, String)])
    func formatsDates(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.format(seconds) == text)
        #expect(HTTPDate.parse(text, now: 0) == seconds)
    }

    @Test(arguments: [
        "", "120", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET", "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:37:00 GMT", "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun, 06 Nov 10000 08:49:37 GMT", "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 6-Nov-94 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37",
        "Sun Nov 6 08:49:37 94",
        "Sunday, 31-Feb-26 08:49:37 GMT", "Sunday 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 GMT",
        "Sun Nov 06 08:49 1994",
        "Sun  Nov 6 08:49:37  1994", "Sun Nov  06 08:49:37 1994",
        "Sun, 06  Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 -1:49:37 GMT", "Sun, 06 Nov 1994 ::  GMT",
        "Tue, 31 Feb 2026 08:49:37 GMT", "Tue, 30 Feb 2024 08:49:37 GMT", "Thu, 29 Feb 2100 08:49:37 GMT",
        "Thu, 31 Apr 2026 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
    ])
    func whatIsNoDateIsNotRead(_ text: String) {
        #expect(HTTPDate.parse(text, now: 1_795_592_222) == nil)
    }

    /// The forms of RFC 850 and of asctime, which nobody should send.
    @Test(
        arguments: [
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777), ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Sun Nov 16 08:49:37 1994", 784_975_777), ("Wednesday, 25-Nov-26 07:37:02 GMT", 1_795_592_222),
            // 50 years ahead of 2026, and one more.
            ("Tuesday, 01-Dec-76 00:00:00 GMT", 3_374_006_400), ("Thursday, 01-Dec-77 00:00:00 GMT", 249_782_400),
        ] as [(String, Int64)])
    func obsoleteFormsAreRead(_ text: String, _ seconds: Int64) {
        #expect(HTTPDate.parse(text, now: 1_795_592_222) == seconds)
    }

    @Test func everyDateIsReadAsItWasWritten() {
        for seconds in stride(from: 0 as Int64, to: 12_622_780_800, by: 86_400 * 3 + 7919) {
            #expect(HTTPDate.parse(HTTPDate.format(seconds), now: 0) == seconds)
        }
    }

    /// 400 years, day by day: each is the day after the one before.
    @Test func everyDayFollowsTheOneBefore() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var (year, month, day) = (1970, 1, 1)
        for days in 0..<146_097 as Range<Int64> {
            let date = HTTPDate.civil(fromDays: days)
            #expect(date == (year, month, day), "\(days)")
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            day += 1
            if day > lengths[month - 1] + (month == 2 && isLeap ? 1 : 0) {
                day = 1
                month += 1
            }
            if month > 12 {
                month = 1
                year += 1
            }
        }
    }
}

@Suite struct FieldNameTests {
    /// RFC 9110 §7.6.1, with what proxies add to it: none of these is passed on.
    @Test func hopByHopFieldsAreTheStandardsOnes() {
        let expected: Set<FieldName> = [
            .connection, .keepAlive, .proxyAuthenticate, .proxyAuthorization, .proxyConnection, .te, .trailer,
            .transferEncoding, .upgrade,
        ]
        #expect(Set(FieldName.allCases.filter(\.isHopByHop)) == expected)
    }

    @Test(arguments: [
        "", "x", "connectio", "connections", "x-litellm-tag", "Xontent-length", "content_length", "x-ratelimit-",
        "x-ratelimits-y", "y-ratelimit-limit",
    ])
    func otherNamesAreOthers(_ name: String) {
        #expect(FieldName.of(Array(name.utf8), 0..<name.utf8.count) == .other)
    }

    @Test(arguments: ["x-ratelimit-limit", "X-RateLimit-Remaining-Tokens", "X-RATELIMIT-R"])
    func rateLimitsAreToldByTheirBeginning(_ name: String) {
        #expect(FieldName.of(Array(name.utf8), 0..<name.utf8.count) == .rateLimit)
    }

    @Test func everyNameIsDistinct() {
        // `other` and `rateLimit` have none.
        #expect(Set(FieldName.names).count == FieldName.allCases.count - 1)
        #expect(FieldName.names.count == FieldName.allCases.count)
    }
}
