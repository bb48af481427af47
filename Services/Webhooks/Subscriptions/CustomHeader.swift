import HTTPTypes
import Models
import ServiceKit

/// A header that a subscription adds to its deliveries: often a credential of the target's.
struct CustomHeader: Sendable {
    var name: HTTPField.Name
    var value: Secret

    // Limits of our own: well under what servers take in all (8 KiB with most).
    static let count = 20
    static let longestName = 100
    static let longestValue = 2000

    /// Set by the delivery itself, or by HTTP (RFC 9110, RFC 9112).
    private static let reserved: Set<String> = [
        "host", "connection", "content-length", "content-type", "content-encoding", "transfer-encoding", "te", "trailer", "upgrade",
        "expect",
        "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate", "traceparent", "tracestate",
    ]

    /// The field `headers`, an object of names and values; null is none.
    static func read(_ fields: inout FieldReader) -> [CustomHeader] {
        guard let members = fields.optionalObject("headers") else { return [] }
        if members.count > Self.count { fields.fault("headers", "must have at most \(Self.count) members") }
        var headers: [CustomHeader] = []
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let pointer = "/headers/\(JSONPointer.escape(name))"
            guard name.utf8.count <= Self.longestName, let field = HTTPField.Name(name) else {
                fields.fault(at: pointer, "is not the name of a header of at most \(Self.longestName) characters")
                continue
            }
            guard !Self.reserved.contains(field.canonicalName), !field.canonicalName.hasPrefix("webhook-") else {
                fields.fault(at: pointer, "is a header that the delivery sets itself")
                continue
            }
            guard !headers.contains(where: { $0.name == field }) else {
                fields.fault(at: pointer, "is there twice: capitals make no difference")
                continue
            }
            guard let text = value.stringValue, text.utf8.count <= Self.longestValue, Self.isValue(text) else {
                fields.fault(
                    at: pointer,
                    "must be a string of at most \(Self.longestValue) printable ASCII characters, with no blank at its ends"
                )
                continue
            }
            headers.append(CustomHeader(name: field, value: Secret(text)))
        }
        return headers
    }

    private static func isValue(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && !text.hasPrefix(" ") && !text.hasSuffix(" ")
    }

    // MARK: - At rest

    /// What is sealed: a JSON object.
    static func sealable(_ headers: [CustomHeader]) -> Secret {
        let members = headers.map { ($0.name.rawName, JSONValue.string($0.value.reveal())) }
        return Secret(JSONValue.object(Dictionary(members, uniquingKeysWith: { $1 })).text)
    }

    static func list(opened: Secret) throws -> [CustomHeader] {
        let members = try JSONValue(parsing: Array(opened.reveal().utf8)).objectValue ?? [:]
        return members.sorted { $0.key < $1.key }.compactMap { name, value in
            guard let name = HTTPField.Name(name), let value = value.stringValue else { return nil }
            return CustomHeader(name: name, value: Secret(value))
        }
    }
}
