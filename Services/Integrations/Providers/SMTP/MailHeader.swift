import Foundation

/// Header fields of RFC 5322: folded, with encoded words (RFC 2047) for what is not plain ASCII. No value can begin another header.
enum MailHeader {
    /// Preferred line length (RFC 5322 section 2.1.1).
    static let lineLength = 78
    /// Bytes of text in one encoded word: 39 bytes are 52 characters of base64, so that word and header name stay within the 76 of RFC 2047.
    private static let wordBytes = 39

    /// One line: control characters and line ends become spaces, spaces at the ends are cut.
    static func singleLine(_ text: String) -> String {
        let scalars = text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029 ? " " : scalar
        }
        return String(String.UnicodeScalarView(scalars)).trimmingCharacters(in: .whitespaces)
    }

    /// `Name: value`, folded at spaces, with CRLF at the end.
    static func unstructured(_ name: String, _ text: String) -> String {
        let text = singleLine(text)
        return fold(name, isPlain(text) ? text.split(separator: " ").map(String.init) : encodedWords(text))
    }

    /// `Name: display name <address>`.
    static func mailbox(_ name: String, _ address: MailAddress, displayName: String?) -> String {
        fold(name, phrase(singleLine(displayName ?? "")) + ["<\(address.text)>"])
    }

    /// RFC 5322 section 3.3, in UTC.
    static func date(_ date: Date) -> String {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = calendar.dateComponents([.weekday, .day, .month, .year, .hour, .minute, .second], from: date)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int?) -> String { (number ?? 0) < 10 ? "0\(number ?? 0)" : String(number ?? 0) }
        let day = "\(days[(parts.weekday ?? 1) - 1]), \(parts.day ?? 1) \(months[(parts.month ?? 1) - 1]) \(parts.year ?? 1970)"
        return "Date: \(day) \(two(parts.hour)):\(two(parts.minute)):\(two(parts.second)) +0000\r\n"
    }

    /// ASCII whose words fit a line, with single spaces, and nothing that a reader would take for an encoded word.
    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !text.contains("=?") && !text.contains("  ")
            && text.split(separator: " ").allSatisfy { $0.utf8.count <= 60 }
    }

    /// A display name: atoms as they are, other ASCII quoted, the rest encoded.
    private static func phrase(_ text: String) -> [String] {
        guard !text.isEmpty else { return [] }
        guard isPlain(text) else { return encodedWords(text) }
        let words = text.split(separator: " ").map(String.init)
        if words.allSatisfy({ $0.utf8.allSatisfy(MailAddress.isAtomText) }) { return words }
        let quoted = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return quoted.utf8.count <= 60 ? ["\"\(quoted)\""] : encodedWords(text)
    }

    /// Words of base64, none of which splits a character.
    private static func encodedWords(_ text: String) -> [String] {
        var words: [String] = []
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            if bytes.count + next.count > wordBytes {
                words.append(encodedWord(bytes))
                bytes = []
            }
            bytes += next
        }
        if !bytes.isEmpty { words.append(encodedWord(bytes)) }
        return words
    }

    private static func encodedWord(_ bytes: [UInt8]) -> String { "=?UTF-8?B?\(Data(bytes).base64EncodedString())?=" }

    private static func fold(_ name: String, _ words: [String]) -> String {
        var result = "\(name):"
        var length = result.utf8.count
        for word in words {
            if length + 1 + word.utf8.count > lineLength, length > name.utf8.count + 1 {
                result += "\r\n"
                length = 0
            }
            result += " \(word)"
            length += 1 + word.utf8.count
        }
        return result + "\r\n"
    }
}
