import Testing

@testable import Shared

@Suite struct URLTests {
    @Test(arguments: [
        ("https://api.openai.com/v1", "https://api.openai.com", "/v1"),
        ("https://api.openai.com", "https://api.openai.com", ""),
        ("https://api.openai.com/", "https://api.openai.com", ""),
        ("https://up/v1/", "https://up", "/v1"), ("https://up/v1//", "https://up", "/v1"),
        ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080", "/a/b"), ("http://up:80/x", "http://up", "/x"),
        ("https://up:443", "https://up", ""), ("https://up:80", "https://up:80", ""),
        ("http://up:443", "http://up:443", ""),
        ("HTTPS://UP.Example/V1", "https://up.example", "/V1"), ("http://[::1]:9/v1", "http://[::1]:9", "/v1"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]", ""), ("https://a_b-c.d/%41", "https://a_b-c.d", "/%41"),
        ("http://h:65535", "http://h:65535", ""), ("http://h:01", "http://h:1", ""),
    ])
    func tellsOriginAndPathApart(_ text: String, _ origin: String, _ path: String) throws {
        let url = try #require(ConfigurationDecoder.url(text))
        #expect(url.0.description == origin)
        #expect(url.1 == path)
    }

    @Test(arguments: [
        "", "up", "up:80", "ftp://up", "https:/up", "https//up", "https://", "https:///x", "https://:80", "http://h:",
        "http://h:0", "http://h:65536", "http://h:-1", "http://h:+80", "http://h:8o", "http://h:80:90", "http://u@h",
        "http://u:p@h/", "http://a b/", "http://h/a b", "http://h/\u{7F}", "http://h/é", "http://é/", "http://h\r\n/",
        "http://[::1", "http://[::1]x", "http://[::1]:", "http://[]", "http://[g::1]", "http://[:80", "http://::1/",
        "http://h[1]/", " https://h",
    ])
    func refusesWhatIsNoBase(_ text: String) {
        #expect(ConfigurationDecoder.url(text) == nil)
    }

    @Test(arguments: [
        (Origin(isSecure: true, host: "h", port: 443), "h"), (Origin(isSecure: true, host: "h", port: 80), "h:80"),
        (Origin(isSecure: false, host: "h", port: 80), "h"), (Origin(isSecure: false, host: "::1", port: 80), "[::1]"),
        (Origin(isSecure: false, host: "::1", port: 81), "[::1]:81"),
    ])
    func authoritiesNameThePortWhereItIsNotTheSchemes(_ origin: Origin, _ authority: String) {
        #expect(origin.authority == authority)
    }
}
