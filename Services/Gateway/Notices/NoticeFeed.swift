import Database
import Foundation
import Models

/// An entry of the feed, as one member sees it.
struct FeedEntry: Sendable, Encodable {
    var id: String
    var kind: String
    var service: String
    var subject: NoticeSubject
    var title: String
    var detail: String
    /// How often the trouble came up within a day.
    var count: Int
    var firstAt: Date
    var lastAt: Date
    var isRead: Bool

    private enum CodingKeys: String, CodingKey {
        case id, kind, service, subject, title, detail, count
        case firstAt = "first_at"
        case lastAt = "last_at"
        case isRead = "read"
    }
}

extension FeedEntry: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.kind = try row.get("kind")
        self.service = try row.get("service")
        let (type, id): (String, String) = (try row.get("subject_type"), try row.get("subject_id"))
        self.subject = NoticeSubject(type, id, try row.get("subject_name"))
        self.title = try row.get("title")
        self.detail = try row.get("detail")
        self.count = try row.get("occurrences")
        self.firstAt = try row.get("first_at")
        self.lastAt = try row.get("last_at")
        self.isRead = try row.get("is_read")
    }
}

/// Whose feed: a member sees the kinds of their role, and has read what was there before they joined.
struct FeedReader: Sendable {
    var organization: OrganizationID
    var user: UserID
    var role: Role

    fileprivate var kinds: [String] { NoticeKind.kinds(for: self.role).map(\.rawValue) }
}

/// The feed and what each member has read of it.
struct NoticeFeed: Sendable {
    let database: Postgres

    /// Newest first, one more than the limit. An entry keeps its place when it repeats.
    func list(_ reader: FeedReader, unreadOnly: Bool, limit: Int, before: String?) async throws -> [FeedEntry] {
        var query: Query = """
            SELECT n.id, n.kind, n.service, n.subject_type, n.subject_id, n.subject_name, n.title, n.detail, n.occurrences, n.first_at,
                n.last_at, NOT \(Self.isUnread) AS is_read

            """
        query += Self.visible(to: reader)
        if let before { query += " AND n.id < \(before)" }
        if unreadOnly { query += " AND \(Self.isUnread)" }
        query += " ORDER BY n.id DESC LIMIT \(limit + 1)"
        return try await self.database.read(query)
    }

    func unread(_ reader: FeedReader) async throws -> Int {
        let query: Query = "SELECT count(*) " + Self.visible(to: reader) + " AND \(Self.isUnread)"
        return try await self.database.readFirst(query, as: Int.self) ?? 0
    }

    /// - Returns: false where the member sees no such notice.
    func markRead(_ id: String, by reader: FeedReader) async throws -> Bool {
        try await self.database.write(Self.marking(Self.visible(to: reader) + " AND n.id = \(id)")) > 0
    }

    func markAllRead(by reader: FeedReader) async throws {
        try await self.database.write(Self.marking(Self.visible(to: reader) + " AND \(Self.isUnread)"))
    }

    // MARK: - Parts of statements

    /// With what was read before.
    private static func visible(to reader: FeedReader) -> Query {
        """
        FROM memberships m JOIN notices n ON n.organization_id = m.organization_id
        LEFT JOIN notice_reads r ON r.organization_id = m.organization_id AND r.user_id = m.user_id AND r.notice_id = n.id
        WHERE m.organization_id = \(reader.organization) AND m.user_id = \(reader.user) AND n.kind = ANY(\(reader.kinds)::text[])
        """
    }

    private static var isUnread: Query { "(n.last_at >= m.created_at AND n.occurrences > COALESCE(r.occurrences, 0))" }

    /// In the order of ids, so that two such statements of one member do not wait for each other. An older view of the count takes nothing back.
    private static func marking(_ notices: Query) -> Query {
        """
        INSERT INTO notice_reads AS read (organization_id, user_id, notice_id, occurrences)
        SELECT n.organization_id, m.user_id, n.id, n.occurrences
        \(notices)
        ORDER BY n.id
        ON CONFLICT (organization_id, user_id, notice_id) DO UPDATE
        SET occurrences = GREATEST(read.occurrences, EXCLUDED.occurrences), read_at = now()
        """
    }
}
