/// The heads that come one after the other on a connection are mostly the same, line by line: what changes is a length,
/// a date, an id. A line that is the same as before was judged before, and is not read again; of one that has the same name
/// only the value is.
extension HeadParser {
    /// Compares the beginning of a new head with the one that `head` holds. True when all of it is the same. Else lines
    /// that are the same are taken over, and `head` is incomplete until `complete`.
    mutating func recall(_ bytes: [UInt8], _ range: Range<Int>, _ head: MessageHead) -> Bool {
        let length = head.textLength
        guard length > 0, length <= limit else {
            head.reset()
            return false
        }
        let same = ByteSearch.commonLength(
            head.text, at: 0, bytes.span, at: range.lowerBound, upTo: min(length, range.count))
        if same == length { return true }
        head.textLength = 0
        guard range.count >= length / 2, let first = head.fields.first, Int(first.nameStart) <= same else {
            head.reset()
            return false
        }
        phase = .fields
        known = length
        lineStart = Int(first.nameStart)
        while count + 1 < head.fields.count, Int(head.fields[count + 1].nameStart) <= same {
            count += 1
            lineStart = Int(head.fields[count].nameStart)
        }
        searched = lineStart
        return false
    }

    /// Takes over the next line if the one that was there before, as many lines down, has the same name: all of it, or the name
    /// with the value that it has now. False where the line has to be read.
    mutating func recallLine(_ bytes: Span<UInt8>, _ end: Int, _ head: MessageHead) -> Bool {
        guard count < head.fields.count else { return false }
        let field = head.fields[count]
        let start = Int(field.nameStart)
        // An empty line ends the head.
        let next = count + 1 < head.fields.count ? Int(head.fields[count + 1].nameStart) : known - 2
        let same = ByteSearch.commonLength(
            head.text, at: start, bytes, at: head.base + lineStart, upTo: min(next - start, end - lineStart))
        guard same == next - start else { return recallName(field, same, bytes, end, head) }
        head.fields[count] = field.moved(by: lineStart - start)
        lineStart += next - start
        searched = lineStart
        count += 1
        return true
    }

    /// Takes over the name of a line whose first `same` bytes are those of `field`, with another value: of that, what is the same
    /// was judged before. Whatever is unusual is left to be read: no value, blanks around it, anything but text and a line end.
    private mutating func recallName(
        _ field: Field, _ same: Int, _ bytes: Span<UInt8>, _ end: Int, _ head: MessageHead
    ) -> Bool {
        let distance = lineStart - Int(field.nameStart)
        let value = head.base + Int(field.valueStart) + distance
        let judged = head.base + lineStart + min(same, Int(field.valueEnd) - Int(field.nameStart))
        guard judged >= value else { return false }
        let valueEnd = ByteSearch.endOfFieldText(bytes, from: judged, to: head.base + end)
        guard valueEnd > value, head.base + end - valueEnd >= 2, bytes[valueEnd] == ASCII.carriageReturn,
            bytes[valueEnd + 1] == ASCII.lineFeed, bytes[value] > ASCII.space, bytes[valueEnd - 1] > ASCII.space
        else { return false }
        head.fields[count] = Field(
            id: field.id, nameStart: UInt32(lineStart), nameEnd: UInt32(Int(field.nameEnd) + distance),
            valueStart: UInt32(value - head.base), valueEnd: UInt32(valueEnd - head.base))
        lineStart = valueEnd + 2 - head.base
        searched = lineStart
        count += 1
        return true
    }

    /// The head is complete; remembers it, where it is of a usual size.
    func complete(_ head: MessageHead, _ bytes: [UInt8]) {
        head.fields.removeLast(head.fields.count - count)
        head.length = lineStart
        head.names = 0
        for index in 0..<count { head.names |= head.fields[index].id.bit }
        guard lineStart <= 4096 else { return }
        if head.text.count < lineStart { head.text = [UInt8](repeating: 0, count: lineStart) }
        head.text.copy(bytes, head.base..<head.base + lineStart, to: 0)
        head.textLength = lineStart
    }
}

extension Field {
    fileprivate func moved(by distance: Int) -> Field {
        func moved(_ position: UInt32) -> UInt32 { UInt32(Int(position) + distance) }
        return Field(
            id: id, nameStart: moved(nameStart), nameEnd: moved(nameEnd), valueStart: moved(valueStart),
            valueEnd: moved(valueEnd))
    }
}
