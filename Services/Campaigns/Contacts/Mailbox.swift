import Foundation
import ServiceKit

/// An address as this house writes to it, and the key under which two spellings of it are one mailbox.
struct Mailbox: Sendable, Equatable {
    /// Trimmed, domain in lower case; the local part as given, because only its own server may fold it (RFC 5321 section 2.4).
    let address: String
    /// All in lower case: no server in practice gives `Anna@` and `anna@` to two people.
    let key: String

    /// nil for what no mail can be sent to.
    init?(_ text: String) {
        guard let address = EmailAddress.normalized(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { return nil }
        self.address = address
        self.key = address.lowercased()
    }
}
