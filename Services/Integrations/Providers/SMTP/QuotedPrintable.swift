/// The quoted-printable encoding of text (RFC 2045 section 6.7), with CRLF line ends whatever the text had.
enum QuotedPrintable {
    /// Longest line, the soft break's `=` included.
    private static let lineLength = 76
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func encode(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 8)
        var column = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == 0x0A || byte == 0x0D {
                output += [0x0D, 0x0A]
                column = 0
                index += byte == 0x0D && index + 1 < bytes.count && bytes[index + 1] == 0x0A ? 2 : 1
                continue
            }
            let endsLine = index + 1 == bytes.count || bytes[index + 1] == 0x0A || bytes[index + 1] == 0x0D
            let isLiteral = self.isLiteral(byte, endsLine: endsLine)
            let width = isLiteral ? 1 : 3
            // The last column belongs to the soft break, unless the line ends here anyway.
            if column + width > (endsLine ? self.lineLength : self.lineLength - 1) {
                output += [UInt8(ascii: "="), 0x0D, 0x0A]
                column = 0
            }
            output += isLiteral ? [byte] : [UInt8(ascii: "="), self.digits[Int(byte >> 4)], self.digits[Int(byte & 15)]]
            column += width
            index += 1
        }
        return output
    }

    /// Printable ASCII but `=`; space and tab where something follows them on the line.
    private static func isLiteral(_ byte: UInt8, endsLine: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"): !endsLine
        case UInt8(ascii: "="): false
        default: byte > 0x20 && byte < 0x7F
        }
    }
}
