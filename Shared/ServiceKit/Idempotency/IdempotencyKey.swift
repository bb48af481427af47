import HTTPTypes
import Models

/// The header's value (draft-ietf-httpapi-idempotency-key-header): a structured-field string (RFC 8941 section 3.3.3), or a bare token as
/// most clients send it.
package struct IdempotencyKey: Sendable, Equatable {
    package static let longest = 255

    package let text: String

    /// - Throws: a 400 problem.
    package init(header: String) throws {
        guard let text = header.hasPrefix("\"") ? Self.quoted(header) : Self.bare(header), (1...Self.longest).contains(text.utf8.count)
        else {
            throw Problem(
                .badRequest,
                "Idempotency-Key must be a token or a quoted string of 1 to \(Self.longest) printable ASCII characters."
            )
        }
        self.text = text
    }

    private static func bare(_ header: String) -> String? {
        let isToken = header.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\\")
        }
        return isToken ? header : nil
    }

    private static func quoted(_ header: String) -> String? {
        var rest = Array(header.utf8).dropFirst()
        var text: [UInt8] = []
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return rest.isEmpty ? String(decoding: text, as: UTF8.self) : nil
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") else { return nil }
                text.append(escaped)
            case 0x20...0x7E: text.append(byte)
            default: return nil
            }
        }
        return nil
    }
}
