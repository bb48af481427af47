import HTTPTypes
import Models

/// The form of an `Idempotency-Key`: a quoted string (draft-ietf-httpapi-idempotency-key-header) or, as many clients send it, bare.
/// What it means is the owning service's business.
enum IdempotencyKeyForm {
    static let longest = 255

    static func check(_ fields: HTTPFields) throws(Problem) {
        let values = fields[values: .idempotencyKey]
        guard let value = values.first else { return }
        var key = Substring(value)
        if key.count >= 2, key.hasPrefix("\""), key.hasSuffix("\"") { key = key.dropFirst().dropLast() }
        let isWellFormed = key.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        guard values.count == 1, isWellFormed, (1...self.longest).contains(key.utf8.count) else {
            throw Problem(.badRequest, "Idempotency-Key holds 1 to \(self.longest) printable characters, once.")
        }
    }
}
