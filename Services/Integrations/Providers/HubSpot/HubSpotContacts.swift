import Encryption
import Foundation
import Models

/// A page of HubSpot contacts as it came.
struct HubSpotPage: Sendable, Equatable {
    var contacts: [HubSpotContact]
    /// `paging.next.after`.
    var after: String?

    /// - Throws: ``ProviderFailure/transient(_:)`` where the page is not one: skipping it would lose contacts silently.
    init(_ json: JSONValue) throws {
        guard let results = json["results"]?.arrayValue else { throw ProviderFailure.transient("HubSpot's page has no results.") }
        self.contacts = try results.map(HubSpotContact.init)
        self.after = json["paging"]?["next"]?["after"]?.stringValue
    }
}

struct HubSpotContact: Sendable, Equatable {
    let id: String
    let isArchived: Bool
    /// Unix milliseconds.
    let modified: Int64?
    let raw: JSONValue

    init(_ json: JSONValue) throws {
        guard let id = json["id"]?.stringValue, !id.isEmpty else { throw ProviderFailure.transient("HubSpot's contact has no id.") }
        self.id = id
        self.isArchived = json["archived"]?.boolValue ?? false
        let time = json["properties"]?["lastmodifieddate"]?.stringValue ?? json["updatedAt"]?.stringValue
        self.modified = time.flatMap(Timestamp.parse).map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
        self.raw = ProviderText.withoutNUL(json)
    }

    /// In the house's shape. Property values are strings or null.
    func source() throws -> SourceContact {
        func property(_ name: String) -> String? {
            guard let text = self.raw["properties"]?[name]?.stringValue else { return nil }
            let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
            return trimmed.isEmpty ? nil : trimmed
        }
        var fields = ContactFields(
            externalID: self.id,
            email: property("email").map(Self.normalisedEmail),
            phone: property("phone") ?? property("mobilephone"),
            firstName: property("firstname"),
            lastName: property("lastname"),
            company: property("company"),
            jobTitle: property("jobtitle")
        )
        let digest = try SHA256.digest(fields.json.serialized() + self.steadyProperties.serialized())
        fields.updatedAt = self.modified.map { Date(timeIntervalSince1970: Double($0) / 1000) }
        return SourceContact(fields: fields, raw: self.raw, payloadHash: Hex.encode(digest))
    }

    private var steadyProperties: JSONValue {
        var properties = self.raw["properties"]?.objectValue ?? [:]
        properties["lastmodifieddate"] = nil
        return .object(properties)
    }

    /// The domain is case-insensitive (RFC 5321 section 2.4), the local part is not.
    static func normalisedEmail(_ email: String) -> String {
        guard let at = email.lastIndex(of: "@") else { return email }
        return email[..<at] + email[at...].lowercased()
    }
}

/// First every contact by list, then what changed by search; each run ends with the list of archived ones.
struct HubSpotContactSource: ContactSource {
    /// Searches are limited to five a second for an account.
    static let searchPause = Duration.milliseconds(210)

    let client: HubSpotClient
    let now: @Sendable () -> Date

    func page(_ connection: Connection, at saved: JSONValue?) async throws -> ContactPage {
        let token = try connection.secret("access_token")
        let cursor = saved.flatMap(HubSpotCursor.init(json:)) ?? .full(after: nil, since: self.startOfChanges())
        switch cursor {
        case .full(let after, let since):
            let page = try HubSpotPage(try await self.client.listContacts(token, after: after, archived: false))
            let next: HubSpotCursor =
                page.after.map { .full(after: $0, since: since) } ?? .archived(after: nil, since: since, endsFullPass: true)
            return try Self.result(page, next: next)
        case .changes, .tied: return try await self.changed(token, cursor)
        case .archived(let after, let since, let endsFullPass):
            return try await self.archived(token, after: after, since: since, endsFullPass)
        }
    }

    private func startOfChanges() -> Int64 { Int64(self.now().timeIntervalSince1970 * 1000) - HubSpotSearch.overlap }

    private func changed(_ token: Secret, _ cursor: HubSpotCursor) async throws -> ContactPage {
        let limit = HubSpotClient.searchLimit
        let search: HubSpotSearch
        switch cursor {
        case .tied(let at, let above, _): search = .tied(at: at, above: above, limit: limit)
        case .changes(let from, _): search = .changes(from: from, limit: limit)
        case .full, .archived: throw ProviderFailure.refused("The cursor is not one of a search.")
        }
        let page = try HubSpotPage(try await self.client.searchContacts(token, search))
        let seen = try page.contacts.map { contact in
            guard let time = contact.modified, let id = Int64(contact.id) else {
                throw ProviderFailure.transient("HubSpot's contact has no time of change.")
            }
            return (time: time, id: id)
        }
        var result = try Self.result(page, next: HubSpotSearch.next(after: cursor, seen: seen, hasMore: page.after != nil))
        result.pause = Self.searchPause
        return result
    }

    private func archived(_ token: Secret, after: String?, since: Int64, _ endsFullPass: Bool) async throws -> ContactPage {
        let page = try HubSpotPage(try await self.client.listContacts(token, after: after, archived: true))
        let gone = page.contacts.filter(\.isArchived).map(\.id)
        let next: HubSpotCursor =
            page.after.map { .archived(after: $0, since: since, endsFullPass: endsFullPass) } ?? .changes(from: since, since: since)
        return ContactPage(
            contacts: [],
            deleted: gone,
            next: next.json,
            isLast: page.after == nil,
            completesFullPass: page.after == nil && endsFullPass
        )
    }

    private static func result(_ page: HubSpotPage, next: HubSpotCursor) throws -> ContactPage {
        ContactPage(
            contacts: try page.contacts.filter { !$0.isArchived }.map { try $0.source() },
            deleted: page.contacts.filter(\.isArchived).map(\.id),
            next: next.json,
            isLast: false,
            completesFullPass: false
        )
    }
}
