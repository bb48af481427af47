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
            guard let given = Int(parts[1]), (0...length).contains(given) else { return nil }
            length = given
        }
        self.bytes = bytes
        self.prefixLength = length
    }

    package func contains(_ address: String) -> Bool {
        guard let other = Self.parse(address), other.count == self.bytes.count else { return false }
        for index in 0..<self.bytes.count {
            let bits = min(8, max(0, self.prefixLength - index * 8))
            let mask = bits == 0 ? 0 : UInt8.max << UInt8(8 - bits)
            if self.bytes[index] & mask != other[index] & mask { return false }
        }
        return true
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
