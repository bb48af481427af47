/// Networks that a tenant may not reach: everything that is not plainly public.
enum AddressRules {
    /// IANA IPv4 Special-Purpose Address Registry, less the globally reachable anycast blocks, plus Azure's wire server.
    private static let refusedV4: [(network: UInt32, length: Int, reason: String)] = [
        (0x0000_0000, 8, "this network"),
        (0x0a00_0000, 8, "private"),
        (0x6440_0000, 10, "carrier-grade NAT"),
        (0x7f00_0000, 8, "loopback"),
        (0xa9fe_a9fe, 32, "cloud metadata"),
        (0xa9fe_0000, 16, "link-local"),
        (0xac10_0000, 12, "private"),
        (0xc000_0000, 24, "reserved for protocols"),
        (0xc000_0200, 24, "documentation"),
        (0xc058_6300, 24, "6to4 relay"),
        (0xc0a8_0000, 16, "private"),
        (0xc612_0000, 15, "benchmarking"),
        (0xc633_6400, 24, "documentation"),
        (0xcb00_7100, 24, "documentation"),
        (0xa83f_8110, 32, "cloud metadata"),
        (0xe000_0000, 4, "multicast"),
        (0xffff_ffff, 32, "broadcast"),
        (0xf000_0000, 4, "reserved"),
    ]

    /// IANA IPv6 Special-Purpose Address Registry. What lies outside 2000::/3 is refused anyway; it is named here for the reason's sake.
    private static let refusedV6: [(high: UInt64, low: UInt64, length: Int, reason: String)] = [
        (0, 0, 128, "unspecified"),
        (0, 1, 128, "loopback"),
        (0, 0, 96, "IPv4-compatible"),
        (0x0064_ff9b_0000_0000, 0, 96, "NAT64"),
        (0x0064_ff9b_0001_0000, 0, 48, "local NAT64"),
        (0x0100_0000_0000_0000, 0, 64, "discard"),
        (0x2001_0000_0000_0000, 0, 32, "Teredo"),
        (0x2001_0002_0000_0000, 0, 48, "benchmarking"),
        (0x2001_0000_0000_0000, 0, 23, "reserved for protocols"),
        (0x2001_0db8_0000_0000, 0, 32, "documentation"),
        (0x2002_0000_0000_0000, 0, 16, "6to4"),
        (0x3fff_0000_0000_0000, 0, 20, "documentation"),
        (0x5f00_0000_0000_0000, 0, 16, "segment routing"),
        (0xfd00_0ec2_0000_0000, 0x254, 128, "cloud metadata"),
        (0xfc00_0000_0000_0000, 0, 7, "unique local"),
        (0xfe80_0000_0000_0000, 0, 10, "link-local"),
        (0xfec0_0000_0000_0000, 0, 10, "site-local"),
        (0xff00_0000_0000_0000, 0, 8, "multicast"),
    ]

    /// Global unicast, the only IPv6 space that IANA has handed out.
    private static let globalV6 = (high: UInt64(0x2000_0000_0000_0000), length: 3)

    /// nil for a public address, else what kind of address it is. `address` is unmapped.
    static func kindIfRefused(_ address: IPAddress) -> String? {
        switch address {
        case .v4(let value):
            return self.refusedV4.first { (value ^ $0.network) >> UInt32(32 - $0.length) == 0 }?.reason
        case .v6(let high, _):
            for rule in self.refusedV6 where CIDR(.v6(rule.high, rule.low), length: rule.length)?.contains(address) == true {
                return rule.reason
            }
            return (high ^ self.globalV6.high) >> UInt64(64 - self.globalV6.length) == 0 ? nil : "not global unicast"
        }
    }
}

/// One entry of `OUTBOUND_ALLOW`: a network, on one port or on all.
struct AllowRule: Sendable, Hashable {
    let network: CIDR
    let port: UInt16?

    /// `127.0.0.0/8`, `127.0.0.1:8090`, `[::1]/128`, `[fd00::]/8:443`, `fd00::/8`.
    init?(_ text: String) {
        guard let (address, rest) = Self.splitAddress(text) else { return nil }
        var length = 32
        if case .v6 = address { length = 128 }
        var remainder = rest
        if remainder.hasPrefix("/") {
            let digits = remainder.dropFirst().prefix { $0 != ":" }
            guard let given = Self.number(digits), given <= length else { return nil }
            length = given
            remainder = remainder.dropFirst(digits.count + 1)
        }
        if remainder.isEmpty {
            self.port = nil
        } else {
            guard remainder.first == ":", let given = Self.number(remainder.dropFirst()), let port = UInt16(exactly: given), port > 0 else {
                return nil
            }
            self.port = port
        }
        guard let network = CIDR(address, length: length) else { return nil }
        self.network = network
    }

    func opens(_ address: IPAddress, port: UInt16) -> Bool {
        self.opens(port: port) && self.network.contains(address)
    }

    func opens(port: UInt16) -> Bool { self.port == nil || self.port == port }

    private static func splitAddress(_ text: String) -> (IPAddress, Substring)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]"), let address = IPAddress(text[text.index(after: text.startIndex)..<end]) else {
                return nil
            }
            guard case .v6 = address else { return nil }
            return (address, text[text.index(after: end)...])
        }
        // More than one colon and no brackets: IPv6, which then leaves no room for a port.
        let isV6 = text.count { $0 == ":" } > 1
        let end = text.firstIndex { $0 == "/" || ($0 == ":" && !isV6) } ?? text.endIndex
        return IPAddress(text[..<end]).map { ($0, text[end...]) }
    }

    private static func number(_ digits: Substring) -> Int? {
        guard !digits.isEmpty, digits.count <= 5, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int(digits)
    }
}
