import Database
import Encryption
import Models
import ServiceKit

/// The one way to mail a person: a row in the transaction of the fact that the mail tells of. Neither happens without the other.
///
/// A mail is sent at least once: where the process ends between the server's acceptance and the row, its next holder sends it again. For links
/// and notices a double is harmless, and its Message-ID is the first one's.
struct MailQueue: Sendable {
    /// Seconds that a claim holds; longer than one try may take.
    static let lease = 120
    /// Seconds that settled rows stay, without their text, for operators to look at.
    static let kept = 7 * 86_400

    let database: Postgres
    let way: MailWay
    let wake: WakeSignal
    private let cipher: Cipher

    init(database: Postgres, keyRing: KeyRing, way: MailWay) throws {
        self.database = database
        self.way = way
        self.wake = WakeSignal("gateway_mail", database: database)
        self.cipher = try Cipher(keyRing, purpose: "mail")
    }

    /// Without a mail server the row says that it failed, and why.
    @discardableResult
    func add(_ mail: Mail, _ transaction: Transaction) throws -> MailFate {
        let id = EventID.make("mail")
        if case .nowhere = self.way {
            try transaction.write(
                """
                INSERT INTO mails (id, kind, recipient, subject, state, reason, settled_at, expires_at, organization_id, user_id)
                VALUES (
                    \(id), \(mail.kind), \(mail.recipient), \(mail.subject), 'failed', 'not_configured', now(),
                    now() + make_interval(secs => \(mail.lifetime)), \(mail.membership?.organization), \(mail.membership?.user)
                )
                """
            )
            return self.way.fate
        }
        let body = try self.cipher.seal(Array(mail.text.utf8), for: Self.context(id))
        try transaction.write(
            """
            INSERT INTO mails (id, kind, recipient, subject, body, expires_at, organization_id, user_id)
            VALUES (
                \(id), \(mail.kind), \(mail.recipient), \(mail.subject), \(body), now() + make_interval(secs => \(mail.lifetime)),
                \(mail.membership?.organization), \(mail.membership?.user)
            )
            """
        )
        try transaction.notify(self.wake.channel)
        return self.way.fate
    }

    func text(of mail: ClaimedMail) throws -> String {
        String(decoding: try self.cipher.open(mail.sealedText, for: Self.context(mail.id)), as: UTF8.self)
    }

    /// Mail belongs to no organization.
    private static func context(_ id: String) -> CipherContext {
        CipherContext(organization: OrganizationID(0), row: id, field: "mails.body")
    }

    func claim(_ limit: Int) async throws -> [ClaimedMail] {
        try await self.database.write(
            """
            UPDATE mails SET fence = fence + 1, attempts = attempts + 1, not_before = now() + make_interval(secs => \(Self.lease))
            WHERE id IN (
                SELECT id FROM mails WHERE state = 'pending' AND not_before <= now()
                ORDER BY not_before LIMIT \(limit) FOR UPDATE SKIP LOCKED
            )
            RETURNING id, kind, recipient, subject, body, attempts, fence, EXTRACT(EPOCH FROM expires_at - now())::float8 AS remaining
            """,
            as: ClaimedMail.self
        )
    }

    /// The end of it; its text goes with it.
    /// - reason: why it failed; nil where it was sent.
    func settle(_ mail: ClaimedMail, failed reason: String?) async throws {
        try await self.database.write(
            """
            UPDATE mails SET state = \(reason == nil ? "sent" : "failed"), reason = \(reason), body = NULL, settled_at = now()
            WHERE id = \(mail.id) AND fence = \(mail.fence) AND state = 'pending'
            """
        )
    }

    func postpone(_ mail: ClaimedMail, by pause: Duration, reason: String) async throws {
        try await self.database.write(
            """
            UPDATE mails SET not_before = now() + make_interval(secs => \(pause / .seconds(1))), reason = \(reason)
            WHERE id = \(mail.id) AND fence = \(mail.fence) AND state = 'pending'
            """
        )
    }

    /// For a claim that shutdown left undone: another replica need not wait for its lease.
    func handBack(_ mail: ClaimedMail) async throws {
        try await self.database.write(
            "UPDATE mails SET not_before = now() WHERE id = \(mail.id) AND fence = \(mail.fence) AND state = 'pending'"
        )
    }
}
