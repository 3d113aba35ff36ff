internal import Shared

/// The deployments of a generation, in the sealed bytes that the supervisor has published for all workers. Each is read
/// when somebody needs it, so that a worker keeps nothing of those that nobody asks.
struct PublishedDeployments {
    private let file: DescriptorBox
    private let front: ConfigurationFront

    init(_ file: DescriptorBox) throws(GenerationRefused) {
        self.file = file
        do throws(Configuration.CodingError) {
            let head = try Self.bytes(file, 0..<ConfigurationFront.headLength)
            let length = try ConfigurationFront.length(head)
            front = try ConfigurationFront(Self.bytes(file, 0..<length))
        } catch {
            throw GenerationRefused(reason: "the generation is not in the format of this build")
        }
    }

    /// What the configuration says beside them.
    var settings: Configuration { front.settings }

    var count: Int { front.count }

    /// Those of `range`, as far as their choice is concerned.
    func choices(_ range: Range<Int>) throws(GenerationRefused) -> [Deployment] {
        do throws(Configuration.CodingError) {
            let whole = front.choice(range.lowerBound).lowerBound..<front.choice(range.upperBound - 1).upperBound
            let bytes = try Self.bytes(file, whole)
            var deployments: [Deployment] = []
            deployments.reserveCapacity(range.count)
            for index in range {
                let choice = front.choice(index)
                let place = choice.lowerBound - whole.lowerBound..<choice.upperBound - whole.lowerBound
                deployments.append(try Deployment(choice: (bytes, place)))
            }
            return deployments
        } catch {
            throw GenerationRefused(reason: "the generation is not in the format of this build")
        }
    }

    subscript(_ index: Int) -> Deployment {
        do throws(Configuration.CodingError) {
            let choice = try Self.bytes(file, front.choice(index))
            let rest = try Self.bytes(file, front.rest(index))
            return try Deployment(choice: (choice, choice.indices), rest: (rest, rest.indices))
        } catch {
            preconditionFailure("a generation that was taken over cannot be read")
        }
    }

    private static func bytes(_ file: DescriptorBox, _ range: Range<Int>) throws(Configuration.CodingError) -> [UInt8] {
        do throws(SystemError) {
            return try SealedBytes.read(file, range)
        } catch {
            throw Configuration.CodingError()
        }
    }
}
