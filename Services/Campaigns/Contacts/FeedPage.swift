import Foundation
import Models

/// A page of the change feed made ready for the database: the last word on each record, cleaned, in arrays.
struct FeedPage: Sendable {
    struct Key: Hashable, Sendable {
        var integrationID: IntegrationID
        var recordID: RecordID
    }

    var upserts: [(key: Key, fields: ContactFields)] = []
    var deletes: [Key] = []

    /// Characters of one field that are kept: a provider's free text must not bloat every message that quotes it.
    static let fieldLimit = 500

    init(_ changes: [RecordChange]) {
        var last: [Key: RecordChange] = [:]
        for change in changes where change.kind == .contact {
            let key = Key(integrationID: change.integrationID, recordID: change.recordID)
            if let seen = last[key], seen.position > change.position { continue }
            last[key] = change
        }
        // Two followers that write the same records in the same order cannot deadlock.
        let ordered = last.sorted { ($0.key.integrationID, $0.key.recordID) < ($1.key.integrationID, $1.key.recordID) }
        for (key, change) in ordered {
            switch (change.operation, change.contact) {
            case (.upsert, .some(let fields)): self.upserts.append((key, Self.cleaned(fields)))
            case (.delete, _), (.upsert, .none): self.deletes.append(key)
            }
        }
    }

    private static func cleaned(_ fields: ContactFields) -> ContactFields {
        var fields = fields
        fields.externalID = self.cleaned(fields.externalID) ?? ""
        fields.email = self.cleaned(fields.email)
        fields.phone = self.cleaned(fields.phone)
        fields.firstName = self.cleaned(fields.firstName)
        fields.lastName = self.cleaned(fields.lastName)
        fields.company = self.cleaned(fields.company)
        fields.jobTitle = self.cleaned(fields.jobTitle)
        return fields
    }

    /// One line without control characters (Postgres refuses NUL: one such name would stop the feed for ever); nil when nothing is left.
    private static func cleaned(_ text: String?) -> String? {
        guard let text else { return nil }
        let scalars = text.unicodeScalars.lazy.map { $0.properties.generalCategory == .control ? " " : $0 }
        let line = String(String.UnicodeScalarView(scalars)).trimmingCharacters(in: .whitespaces)
        return line.isEmpty ? nil : String(line.prefix(self.fieldLimit))
    }
}
