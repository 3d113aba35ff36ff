import Testing

@testable import Shared
@testable import Worker

@Suite struct ProxyRulesTests {
    private func proxy(_ origin: Origin, noProxy: String? = nil, https: String? = "http://u:p@proxy:3128") -> String? {
        var settings = ProcessSettings()
        settings.httpsProxy = https
        settings.httpProxy = "proxy2"
        settings.noProxy = noProxy
        return ProxyRules(settings).proxy(for: origin).map { "\($0.origin) \($0.authorization ?? "-")" }
    }

    private let secure = Origin(isSecure: true, host: "api.openai.com", port: 443)
    private let plain = Origin(isSecure: false, host: "10.0.0.1", port: 8080)

    @Test func choosesByScheme() {
        #expect(proxy(secure) == "http://proxy:3128 Basic dTpw")
        #expect(proxy(plain) == "http://proxy2 -")
    }

    @Test(arguments: ["*", "openai.com", ".openai.com", "*.openai.com", "api.openai.com:443", "x, API.openai.com"])
    func honoursExceptions(_ list: String) {
        #expect(proxy(secure, noProxy: list) == nil)
    }

    @Test(arguments: ["", "penai.com", "api.openai.com:8443", "com.openai", ","])
    func othersAreNoExceptions(_ list: String) {
        #expect(proxy(secure, noProxy: list) != nil)
    }

    @Test func aProxyThatIsItselfEncryptedIsNone() {
        #expect(proxy(secure, https: "https://proxy") == nil)
    }
}
