import Foundation
import Testing

/// `tagway.watch`: files change in all the ways in which people and machines change them.
@Suite(.serialized) struct WatchTests {
    private func yaml(_ answer: String, watch: Bool = true) -> String {
        """
        model_list:
          - {model_name: m, litellm_params: {model: openai/m, mock_response: "\(answer)"}}
        tagway: {watch: \(watch ? "on" : "off")}
        """
    }

    private func generation(_ gateway: SupervisedGateway) -> Int {
        gateway.events("reload").filter { $0["result"] as? String == "ok" }.last?["generation"] as? Int ?? 1
    }

    private func expectGeneration(_ number: Int, _ gateway: SupervisedGateway, _ what: String) {
        #expect(waitUntil(seconds: 5) { generation(gateway) == number }, "\(what)\n\(gateway.log)")
    }

    @Test("66. an edit in place, by rename, with a backup, and after a removal is a reload", .inTable)
    func anEditIsAReload() throws {
        let gateway = try SupervisedGateway(yaml("one"))
        let files = FileManager.default
        try gateway.write(yaml("two"))
        expectGeneration(2, gateway, "renamed into place")
        try Data(yaml("three").utf8).write(to: gateway.configuration)
        expectGeneration(3, gateway, "written in place")
        // As vi does: the old file becomes the backup, a new one is written, the backup goes.
        let backup = gateway.directory.appendingPathComponent("config.yaml~")
        try files.moveItem(at: gateway.configuration, to: backup)
        try Data(yaml("four").utf8).write(to: gateway.configuration)
        try files.removeItem(at: backup)
        expectGeneration(4, gateway, "written beside a backup")
        try files.removeItem(at: gateway.configuration)
        // Seen missing, which changes nothing.
        #expect(waitUntil(seconds: 5) { gateway.events("reload").contains { $0["result"] as? String == "failed" } })
        try gateway.write(yaml("five"))
        expectGeneration(5, gateway, "removed and made again")
        #expect(gateway.events("reload-begin").allSatisfy { $0["trigger"] as? [String] == ["watch"] })
    }

    @Test("66. a file that is mounted by itself is warned of", .inTable, .enabled(if: SupervisedGateway.canMount))
    func aMountedFileIsWarnedOf() throws {
        let gateway = try SupervisedGateway(yaml("one"), mountedFile: true)
        #expect(waitUntil(seconds: 5) { !gateway.events("subpath-mount").isEmpty }, "\(gateway.log)")
        #expect(gateway.events("subpath-mount").map { $0["path"] as? String } == [gateway.configuration.path])
    }

    @Test func anUpgradeGoesOnWatching() throws {
        let gateway = try SupervisedGateway(yaml("one"))
        #expect(try gateway.control("upgrade", "--wait").status == 0)
        try gateway.write(yaml("two"))
        expectGeneration(2, gateway, "written after an upgrade")
    }

    @Test func aBadFileIsToldOnceAndMendedByTheNext() throws {
        let gateway = try SupervisedGateway(yaml("one"))
        try gateway.write("model_list: [")
        func failures() -> Int { gateway.events("reload").count { $0["result"] as? String == "failed" } }
        #expect(waitUntil(seconds: 5) { failures() == 1 }, "\(gateway.log)")
        // Something else in the directory: looked at again, and found the same.
        try Data().write(to: gateway.directory.appendingPathComponent("other"))
        usleep(1_500_000)
        #expect(failures() == 1)
        try gateway.write(yaml("two"))
        expectGeneration(2, gateway, "mended")
    }

    /// As the kubelet updates a volume: a new folder, a new link, renamed over `..data`.
    @Test("66. twenty swaps of a ConfigMap are twenty generations, within two seconds", .inTable)
    func aConfigMapSwapIsAReload() throws {
        let gateway = try SupervisedGateway(yaml("zero"))
        let folder = gateway.directory
        func swap(_ number: Int) throws {
            let name = "..version_\(number)"
            let files = FileManager.default
            try files.createDirectory(
                at: folder.appendingPathComponent(name), withIntermediateDirectories: false)
            try Data(yaml("\(number)").utf8).write(to: folder.appendingPathComponent("\(name)/config.yaml"))
            let link = folder.appendingPathComponent("..data_tmp").path
            try files.createSymbolicLink(atPath: link, withDestinationPath: name)
            #expect(rename(link, folder.appendingPathComponent("..data").path) == 0)
            try? files.removeItem(at: folder.appendingPathComponent("..version_\(number - 1)"))
        }
        try swap(1)
        let link = folder.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "..data/config.yaml")
        #expect(rename(link, gateway.configuration.path) == 0)
        expectGeneration(2, gateway, "a link in place of the file")
        var times: [UInt64] = []
        for number in 2...21 {
            let begun = DispatchTime.now().uptimeNanoseconds
            try swap(number)
            expectGeneration(number + 1, gateway, "swap \(number)")
            times.append(DispatchTime.now().uptimeNanoseconds - begun)
        }
        // A machine that runs many other tests holds up one or another; half of them are late only for a reason.
        #expect(times.sorted()[times.count / 2] < 2_000_000_000, "\(times)")
        let generations = gateway.events("reload").compactMap { $0["generation"] as? Int }
        #expect(generations == Array(2...22))
        #expect(gateway.events("reload").allSatisfy { $0["result"] as? String == "ok" })
    }

    @Test func theSettingTurnsItOnAndOff() throws {
        let gateway = try SupervisedGateway(yaml("one", watch: false))
        try gateway.write(yaml("two"))
        usleep(1_200_000)
        #expect(gateway.events("reload").isEmpty)
        gateway.signal(SIGHUP)
        expectGeneration(2, gateway, "SIGHUP")
        try gateway.write(yaml("three", watch: false))
        expectGeneration(3, gateway, "turned off by what it saw")
        try gateway.write(yaml("four", watch: false))
        usleep(1_200_000)
        #expect(generation(gateway) == 3)
    }
}
