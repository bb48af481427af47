import Glibc

/// An address as the socket sees it.
enum IPAddress: Sendable, Hashable {
    case v4(UInt32)
    /// High and low halves.
    case v6(UInt64, UInt64)

    /// Canonical text only, as `inet_ntop` writes it: what libcurl reports of a connection. No brackets, no zone.
    init?(_ text: some StringProtocol) {
        let text = String(text)
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self = .v4(UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self = withUnsafeBytes(of: &v6) { Self(v6: $0) }
    }

    /// What `getaddrinfo` makes of numeric host text: also `2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`.
    init?(loose text: String) {
        if let strict = IPAddress(text) {
            self = strict
            return
        }
        var v4 = in_addr()
        guard !text.isEmpty, inet_aton(text, &v4) == 1 else { return nil }
        self = .v4(UInt32(bigEndian: v4.s_addr))
    }

    /// 16 bytes in network order.
    init(v6 bytes: UnsafeRawBufferPointer) {
        self = .v6(
            UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
    }

    /// The IPv4 address inside `::ffff:a.b.c.d`, to which such a socket really connects.
    var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xffff { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }
}

/// A network: an address and how many of its leading bits count.
struct CIDR: Sendable, Hashable {
    let base: IPAddress
    let length: Int

    /// Bits after `length` are ignored. nil when the length does not fit the family.
    init?(_ base: IPAddress, length: Int) {
        switch base {
        case .v4: guard (0...32).contains(length) else { return nil }
        case .v6: guard (0...128).contains(length) else { return nil }
        }
        self.base = base
        self.length = length
    }

    func contains(_ address: IPAddress) -> Bool {
        switch (self.base, address) {
        case (.v4(let base), .v4(let other)):
            Self.sameBits(UInt64(base) << 32, UInt64(other) << 32, count: self.length)
        case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
            Self.sameBits(high, otherHigh, count: min(self.length, 64)) && Self.sameBits(low, otherLow, count: max(self.length - 64, 0))
        default:
            false
        }
    }

    private static func sameBits(_ first: UInt64, _ second: UInt64, count: Int) -> Bool {
        count == 0 || (first ^ second) >> UInt64(64 - count) == 0
    }
}
