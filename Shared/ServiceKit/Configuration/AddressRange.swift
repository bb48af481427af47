#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A network (`10.0.0.0/8`, `fd00::/8`) or one address.
package struct AddressRange: Sendable, Equatable {
    private let bytes: [UInt8]
    private let prefixLength: Int

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = Self.parse(String(parts[0])) else { return nil }
        var length = bytes.count * 8
        if parts.count == 2 {
            // A network of IPv4 addresses in IPv6 form (`::ffff:10.0.0.0/104`) counts its bits from the IPv6 address's first.
            let skipped = length == 32 && parts[0].contains(":") ? 96 : 0
            guard let given = Int(parts[1]), (skipped...length + skipped).contains(given) else { return nil }
            length = given - skipped
        }
        self.bytes = bytes.indices.map { bytes[$0] & Self.mask(length, byte: $0) }
        self.prefixLength = length
    }

    /// In CIDR form, bits behind the prefix as zeros: `10.0.0.0/8`, `192.0.2.7/32`, `2001:db8::/32`.
    package var text: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = self.bytes.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, self.bytes, &text, socklen_t(text.count)) != nil else { preconditionFailure("an address has a text") }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/\(self.prefixLength)"
    }

    /// True where every address of the other range lies in this one.
    package func contains(_ other: AddressRange) -> Bool {
        other.prefixLength >= self.prefixLength && self.contains(other.bytes)
    }

    package func contains(_ address: String) -> Bool {
        Self.parse(address).map { self.contains($0) } ?? false
    }

    private func contains(_ other: [UInt8]) -> Bool {
        guard other.count == self.bytes.count else { return false }
        return self.bytes.indices.allSatisfy { self.bytes[$0] == other[$0] & Self.mask(self.prefixLength, byte: $0) }
    }

    /// Which bits of that byte a prefix of this length covers.
    private static func mask(_ length: Int, byte: Int) -> UInt8 {
        let bits = min(8, max(0, length - byte * 8))
        return bits == 0 ? 0 : UInt8.max << UInt8(8 - bits)
    }

    /// The address in network byte order, 4 bytes or 16; nil where it is none.
    package static func bytes(of address: String) -> [UInt8]? { self.parse(address) }

    /// Network byte order; an IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is read as IPv4.
    private static func parse(_ text: String) -> [UInt8]? {
        var four = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &four) == 1 { return four }
        var six = [UInt8](repeating: 0, count: 16)
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let mapped = six.prefix(10).allSatisfy { $0 == 0 } && six[10] == 0xFF && six[11] == 0xFF
        return mapped ? Array(six.suffix(4)) : six
    }
}

/// Who the client is: the socket's address, or the last one in `X-Forwarded-For` that no trusted proxy added.
package enum ClientAddress {
    package static func resolve(socket: String?, forwardedFor: String?, trusted: [AddressRange]) -> String? {
        guard let socket, !trusted.isEmpty, let forwardedFor else { return socket }
        var client = socket
        for hop in forwardedFor.split(separator: ",").reversed() {
            guard trusted.contains(where: { $0.contains(client) }) else { return client }
            let candidate = String(hop.drop(while: { $0 == " " }).reversed().drop(while: { $0 == " " }).reversed())
            guard AddressRange(candidate) != nil, !candidate.contains("/") else { return client }
            client = candidate
        }
        return client
    }
}
