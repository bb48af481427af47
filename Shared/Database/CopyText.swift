/// Rows in COPY's text format (manual, COPY, "Text Format").
enum CopyText {
    static let chunk = 64 * 1024

    private static let tab = UInt8(ascii: "\t")
    private static let newline = UInt8(ascii: "\n")
    private static let backslash = UInt8(ascii: "\\")

    /// Appends rows until the chunk is full or there are no more.
    static func fill<Rows: IteratorProtocol<[(any SQLEncodable)?]>>(_ buffer: inout [UInt8], from rows: inout Rows, columns: Int) throws {
        while buffer.count < Self.chunk, let row = rows.next() {
            guard row.count == columns else { throw DatabaseError(.misuse, "a row of \(row.count) values for \(columns) columns") }
            for index in row.indices {
                if index > 0 { buffer.append(Self.tab) }
                if var text = row[index]?.sqlText {
                    try text.withUTF8 { try Self.append($0, to: &buffer) }
                } else {
                    buffer.append(Self.backslash)
                    buffer.append(UInt8(ascii: "N"))
                }
            }
            buffer.append(Self.newline)
        }
    }

    /// Runs without special characters are copied whole.
    private static func append(_ text: UnsafeBufferPointer<UInt8>, to buffer: inout [UInt8]) throws(DatabaseError) {
        var start = 0
        for index in text.indices where text[index] <= 0x0D || text[index] == Self.backslash {
            let escape: UInt8
            switch text[index] {
            case Self.backslash: escape = Self.backslash
            case Self.tab: escape = UInt8(ascii: "t")
            case Self.newline: escape = UInt8(ascii: "n")
            case 0x0D: escape = UInt8(ascii: "r")
            case 0: throw DatabaseError(.misuse, sqlState: DatabaseError.invalidCharacter, "a value to copy holds a NUL character")
            default: continue
            }
            buffer.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
            buffer.append(Self.backslash)
            buffer.append(escape)
            start = index + 1
        }
        buffer.append(contentsOf: UnsafeBufferPointer(rebasing: text[start...]))
    }
}
