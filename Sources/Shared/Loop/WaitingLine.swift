/// What is dealt with later, first come, first served: the loop's jobs, and events that may wait. For plain values: what
/// was taken out is written over, not let go. Keeps its memory, so that putting something off allocates nothing.
struct WaitingLine<Element> {
    private var elements: [Element] = []
    private var first = 0
    private var end = 0

    var count: Int { end - first }
    var isEmpty: Bool { first == end }

    mutating func append(_ element: Element) {
        if end < elements.count { elements[end] = element } else { elements.append(element) }
        end += 1
    }

    /// The next one; there has to be one.
    mutating func removeFirst() -> Element {
        precondition(first < end, "nothing waits")
        let element = elements[first]
        first += 1
        if first == end {
            first = 0
            end = 0
        } else if first >= 4096 {
            elements.removeFirst(first)
            end -= first
            first = 0
        }
        return element
    }
}
