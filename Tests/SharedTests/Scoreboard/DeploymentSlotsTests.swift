import Testing

@testable import Shared

@Suite struct DeploymentSlotsTests {
    private func configuration(_ ids: String...) -> Configuration {
        var configuration = Configuration()
        for id in ids {
            var deployment = Deployment()
            deployment.id = id
            configuration.deployments.append(deployment)
        }
        return configuration
    }

    /// Puts a configuration in force; answers its places, and those to be cleared.
    private func reload(_ slots: inout DeploymentSlots, _ ids: String...) -> (places: [Int], cleared: [Int]) {
        var next = Configuration()
        next.deployments = ids.map { id in
            var deployment = Deployment()
            deployment.id = id
            return deployment
        }
        let cleared = slots.assign(to: &next)
        slots.release(except: next)
        return (next.deployments.map(\.boardSlot), cleared)
    }

    @Test func aDeploymentKeepsItsPlace() {
        var slots = DeploymentSlots()
        #expect(reload(&slots, "a", "b", "c").places == [0, 1, 2])
        let (places, cleared) = reload(&slots, "c", "new", "a")
        #expect(places == [2, 3, 0] && cleared.isEmpty)
        #expect(slots.used == 4)
        // It was away: it begins anew, at a place that was never used.
        #expect(reload(&slots, "b").places == [4])
    }

    @Test func theLongestReleasedPlaceIsUsedAgainFirst() {
        var slots = DeploymentSlots(limit: 4)
        #expect(reload(&slots, "a", "b", "c").places == [0, 1, 2])
        #expect(reload(&slots, "a", "c").places == [0, 2])
        #expect(reload(&slots, "c").places == [2])
        // The one place that was never used, then those of b and a.
        let (places, cleared) = reload(&slots, "c", "x", "y", "z")
        #expect(places == [2, 3, 1, 0])
        #expect(cleared == [1, 0])
        #expect(slots.used == 4)
    }

    @Test func whereNoPlaceIsLeftThereIsNone() {
        var slots = DeploymentSlots(limit: 2)
        let (places, cleared) = reload(&slots, "a", "b", "c")
        #expect(places == [0, 1, -1] && cleared.isEmpty)
        // Those of the configuration in force are not given away before it is replaced.
        let next = reload(&slots, "c", "d")
        #expect(next.places == [-1, -1] && next.cleared.isEmpty)
        #expect(reload(&slots, "c", "d").places == [0, 1])
    }

    @Test func aSuccessorTakesOverThePlacesInForce() {
        var inForce = configuration("a", "b", "c")
        for (index, slot) in [5, -1, 2].enumerated() { inForce.deployments[index].boardSlot = slot }
        var slots = DeploymentSlots(adopting: inForce)
        #expect(slots.used == 6)
        let (places, cleared) = reload(&slots, "c", "new", "a", "b")
        #expect(places == [2, 6, 5, 7] && cleared.isEmpty)
    }
}
