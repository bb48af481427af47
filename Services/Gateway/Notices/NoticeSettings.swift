import Database
import Models
import ServiceKit

/// How a member wants to be told of each kind that their role receives: `{"kinds": {"integration_failed": {"mail": true}, …}}`.
struct NoticeSettings: Sendable, Equatable, Encodable {
    struct Choice: Sendable, Equatable, Encodable {
        var mail: Bool
    }

    /// Every kind that the role receives, by its name.
    let kinds: [String: Choice]

    /// - declined: kinds that come by no mail.
    init(for role: Role, declined: Set<String>) {
        self.kinds = Dictionary(
            uniqueKeysWithValues: NoticeKind.kinds(for: role).map { ($0.rawValue, Choice(mail: !declined.contains($0.rawValue))) }
        )
    }

    /// The whole of it: a kind that is left out comes by mail, as it does for who never chose.
    /// - Throws: one validation problem that names every fault; kinds that the role does not receive are unknown ones.
    init(_ body: JSONValue, for role: Role) throws {
        var reader = FieldReader(body)
        let declined = reader.fields("kinds") { kinds in
            NoticeKind.kinds(for: role).map(\.rawValue).filter { kind in
                // A null is no choice, and the answer never holds one.
                kinds.has(kind) && !kinds.fields(kind) { $0.boolean("mail") }
            }
        }
        try reader.finish()
        self.init(for: role, declined: Set(declined))
    }

    var declined: [String] { self.kinds.filter { !$0.value.mail }.keys.sorted() }
}

struct NoticeSettingsStore: Sendable {
    let database: Postgres

    func settings(of user: UserID, as role: Role, in organization: OrganizationID) async throws -> NoticeSettings {
        let declined = try await self.database.read(
            """
            SELECT kind FROM notice_settings
            WHERE organization_id = \(organization) AND user_id = \(user) AND NOT mail
            """,
            as: String.self
        )
        return NoticeSettings(for: role, declined: Set(declined))
    }

    /// Only of the kinds that the role receives: what was chosen under another role stays, for the day it comes back.
    /// - Throws: 403 where they are no member any more.
    func replace(_ settings: NoticeSettings, of user: UserID, in organization: OrganizationID) async throws {
        let kinds = settings.kinds.keys.sorted()
        try await self.database.transaction { transaction in
            // Two changes at once come one after the other.
            let member = try transaction.first(
                "SELECT user_id FROM memberships WHERE organization_id = \(organization) AND user_id = \(user) FOR NO KEY UPDATE",
                as: UserID.self
            )
            guard member != nil else { throw Problem(.forbidden, "You are no member of this organization any more.") }
            try transaction.write(
                """
                DELETE FROM notice_settings
                WHERE organization_id = \(organization) AND user_id = \(user) AND kind = ANY(\(kinds)::text[])
                """
            )
            try transaction.write(
                """
                INSERT INTO notice_settings (organization_id, user_id, kind, mail)
                SELECT \(organization)::bigint, \(user)::bigint, kind, false FROM unnest(\(settings.declined)::text[]) AS kind
                """
            )
        }
    }
}
