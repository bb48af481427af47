import Models

/// One step forward of a schema.
package struct Migration: Sendable {
    package var number: Int
    /// The file's name without its ending (`M0001_accounts`): what identifies it for good.
    package var name: String
    package var sql: String
    /// Processes of an older build must not run on a schema that has this one.
    package var isBreaking: Bool
    /// Run outside a transaction: one statement, CREATE INDEX CONCURRENTLY. Write it with IF NOT EXISTS: a run that was cut off repeats it.
    package var isSingleStatement: Bool
    /// Comes before those of the service: a table that ServiceKit itself needs.
    var isShared: Bool

    /// From an embedded `M0001_name.sql` (`S0001_name.sql`: shared); `-- breaking` or `-- single statement` in its first line sets the marks.
    /// - Throws: ``DatabaseError`` of kind `misuse` for another kind of name or text that is not UTF-8.
    package init(file: String, _ bytes: [UInt8]) throws {
        let name = file.hasSuffix(".sql") ? String(file.dropLast(4)) : file
        guard let kind = name.first, kind == "M" || kind == "S", let number = Int(name.dropFirst().prefix { $0.isASCII && $0.isNumber }),
            name.dropFirst().drop(while: { $0.isASCII && $0.isNumber }).first == "_"
        else { throw DatabaseError(.misuse, "the migration \(file) is not named M0001_name.sql or S0001_name.sql") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw DatabaseError(.misuse, "the migration \(file) is not UTF-8")
        }
        let firstLine = text.prefix { !$0.isNewline }
        let marks = firstLine.hasPrefix("--") ? firstLine.dropFirst(2).lowercased() : ""
        self.number = number
        self.name = name
        self.sql = text
        self.isShared = kind == "S"
        self.isBreaking = marks.contains("breaking")
        self.isSingleStatement = marks.contains("single statement")
    }

    /// FNV-1a, 64 bits, over the text with line ends and trailing blanks made alike: an editor's habits are no change.
    var checksum: String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for line in self.sql.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: true) {
            let bytes = line.utf8
            let end = bytes.lastIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            guard let end else { continue }
            for byte in bytes[...end] + [UInt8(ascii: "\n")] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
