/// Text from outside, made fit for logs, columns and people.
enum CleanText {
    /// One line of at most `limit` UTF-8 bytes; control characters become spaces.
    static func line(_ text: String, limit: Int) -> String {
        self.cut(text.unicodeScalars, limit: limit) { $0.properties.generalCategory == .control ? " " : $0 }
    }

    /// Lines kept, other control characters made spaces; at most `limit` UTF-8 bytes.
    static func block(_ bytes: some Sequence<UInt8>, limit: Int) -> String {
        let text = String(decoding: Array(bytes), as: UTF8.self)
        return self.cut(text.unicodeScalars, limit: limit) { scalar in
            scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control ? scalar : " "
        }
    }

    private static func cut(
        _ scalars: String.UnicodeScalarView,
        limit: Int,
        _ replacement: (Unicode.Scalar) -> Unicode.Scalar
    ) -> String {
        var result = String.UnicodeScalarView()
        var length = 0
        for scalar in scalars {
            let clean = replacement(scalar)
            length += UTF8.width(clean)
            guard length <= limit else { break }
            result.append(clean)
        }
        return String(result)
    }
}
