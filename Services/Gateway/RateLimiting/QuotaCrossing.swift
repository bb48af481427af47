import Database
import Foundation
import Models

/// A threshold of an hourly limit that was crossed in a window.
struct QuotaCrossing: Sendable {
    var organization: OrganizationID
    /// nil: all keys of the organization.
    var key: APIKeyID?
    var subject: String
    var policy: String
    /// Percent.
    var threshold: Int
    var quota: Int64
    var used: Int64
    var windowStart: Date

    static let windowSeconds: TimeInterval = 3600

    private var isReached: Bool { self.threshold == 100 }

    /// - name: the key's.
    func notice(_ id: String, keyName name: String?, organizationName: String, at now: Date) -> Notice {
        let subject =
            self.key.map { NoticeSubject("api_key", $0, name ?? "") }
            ?? NoticeSubject("organization", self.organization, organizationName)
        let who = self.key == nil ? "The API keys of the organization together" : "The API key “\(subject.name)”"
        let verb = self.key == nil ? "have" : "has"
        return Notice(
            id: id,
            organizationID: self.organization,
            kind: self.isReached ? .quotaReached : .quotaWarning,
            subject: subject,
            title: "\(who) \(verb) used \(self.isReached ? "all" : "\(self.threshold) %") of the hourly limit",
            detail: "\(self.used) of \(self.quota) units in the hour from \(Timestamp.format(self.windowStart)) on.",
            key: "quota:\(self.subject):\(self.threshold)",
            timestamp: now
        )
    }

    func eventData(keyName name: String?) -> JSONValue {
        [
            "api_key_id": self.key.map { .integer($0.rawValue) } ?? .null, "name": self.key == nil ? .null : .string(name ?? ""),
            "policy": .string(self.policy), "threshold": .integer(Int64(self.threshold)), "used": .integer(self.used),
            "limit": .integer(self.quota), "window_started_at": .string(Timestamp.format(self.windowStart)),
            "window_ends_at": .string(Timestamp.format(self.windowStart + Self.windowSeconds)),
        ]
    }
}

extension QuotaCrossing: RowDecodable {
    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.subject = try row.get("subject")
        self.key = self.subject.hasPrefix("key:") ? APIKeyID(String(self.subject.dropFirst(4))) : nil
        self.policy = try row.get("policy")
        self.threshold = try row.get("threshold")
        self.quota = try row.get("quota")
        self.used = try row.get("used")
        self.windowStart = try row.get("window_start")
    }
}

struct QuotaCrossingStore: Sendable {
    let database: Postgres

    /// Oldest first.
    func due(_ limit: Int) async throws -> [QuotaCrossing] {
        try await self.database.read(
            """
            SELECT organization_id, subject, policy, threshold, quota, used, window_start FROM quota_crossings
            WHERE told_at IS NULL ORDER BY crossed_at LIMIT \(limit)
            """
        )
    }

    /// - Returns: false where another replica told of it.
    func settle(_ crossing: QuotaCrossing, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            UPDATE quota_crossings SET told_at = now()
            WHERE organization_id = \(crossing.organization) AND subject = \(crossing.subject) AND policy = \(crossing.policy)
                AND window_start = \(crossing.windowStart) AND threshold = \(Int64(crossing.threshold)) AND told_at IS NULL
            """
        ) == 1
    }

    /// nil where the organization is gone.
    func names(for crossing: QuotaCrossing, _ transaction: Transaction) throws -> QuotaNames? {
        try transaction.first(
            """
            SELECT o.name, k.name AS key_name FROM organizations o
            LEFT JOIN api_keys k ON k.organization_id = o.id AND k.id = \(crossing.key)
            WHERE o.id = \(crossing.organization)
            """
        )
    }
}

/// Whom a crossing concerns, for people.
struct QuotaNames: RowDecodable {
    var organization: String
    var key: String?

    init(row: Row) throws {
        self.organization = try row.get("name")
        self.key = try row.get("key_name")
    }
}
