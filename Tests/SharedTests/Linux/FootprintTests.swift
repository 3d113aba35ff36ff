import Testing

@testable import Shared

@Suite struct FootprintTests {
    private final class Small {
        let number = 1
    }

    private static func address(of object: AnyObject) -> UInt {
        UInt(bitPattern: ObjectIdentifier(object))
    }

    @Test func listsWholeObjects() {
        let objects = (0..<8).map { _ in Small() }
        var footprint = Footprint()
        for object in objects { footprint.add(object) }
        for (index, object) in objects.enumerated() {
            let place = footprint.places[index]
            let address = Self.address(of: object)
            #expect(place & ~15 == address)
            // Header and number are 24 bytes, which a line may end in.
            #expect((place & 15) >= (address % 64 > 40 ? 2 : 1))
            #expect((place & 15) <= 2)
        }
        #expect(footprint.places[8] == 0)
    }

    @Test func listsFifteenLinesOfSixteenObjects() {
        let large = ManagedBuffer<Int, UInt8>.create(minimumCapacity: 5000) { _ in 0 }
        let objects = (0..<16).map { _ in Small() }
        var footprint = Footprint()
        footprint.add(large)
        for object in objects { footprint.add(object) }
        #expect(footprint.places[0] == Self.address(of: large) | 15)
        #expect(footprint.places[15] & ~15 == Self.address(of: objects[14]))
    }

    @Test func aTableHoldsOneForEachNumber() {
        var table = FootprintTable()
        var footprint = Footprint()
        var object: Small? = Small()
        if let object { footprint.add(object) }
        for _ in 0..<3 { table.append() }
        #expect(table.isEmpty)
        table.set(1, to: footprint)
        table.set(1, to: footprint)
        #expect(!table.isEmpty)
        #expect(table.places.count == 48)
        #expect(table.places[16] == footprint.places[0] && table.places[16] != 0)
        #expect(table.places.filter { $0 != 0 }.count == 1)
        // Also what is gone may be fetched.
        object = nil
        for number in 0..<3 {
            table.fetchList(number)
            table.fetch(number)
        }
        table.set(1, to: Footprint())
        #expect(table.places.allSatisfy { $0 == 0 })
        #expect(table.isEmpty)
    }
}
