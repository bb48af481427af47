/// Why a message cannot become mail.
struct MailFault: Error, Sendable, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// An address that can stand in an SMTP command and a header: `dot-atom@domain` in ASCII (RFC 5321 section 4.1.2 and its size limits).
struct MailAddress: Sendable, Equatable {
    let text: String
    let domain: String

    /// - Throws: ``MailFault`` that says what is wrong; nothing that passes can end a command, a header or an angle bracket early.
    init(_ address: String, _ role: String) throws {
        guard address.utf8.allSatisfy({ $0 < 0x80 }) else {
            throw MailFault("The \(role) address needs SMTPUTF8, which is not supported.")
        }
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, address.utf8.count <= 254 else { throw MailFault("The \(role) address is not an email address.") }
        guard (1...64).contains(parts[0].utf8.count), Self.isDotted(parts[0], Self.isAtomText) else {
            throw MailFault("The \(role) address has a local part that is not a plain one.")
        }
        guard (1...253).contains(parts[1].utf8.count), Self.isDotted(parts[1], Self.isHostText) else {
            throw MailFault("The \(role) address has a domain that is not a host name.")
        }
        self.text = address
        self.domain = parts[1].lowercased()
    }

    private static func isDotted(_ text: Substring, _ allowed: (UInt8) -> Bool) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(allowed) }
    }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    /// RFC 5322 section 3.2.3.
    static func isAtomText(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte) }

    private static func isHostText(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || byte == UInt8(ascii: "-") }
}
