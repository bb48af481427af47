/// Practical email addresses: what a mail server of today takes (RFC 5321 lengths, dot-atom local parts, UTF-8 by RFC 6531 in the local part),
/// without quoted local parts and address literals, which nobody's customers have.
package enum EmailAddress {
    /// Trimmed, the domain in lower case; nil where it is no address.
    package static func normalized(_ text: String) -> String? {
        var text = text[...]
        while let first = text.first, first == " " { text = text.dropFirst() }
        while let last = text.last, last == " " { text = text.dropLast() }
        // RFC 5321 section 4.5.3.1.3: a path has at most 256 octets, its angle brackets included.
        guard text.utf8.count <= 254 else { return nil }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, self.isLocal(parts[0]) else { return nil }
        let domain = parts[1].lowercased()
        guard self.isDomain(domain) else { return nil }
        return "\(parts[0])@\(domain)"
    }

    private static func isLocal(_ local: Substring) -> Bool {
        // RFC 5321 section 4.5.3.1.1: 64 octets.
        guard (1...64).contains(local.utf8.count), !local.hasPrefix("."), !local.hasSuffix("."), !local.contains("..") else { return false }
        let specials = #"!#$%&'*+-/=?^_`{|}~."#
        return local.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x80...0x9F, 0xA0, 0x2028, 0x2029: false
            case 0x80...: !scalar.properties.isWhitespace
            default: scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || specials.unicodeScalars.contains(scalar)
            }
        }
    }

    private static func isDomain(_ domain: String) -> Bool {
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard domain.utf8.count <= 253, labels.count >= 2, labels.last?.contains(where: \.isLetter) ?? false else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.unicodeScalars.allSatisfy { scalar in
                    scalar.value < 0x80
                        ? ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "-"
                        : scalar.properties.isAlphabetic
                }
        }
    }
}
