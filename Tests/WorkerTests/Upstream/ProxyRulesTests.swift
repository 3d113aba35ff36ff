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

    @Test(arguments: [
        ("proxy:1", "http://proxy:1 -"), ("http://proxy", "http://proxy -"), ("HTTP://PROXY:80/", "http://proxy -"),
        ("http://[::1]", "http://[::1] -"), ("http://[::1]:3128", "http://[::1]:3128 -"),
        ("http://u@proxy", "http://proxy Basic dQ=="), ("http://u:p%40q@proxy", "http://proxy Basic dTpwQHE="),
        ("http://u:p@q@proxy", "http://proxy Basic dTpwQHE="), ("http://u:%zz%@proxy", "http://proxy Basic dTolenol"),
    ])
    func readsURLs(_ url: String, _ expected: String) {
        #expect(proxy(secure, https: url) == expected)
    }

    @Test(arguments: [
        "https://proxy", "socks5://proxy", "http://", "http://u@", "http://a b", "proxy:0", "proxy:70000",
        "http://[::1",
        "http://p\r\nx:1",
    ])
    func whatIsNoPlainProxyIsNone(_ url: String) {
        #expect(proxy(secure, https: url) == nil)
    }
}
