internal import CLinux

/// Where the memory lies that somebody will touch soon, so that the processor's caches can have it by then.
///
/// Addresses only, which keep nothing alive: to fetch from memory that has been given back does no harm.
public struct Footprint {
    /// Each an address, a multiple of 16, and how many lines of the cache from there on; 0 behind the last one.
    private(set) var places = InlineArray<16, UInt>(repeating: 0)
    private var count = 0

    public init() {}

    /// Adds an object of the heap, fifteen lines of it at most. The seventeenth is left out.
    public mutating func add(_ object: AnyObject) {
        guard count < places.count else { return }
        let start = unsafe Unmanaged.passUnretained(object).toOpaque()
        let address = UInt(bitPattern: start)
        let end = address + UInt(unsafe malloc_usable_size(start))
        let lines = (end + cacheLine - 1) / cacheLine - address / cacheLine
        places[count] = address & ~15 | min(15, lines)
        count += 1
    }
}

/// Footprints by number, side by side in memory.
struct FootprintTable {
    private(set) var places: [UInt] = []
    private static let width = 16

    /// How many of them list anything.
    private var listing = 0

    var isEmpty: Bool { listing == 0 }

    /// Adds the next number, with nothing listed.
    mutating func append() {
        for _ in 0..<Self.width { places.append(0) }
    }

    mutating func set(_ number: Int, to footprint: Footprint) {
        let first = number * Self.width
        if places[first] != 0 { listing -= 1 }
        if footprint.places[0] != 0 { listing += 1 }
        for index in 0..<Self.width { places[first + index] = footprint.places[index] }
    }

    /// Has fetched what the footprint lists, without waiting for any of it.
    @inline(__always)
    func fetch(_ number: Int) {
        let first = number * Self.width
        for index in first..<first + Self.width {
            let place = places[index]
            if place == 0 { return }
            var address = place & ~15
            for _ in 0..<place & 15 {
                clinux_prefetch(address)
                address &+= cacheLine
            }
        }
    }

    /// Has the list itself fetched.
    @inline(__always)
    func fetchList(_ number: Int) {
        unsafe places.withUnsafeBufferPointer { places in
            guard let start = places.baseAddress else { return }
            let list = UInt(bitPattern: unsafe start + number * Self.width)
            // It begins anywhere in a line, so that it may lie in three.
            clinux_prefetch(list)
            clinux_prefetch(list &+ cacheLine)
            clinux_prefetch(list &+ 2 &* cacheLine &- 1)
        }
    }
}

/// Of x86-64 and of most aarch64.
private let cacheLine: UInt = 64
