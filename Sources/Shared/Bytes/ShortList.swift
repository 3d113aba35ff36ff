extension Array {
    /// Removes all elements and keeps the memory: `removeAll(keepingCapacity:)` for lists that have a few elements at most,
    /// for which that takes ten times as many instructions as this.
    @inlinable
    public mutating func empty() {
        guard count <= 4 else { return removeAll(keepingCapacity: true) }
        while !isEmpty { removeLast() }
    }
}
