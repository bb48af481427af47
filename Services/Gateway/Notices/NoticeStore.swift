import Database
import Foundation
import Models

/// Takes notices: into the feed, and to the mail queue in the same transaction.
///
/// What repeats the last notice of its key within a day of that is folded into it: counted, with the newest words and time, and mailed no second
/// time. Another kind of the same key between them (it worked again) makes it a new trouble.
struct NoticeStore: Sendable {
    /// Seconds from an entry's first notice in which others of its key are folded into it, on either side: outboxes may bring them in any order.
    static let foldedFor = 86_400
    /// Entries of one kind and type of subject that are mailed in a day to one organization. A provider's outage may break a thousand integrations at once; the
    /// feed has all of them.
    static let mailedADay: Int64 = 20

    let database: Postgres
    let mails: MailQueue
    let texts: MailTexts

    /// Notices of the other services; those that were taken before stay as they are.
    /// - Returns: how many were new.
    func take(_ notices: [Notice]) async throws -> Int {
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            try self.raise(notices, transaction)
        }
    }

    /// In the transaction of the facts. Holds the organizations' rows until it ends: notices of one organization come one after the other, and
    /// nobody joins or leaves meanwhile.
    /// - Returns: how many were new; those of an organization that is gone are not.
    @discardableResult
    func raise(_ notices: [Notice], _ transaction: Transaction) throws -> Int {
        let organizations = try self.locked(Set(notices.map(\.organizationID)).sorted(), transaction)
        var raised = 0
        for notice in notices {
            guard let organization = organizations[notice.organizationID], try self.isNew(notice, transaction) else { continue }
            raised += 1
            if try !self.fold(notice, transaction) { try self.open(notice, in: organization, transaction) }
        }
        return raised
    }

    /// Their names by id, in one order, so that two batches never wait for each other.
    private func locked(_ ids: [OrganizationID], _ transaction: Transaction) throws -> [OrganizationID: String] {
        let rows: [NamedOrganization] = try transaction.rows(
            "SELECT id, name FROM organizations WHERE id = ANY(\(ids)::bigint[]) ORDER BY id FOR NO KEY UPDATE"
        )
        return Dictionary(rows.map { ($0.id, $0.name) }, uniquingKeysWith: { $1 })
    }

    private func isNew(_ notice: Notice, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            INSERT INTO notice_receipts (organization_id, id) VALUES (\(notice.organizationID), \(notice.id)) ON CONFLICT DO NOTHING
            """
        ) == 1
    }

    /// - Returns: false where there is nothing to fold it into.
    private func fold(_ notice: Notice, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            UPDATE notices SET
                occurrences = occurrences + 1, first_at = LEAST(first_at, \(notice.timestamp)), last_at = GREATEST(last_at, \(notice.timestamp)),
                title = CASE WHEN \(notice.timestamp) >= last_at THEN \(notice.title) ELSE title END,
                detail = CASE WHEN \(notice.timestamp) >= last_at THEN \(notice.detail) ELSE detail END,
                subject_name = CASE WHEN \(notice.timestamp) >= last_at THEN \(notice.subject.name) ELSE subject_name END
            WHERE organization_id = \(notice.organizationID) AND kind = \(notice.kind.rawValue) AND id = (
                SELECT id FROM notices WHERE organization_id = \(notice.organizationID) AND key = \(notice.key)
                ORDER BY id DESC LIMIT 1
            )
                AND first_at > \(notice.timestamp)::timestamptz - make_interval(secs => \(Self.foldedFor))
                AND first_at < \(notice.timestamp)::timestamptz + make_interval(secs => \(Self.foldedFor))
            """
        ) == 1
    }

    private func open(_ notice: Notice, in organization: String, _ transaction: Transaction) throws {
        let mailed = try self.mailedToday(notice, transaction)
        let isMailed = mailed < Self.mailedADay
        try transaction.write(
            """
            INSERT INTO notices (
                organization_id, id, kind, service, subject_type, subject_id, subject_name, title, detail, key, first_at, last_at, is_mailed
            )
            VALUES (
                \(notice.organizationID), \(notice.id), \(notice.kind.rawValue), \(notice.service.rawValue), \(notice.subject.type),
                \(notice.subject.id), \(notice.subject.name), \(notice.title), \(notice.detail), \(notice.key), \(notice.timestamp),
                \(notice.timestamp), \(isMailed)
            )
            """
        )
        guard isMailed else { return }
        let isLast = mailed == Self.mailedADay - 1
        for recipient in try self.recipients(of: notice, transaction) {
            var mail = self.texts.notice(notice, in: organization, to: recipient.email, isLastToday: isLast)
            mail.membership = .init(organization: notice.organizationID, user: recipient.user)
            try self.mails.add(mail, transaction)
        }
    }

    private func mailedToday(_ notice: Notice, _ transaction: Transaction) throws -> Int64 {
        try transaction.first(
            """
            SELECT count(*) FROM notices
            WHERE organization_id = \(notice.organizationID) AND kind = \(notice.kind.rawValue)
                AND subject_type = \(notice.subject.type) AND is_mailed AND first_at > \(notice.timestamp)::timestamptz - INTERVAL '1 day'
            """,
            as: Int64.self
        ) ?? 0
    }

    /// Members of the kind's audience who did not decline, at addresses that were proved to be theirs: a mistyped address must not make a
    /// stranger a reader.
    private func recipients(of notice: Notice, _ transaction: Transaction) throws -> [NoticeRecipient] {
        try transaction.rows(
            """
            SELECT u.id, u.email FROM memberships m JOIN users u ON u.id = m.user_id
            LEFT JOIN notice_settings s
                ON s.organization_id = m.organization_id AND s.user_id = m.user_id AND s.kind = \(notice.kind.rawValue)
            WHERE m.organization_id = \(notice.organizationID) AND m.role = ANY(\(notice.kind.audience.map(\.rawValue))::text[])
                AND u.email_verified_at IS NOT NULL AND s.mail IS DISTINCT FROM false
            ORDER BY u.id
            """
        )
    }
}

private struct NamedOrganization: RowDecodable {
    var id: OrganizationID
    var name: String

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
    }
}

private struct NoticeRecipient: RowDecodable {
    var user: UserID
    var email: String

    init(row: Row) throws {
        self.user = try row.get("id")
        self.email = try row.get("email")
    }
}
