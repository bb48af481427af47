import Encryption
import ServiceKit

/// The network that a client comes from: an IPv4 address, or the /64 of an IPv6 one (RFC 4291 section 2.5.1: one link's, within which one machine
/// changes at will).
struct ClientNetwork: Sendable, Hashable {
    let text: String

    /// - address: nil where it is not known; all of these count as one.
    init(_ address: String?) {
        guard let address, let bytes = AddressRange.bytes(of: address) else {
            self.text = "unknown"
            return
        }
        self.text = bytes.count == 4 ? Hex.encode(bytes) : Hex.encode(bytes.prefix(8))
    }
}
