/// The heads that come one after the other on a connection are mostly the same, line by line: what changes is a length,
/// a date, an id. A line that is the same as before was judged before, and is not read again.
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

    /// Takes over the next line if it is the one that was there before, as many lines down.
    mutating func recallLine(_ bytes: Span<UInt8>, _ end: Int, _ head: MessageHead) -> Bool {
        guard count < head.fields.count else { return false }
        let field = head.fields[count]
        let start = Int(field.nameStart)
        // An empty line ends the head.
        let next = count + 1 < head.fields.count ? Int(head.fields[count + 1].nameStart) : known - 2
        guard lineStart + next - start <= end,
            ByteSearch.commonLength(
                head.text, at: start, bytes, at: head.base + lineStart, upTo: next - start) == next - start
        else { return false }
        head.fields[count] = field.moved(by: lineStart - start)
        lineStart += next - start
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
