/// Deadlines by number, the earliest first, each of them movable and removable: a binary heap that knows where
/// every entry lies.
///
/// Pure. Numbers are small and dense; the caller hands them out (`EventLoop` numbers its waiters).
public struct TimerHeap: Sendable {
    private var heap: [(deadline: Instant, number: Int)] = []
    /// Where a number lies in `heap`; -1 when it has no deadline.
    private var positions: [Int] = []

    public init() {}

    public var earliest: Instant? { heap.first?.deadline }
    public var count: Int { heap.count }

    /// Gives `number` a deadline, or another one.
    public mutating func set(_ number: Int, to deadline: Instant) {
        while positions.count <= number { positions.append(-1) }
        var position = positions[number]
        if position < 0 {
            position = heap.count
            heap.append((deadline, number))
            positions[number] = position
        } else {
            heap[position].deadline = deadline
        }
        settle(position)
    }

    public mutating func remove(_ number: Int) {
        guard number < positions.count, positions[number] >= 0 else { return }
        let position = positions[number]
        positions[number] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        heap[position] = last
        positions[last.number] = position
        settle(position)
    }

    /// Takes out the earliest number whose deadline is not after `now`.
    public mutating func popDue(_ now: Instant) -> Int? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        remove(first.number)
        return first.number
    }

    private mutating func settle(_ start: Int) {
        var position = start
        while position > 0, heap[position].deadline < heap[(position - 1) / 2].deadline {
            swap(position, (position - 1) / 2)
            position = (position - 1) / 2
        }
        while true {
            var least = position
            let left = 2 * position + 1
            if left < heap.count, heap[left].deadline < heap[least].deadline { least = left }
            if left + 1 < heap.count, heap[left + 1].deadline < heap[least].deadline { least = left + 1 }
            guard least != position else { return }
            swap(position, least)
            position = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        heap.swapAt(left, right)
        positions[heap[left].number] = left
        positions[heap[right].number] = right
    }
}
