extension Configuration {
    /// Tells configurations apart, in logs and answers: 64 bits (FNV-1a) of all but the secrets, so that nobody can
    /// try out keys against it. Pure.
    public var fingerprint: String {
        var open = placeless
        open.general.masterKey = nil
        for index in open.deployments.indices {
            open.deployments[index].apiKey = nil
            open.deployments[index].extraHeaders = []
        }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in open.encoded() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// As it is written, whatever places its deployments have on the scoreboard.
    public var placeless: Configuration {
        var placeless = self
        for index in placeless.deployments.indices { placeless.deployments[index].boardSlot = -1 }
        return placeless
    }
}
