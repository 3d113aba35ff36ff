import Testing

@testable import Shared
@testable import Worker

@Suite struct GenerationBuilderTests {
    private func configuration(_ count: Int) -> Configuration {
        var configuration = Configuration()
        configuration.router.timeout = 7
        for index in 0..<count {
            var deployment = Deployment()
            deployment.modelName = "model-\(index % 5)"
            deployment.id = "id-\(index)"
            deployment.model = "openai/m-\(index)"
            deployment.apiKey = Secret("key-\(index)")
            deployment.mockResponse = index % 3 == 0 ? "mock" : nil
            deployment.origin = Origin(isSecure: index == 3, host: "host-\(index % 4)", port: 1)
            configuration.deployments.append(deployment)
        }
        return configuration
    }

    private func publish(_ configuration: Configuration) throws -> DescriptorBox {
        try SealedBytes.make(named: "test", configuration.encoded())
    }

    @Test func deploymentsAreReadFromThePublishedBytes() throws {
        let configuration = configuration(100)
        let published = try PublishedDeployments(publish(configuration))
        #expect(published.count == 100)
        #expect(published.settings.router == configuration.router)
        #expect(published.settings.deployments.isEmpty)
        for index in [0, 1, 50, 99] { #expect(published[index] == configuration.deployments[index]) }
        let choices = try published.choices(40..<43)
        #expect(choices.map(\.id) == ["id-40", "id-41", "id-42"])
        // Not what decides about a choice.
        #expect(choices.allSatisfy { $0.apiKey == nil && $0.model.isEmpty })
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1000]) func aGenerationIsBuiltPieceByPiece(_ count: Int) throws {
        var builder = try GenerationBuilder(1, publish(configuration(count)), nil)
        var steps = 0
        while !builder.isComplete {
            try builder.go()
            steps += 1
            try #require(steps <= count)
        }
        #expect(steps == (count + 15) / 16)
        // There is nothing more to do.
        try builder.go()
        #expect(builder.isComplete)
    }

    @Test func anotherFormatIsRefused() throws {
        var bytes = configuration(2).encoded()
        bytes[0] &+= 1
        let file = try SealedBytes.make(named: "test", bytes)
        #expect(throws: GenerationRefused.self) { try GenerationBuilder(1, file, nil) }
        let cut = try SealedBytes.make(named: "test", Array(configuration(2).encoded().prefix(20)))
        #expect(throws: GenerationRefused.self) { try GenerationBuilder(1, cut, nil) }
    }

    @Test func originsAreCountedOnce() {
        var origins = OriginTable()
        let (a, b) = (
            Origin(isSecure: false, host: "a", port: 1), Origin(isSecure: true, host: "a", port: 1)
        )
        for origin in [a, a, b, a] { origins.add(origin) }
        #expect(origins.count == 2)
        #expect((0..<4).map { origins[origins.number(of: $0)] } == [a, a, b, a])
        #expect(origins.contains(b) && origins.hasSecure)
        #expect(!origins.contains(Origin(isSecure: false, host: "b", port: 1)))
    }
}
