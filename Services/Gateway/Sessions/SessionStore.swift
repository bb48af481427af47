import Database
import Hummingbird
import Models
import ServiceKit

/// What a shown refresh token was worth.
enum RefreshOutcome: Sendable {
    case signedIn(SignedIn)
    /// It had been exchanged before: someone else holds a copy, and the family has ended.
    case reused
    case refused
}

struct SessionStore: Sendable {
    let database: Postgres
    let accounts: AccountStore
    let audit: AuditStore
    let accessSeconds: Int
    let refreshSeconds: Int

    func open(_ tokens: SessionTokens, for account: Account, _ visitor: Visitor, _ transaction: Transaction) throws -> SignedIn {
        let organization = account.organization.id
        let id = try transaction.first(
            """
            INSERT INTO sessions (organization_id, user_id, address, agent, expires_at)
            VALUES (
                \(organization), \(account.user.id), \(visitor.address), \(visitor.agent), now() + make_interval(secs => \(self.refreshSeconds))
            )
            RETURNING id
            """,
            as: Int64.self
        )
        guard let session = id.map({ SessionID($0) }) else { throw Problem(.internal, "The session was not stored.") }
        try self.store(tokens, of: session, in: organization, transaction)
        let opened = AuditChange(action: "session.opened", target: "session:\(session)")
        try self.audit.record(opened, by: visitor.origin(account.user.id), in: organization, transaction)
        return SignedIn(tokens: tokens, expiresIn: self.accessSeconds, account: account)
    }

    /// Exchanges a refresh token for new tokens, once. The UPDATE decides between two that show it at the same time.
    func refresh(_ digest: TokenDigest, _ visitor: Visitor) async throws -> RefreshOutcome {
        let tokens = try SessionTokens()
        return try await self.database.transaction { transaction in
            let used = try transaction.first(
                """
                UPDATE refresh_tokens SET used_at = now()
                WHERE token_hash = \(digest.bytes) AND used_at IS NULL AND expires_at > now()
                RETURNING organization_id, session_id
                """,
                as: SessionKey.self
            )
            guard let used else { return try self.endFamily(of: digest, visitor, transaction) }
            guard let user = try self.prolong(used, transaction),
                let account = try self.accounts.find(user, in: used.organization, transaction)
            else { return .refused }
            try self.store(tokens, of: used.session, in: used.organization, transaction)
            return .signedIn(SignedIn(tokens: tokens, expiresIn: self.accessSeconds, account: account))
        }
    }

    /// Ends the session that an access token belongs to.
    func end(by digest: TokenDigest, in organization: OrganizationID, _ origin: AuditOrigin) async throws {
        try await self.database.transaction { transaction in
            let ended = try transaction.first(
                """
                UPDATE sessions AS s SET revoked_at = now()
                FROM access_tokens t
                WHERE t.token_hash = \(digest.bytes) AND t.organization_id = \(organization)
                    AND s.organization_id = t.organization_id AND s.id = t.session_id AND s.revoked_at IS NULL
                RETURNING s.organization_id, s.id AS session_id
                """,
                as: SessionKey.self
            )
            guard let ended else { return }
            try Revocation.announce(.session(organization, ended.session), in: transaction)
            let change = AuditChange(action: "session.closed", target: "session:\(ended.session)")
            try self.audit.record(change, by: origin, in: organization, transaction)
        }
    }

    /// The session of the token that the request shows.
    func current(_ request: Request, _ context: CallerContext) async throws -> SessionKey {
        guard case .token(let token) = try Credential.read(request.headers) else { throw Credential.refused }
        let digest = try TokenDigest(token)
        let key: SessionKey? = try await self.database.readFirst(
            """
            SELECT organization_id, session_id FROM access_tokens
            WHERE token_hash = \(digest.bytes) AND organization_id = \(context.organizationID)
            """
        )
        guard let key else { throw Credential.refused }
        return key
    }

    /// A user's living sessions in all organizations.
    func list(of user: UserID, _ page: PageRequest) async throws -> [StoredSession] {
        try await self.database.read(
            """
            SELECT \(raw: StoredSession.columns) FROM sessions
            WHERE user_id = \(user) AND revoked_at IS NULL AND expires_at > now() AND id < \(page.before ?? .max)
            ORDER BY id DESC
            LIMIT \(page.limit + 1)
            """
        )
    }

    /// Ends one session of the user, in whichever organization.
    /// - Returns: false where they have no such living session.
    func end(_ session: SessionID, of user: UserID, _ origin: AuditOrigin, _ transaction: Transaction) throws -> Bool {
        let ended = try transaction.first(
            """
            UPDATE sessions SET revoked_at = now()
            WHERE user_id = \(user) AND id = \(session) AND revoked_at IS NULL AND expires_at > now()
            RETURNING organization_id, id AS session_id
            """,
            as: SessionKey.self
        )
        guard let ended else { return false }
        try Revocation.announce(.session(ended.organization, ended.session), in: transaction)
        let change = AuditChange(action: "session.closed", target: "session:\(ended.session)")
        try self.audit.record(change, by: origin, in: ended.organization, transaction)
        return true
    }

    /// Ends the user's sessions in all organizations, `own` excepted.
    func endAll(of user: UserID, but own: SessionKey?, _ transaction: Transaction) throws {
        let organizations = try transaction.rows(
            """
            WITH ended AS (
                UPDATE sessions SET revoked_at = now()
                WHERE user_id = \(user) AND revoked_at IS NULL AND id IS DISTINCT FROM \(own?.session)
                RETURNING organization_id
            )
            SELECT DISTINCT organization_id FROM ended
            """,
            as: OrganizationID.self
        )
        for organization in organizations { try Revocation.announce(.member(organization, user), in: transaction) }
    }

    /// Writes when sessions were last used; times are told as ages, because only Postgres's clock says what time it was.
    func recordUses(_ uses: [SessionKey: Double]) async throws {
        let uses = uses.map { ($0.key, $0.value) }
        try await self.database.write(
            """
            UPDATE sessions SET last_used_at = GREATEST(last_used_at, now() - make_interval(secs => used.seconds_ago))
            FROM unnest(
                \(uses.map(\.0.organization))::bigint[], \(uses.map(\.0.session))::bigint[], \(uses.map(\.1))::float8[]
            ) AS used (organization_id, id, seconds_ago)
            WHERE sessions.organization_id = used.organization_id AND sessions.id = used.id
            """
        )
    }

    private func store(_ tokens: SessionTokens, of session: SessionID, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.pipeline([
            """
            INSERT INTO access_tokens (organization_id, session_id, token_hash, expires_at)
            VALUES (\(organization), \(session), \(tokens.accessDigest.bytes), now() + make_interval(secs => \(self.accessSeconds)))
            """,
            """
            INSERT INTO refresh_tokens (organization_id, session_id, token_hash, expires_at)
            VALUES (\(organization), \(session), \(tokens.refreshDigest.bytes), now() + make_interval(secs => \(self.refreshSeconds)))
            """,
        ])
    }

    private func prolong(_ key: SessionKey, _ transaction: Transaction) throws -> UserID? {
        try transaction.first(
            """
            UPDATE sessions SET refreshed_at = now(), expires_at = now() + make_interval(secs => \(self.refreshSeconds))
            WHERE organization_id = \(key.organization) AND id = \(key.session) AND revoked_at IS NULL
            RETURNING user_id
            """,
            as: Int64.self
        ).map { UserID($0) }
    }

    /// A token that was used before ends its family, once; one that is unknown or too old is just refused. Answers instead of throwing, because
    /// the revocation must be committed.
    private func endFamily(of digest: TokenDigest, _ visitor: Visitor, _ transaction: Transaction) throws -> RefreshOutcome {
        let reused = try transaction.first(
            """
            UPDATE sessions AS s SET revoked_at = now()
            FROM refresh_tokens t
            WHERE t.token_hash = \(digest.bytes) AND t.used_at IS NOT NULL AND s.revoked_at IS NULL
                AND s.organization_id = t.organization_id AND s.id = t.session_id
            RETURNING s.organization_id, s.id AS session_id
            """,
            as: SessionKey.self
        )
        guard let reused else { return .refused }
        try Revocation.announce(.session(reused.organization, reused.session), in: transaction)
        let change = AuditChange(action: "session.refresh_reused", target: "session:\(reused.session)")
        let origin = AuditOrigin(actor: "system", address: visitor.address, requestID: visitor.requestID)
        try self.audit.record(change, by: origin, in: reused.organization, transaction)
        return .reused
    }
}

/// Names a session across organizations, as its tokens do.
struct SessionKey: Hashable, Sendable {
    var organization: OrganizationID
    var session: SessionID
}

extension SessionKey: RowDecodable {
    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.session = try row.get("session_id")
    }
}
