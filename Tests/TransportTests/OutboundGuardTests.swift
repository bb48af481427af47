import Testing

@testable import Transport

@Suite struct OutboundGuardTests {
    private static let closed = (try? OutboundGuard(allow: ""))

    /// Every address here must be refused without rules: ranges of the IANA registries at both ends, metadata services, embedded IPv4.
    static let hostile = [
        "0.0.0.0", "0.0.0.1", "0.255.255.255",
        "10.0.0.0", "10.1.2.3", "10.255.255.255",
        "100.64.0.0", "100.100.100.200", "100.127.255.255",
        "127.0.0.0", "127.0.0.1", "127.1.2.3", "127.255.255.255",
        "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255",
        "172.16.0.0", "172.20.1.1", "172.31.255.255",
        "192.0.0.0", "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.88.99.1",
        "192.168.0.0", "192.168.255.255",
        "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.255",
        "168.63.129.16",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.254", "255.255.255.255",
        "::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::8.8.8.8",
        "::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:7f00:1",
        "::ffff:0:127.0.0.1", "::fffe:8.8.8.8",
        "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:ffff::",
        "100::1", "100:0:0:1::1",
        "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::",
        "2001:db8::1", "2001:db8:ffff:ffff::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::", "3fff::1", "3fff:fff::1",
        "5f00::1", "4000::1", "8000::1", "1::1",
        "fc00::1", "fd00::1", "fd00:ec2::254", "fdff:ffff::1", "fe80::1", "fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1",
        "ff00::1", "ff02::1", "ff0e::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ]

    @Test(arguments: hostile) func hostileAddressesAreRefused(address: String) throws {
        #expect(try OutboundGuard(allow: "").refusal(address: address, port: 443) != nil)
    }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "198.51.99.255", "203.0.114.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888",
        "2606:4700:4700::1111", "2a00:1450::1", "3ffe::1",
    ]) func publicAddressesMayBeReached(address: String) throws {
        #expect(try OutboundGuard(allow: "").refusal(address: address, port: 443) == nil)
    }

    @Test(arguments: ["localhost", "", "127.0.0.1:80", "[::1]", "0x7f.1", "2130706433", "fe80::1%eth0", "1.1.1.1 ", "01.1.1.1"])
    func whatIsNoAddressIsRefusedAsAddress(text: String) throws {
        #expect(try OutboundGuard(allow: "0.0.0.0/0").refusal(address: text, port: 443) != nil)
    }

    @Test(arguments: [
        // User info, other schemes, bad ports, odd characters.
        "https://user@example.com/", "https://user:secret@example.com/", "https://@example.com/", "https://example.com@127.0.0.1/",
        "https://example.com:pw@127.0.0.1:443/", "ftp://example.com/", "javascript:alert(1)", "file:///etc/passwd", "//example.com/",
        "example.com/hook", "", "https://", "https:///x", "https://?x", "https://:443/", "https://example.com:0/",
        "https://example.com:65536/", "https://example.com:-1/", "https://example.com:/", "https://example.com:1e2/",
        "https://exa mple.com/", "https://example.com/a b", "https://example.com/\r\nHost: x", "https://example.com\\@127.0.0.1/",
        "https://ex\u{e4}mple.com/", "https://\u{ff11}\u{ff12}7.0.0.1/", "https://%31%32%37.0.0.1/", "https://example..com/",
        "https://.example.com/",
        "http://example.com/hook", "HTTP://example.com/",
        // Literal addresses in every spelling that a resolver takes.
        "https://127.0.0.1/", "https://127.0.0.1./", "https://127.1/", "https://127.0.1/", "https://2130706433/", "https://0x7f000001/",
        "https://0x7f.0.0.1/", "https://0X7F.1/", "https://0177.0.0.1/", "https://017700000001/", "https://0/", "https://0.0.0.0/",
        "https://3232235777/", "https://0xa9fea9fe/", "https://2852039166/", "https://169.254.43518/", "https://0251.0376.0251.0376/",
        "https://10.0.0.1:8443/", "https://192.168.1.1/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:0:0:1]:443/", "https://[fd00:ec2::254]/", "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[::1", "https://::1/",
        "https://[127.0.0.1]/", "https://[example.com]/", "https://[::1]x/",
        // What no resolver should take for an address, and some do.
        "https://256.256.256.256/", "https://1.2.3.4.5/", "https://127.0.0.1.1/", "https://1.2.3.0x/", "https://999999999999/",
        // Names of this machine and its neighbours.
        "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://evil.localhost/", "https://postgres/",
        "https://gateway:8080/",
    ]) func hostileURLsAreRefused(url: String) throws {
        #expect(try OutboundGuard(allow: "").refusal(url: url) != nil)
    }

    @Test(arguments: [
        "https://example.com", "https://example.com/", "https://hooks.zapier.com/hooks/catch/1/abc/?x=%20&y",
        "HTTPS://Example.COM:8443/a#b",
        "https://a_b.example.co.uk/", "https://xn--exmple-cua.com/", "https://8.8.8.8/", "https://[2606:4700:4700::1111]:443/x",
        "https://example.com./hook", "https://1and1.example.com/", "https://127.0.0.1.nip.io/", "https://a.b@c".replacing("@", with: "."),
    ]) func publicURLsAreWell(url: String) throws {
        #expect(try OutboundGuard(allow: "").refusal(url: url) == nil)
    }

    @Test func rulesOpenWhatTheySay() throws {
        let guardRules = try OutboundGuard(allow: "127.0.0.0/8:8090, [::1]/128,[fd00::]/8:443,10.1.0.0/16,192.168.7.7:25,fc00:1::/32")
        let open: [(String, UInt16)] = [
            ("127.0.0.1", 8090), ("127.255.0.1", 8090), ("::ffff:127.0.0.1", 8090), ("::1", 1), ("::1", 65535), ("fd12::1", 443),
            ("10.1.255.255", 80), ("192.168.7.7", 25), ("fc00:1::9", 7), ("8.8.8.8", 8090),
        ]
        for (address, port) in open { #expect(guardRules.refusal(address: address, port: port) == nil, "\(address) \(port)") }
        let shut: [(String, UInt16)] = [
            ("127.0.0.1", 8091), ("128.0.0.1", 0), ("::2", 80), ("fd12::1", 444), ("10.2.0.1", 80), ("192.168.7.7", 26),
            ("192.168.7.8", 25),
            ("fc00:2::9", 7), ("::7f00:1", 8090), ("64:ff9b::7f00:1", 8090),
        ]
        for (address, port) in shut { #expect(guardRules.refusal(address: address, port: port) != nil, "\(address) \(port)") }
    }

    @Test func rulesOpenPlainHTTPWhereTheyOpenTheHost() throws {
        let guardRules = try OutboundGuard(allow: "127.0.0.0/8:8090")
        for url in [
            "http://127.0.0.1:8090/x", "http://127.1:8090/", "http://localhost:8090/x", "https://localhost:8090/x", "http://sandbox:8090/",
        ] {
            #expect(guardRules.refusal(url: url) == nil, "\(url)")
        }
        for url in [
            "http://127.0.0.1:8091/x", "http://127.0.0.1/", "http://8.8.8.8:8090/", "http://localhost/", "https://localhost/",
            "http://[::1]:8090/", "http://u@127.0.0.1:8090/",
        ] {
            #expect(guardRules.refusal(url: url) != nil, "\(url)")
        }
    }

    @Test(arguments: [
        "x", "127.0.0.1/33", "127.0.0.1/-1", "127.0.0.1/", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1/8:x", "[::1",
        "[::1]/129",
        "[127.0.0.1]/8", "::1/129", "localhost:80", "127.1/8", "10.0.0.0/8/8", "10.0.0.0/8:80:80", "1.2.3.4 5.6.7.8", "*", "[::1]x",
    ]) func badRulesAreNamed(rule: String) {
        let error = #expect(throws: TransportError.self) { try OutboundGuard(allow: "10.0.0.0/8,\(rule)") }
        #expect(error?.kind == .invalidRequest && error?.detail.contains(rule) == true)
    }

    @Test func mailHostsAreCheckedByTheirForm() throws {
        let closed = try OutboundGuard(allow: "")
        for host in ["127.0.0.1", "localhost", "::1", "[::1]", "10.0.0.1", "2130706433", "a b", "", "smtp.example.com@x"] {
            #expect(closed.refusal(host: host, port: 587) != nil, "\(host)")
        }
        #expect(closed.refusal(host: "smtp.example.com", port: 587) == nil)
        #expect(closed.refusal(host: "smtp.example.com", port: 0) != nil)
        #expect(try OutboundGuard(allow: "127.0.0.1:2525").refusal(host: "127.0.0.1", port: 2525) == nil)
    }
}
