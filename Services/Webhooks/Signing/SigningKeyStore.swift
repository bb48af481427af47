import Database
import Encryption
import Models

struct SigningKeyStore: Sendable {
    let database: Postgres
    let vault: SigningKeyVault
    var cache = SigningKeyCache()

    /// The keys that sign the organization's deliveries now, the current one first; it is made where there is none.
    /// - Throws: ``DatabaseError``, and ``EncryptionError`` where the current key does not open with the keys that this process has.
    func signingKeys(of organization: OrganizationID) async throws -> [SigningKey] {
        if let keys = self.cache.fresh(of: organization) { return keys }
        var readAt = ContinuousClock.now
        var stored = try await self.signing(in: organization)
        if !stored.contains(where: \.isCurrent) {
            try await self.makeFirst(in: organization)
            readAt = ContinuousClock.now
            stored = try await self.signing(in: organization)
        }
        let keys = try stored.compactMap { try self.open($0, in: organization) }
        self.cache.keep(keys, of: organization, readAt: readAt)
        return keys
    }

    private func open(_ stored: StoredSigningKey, in organization: OrganizationID) throws -> SigningKey? {
        if let key = self.cache.opened(stored.id, of: organization) { return key }
        do {
            return try self.vault.open(stored.privateKey, of: stored.id, in: organization)
        } catch is EncryptionError where !stored.isCurrent {
            // An old key that does not open must not keep the new one from signing: a rotation is the way out of that.
            return nil
        }
    }

    private func signing(in organization: OrganizationID) async throws -> [StoredSigningKey] {
        try await self.database.read(
            """
            SELECT id, private_key, retired_at IS NULL AS is_current
            FROM signing_keys
            WHERE organization_id = \(organization) AND private_key IS NOT NULL AND (retired_at IS NULL OR signs_until > now())
            ORDER BY retired_at IS NULL DESC, id DESC
            """
        )
    }

    /// Newest first, one more than the page asks for. Where there is no key yet the first is made: receivers can fetch it before the first delivery.
    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [PublishedKey] {
        let found = try await self.published(page, in: organization)
        guard found.isEmpty, page.before == nil else { return found }
        try await self.makeFirst(in: organization)
        return try await self.published(page, in: organization)
    }

    /// As ``list(_:in:)`` for strangers, who make nothing.
    func published(_ page: PageRequest, in organization: OrganizationID) async throws -> [PublishedKey] {
        try await self.database.read(
            """
            SELECT \(raw: PublishedKey.columns)
            FROM signing_keys
            WHERE organization_id = \(organization) AND id < \(page.before ?? Int64.max)
                AND (retired_at IS NULL OR published_until > now())
            ORDER BY id DESC
            LIMIT \(page.limit + 1)
            """
        )
    }

    private func makeFirst(in organization: OrganizationID) async throws {
        try await self.database.transaction { transaction in
            try Self.lock(organization, transaction)
            let current = try transaction.first(
                "SELECT id FROM signing_keys WHERE organization_id = \(organization) AND retired_at IS NULL",
                as: SigningKeyID.self
            )
            if current == nil { _ = try self.insert(in: organization, transaction) }
        }
    }

    /// A new key takes the current one's place, which goes on signing for its grace.
    /// - Returns: the new key, and the id of the one that it replaced.
    /// - Throws: 409 where too many older ones would still sign.
    func rotate(
        _ rotation: SigningKeyRotation,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> (key: PublishedKey, replaced: SigningKeyID?) {
        try Self.lock(organization, transaction)
        let (grace, published) = (rotation.graceSeconds, rotation.publishedSeconds)
        // Older keys end then too, at the latest.
        let older = try transaction.rows(
            """
            UPDATE signing_keys
            SET signs_until = LEAST(signs_until, now() + make_interval(secs => \(grace))),
                published_until = LEAST(published_until, now() + make_interval(secs => \(published)))
            WHERE organization_id = \(organization) AND retired_at IS NOT NULL
            RETURNING signs_until > now() AS signs
            """,
            as: Bool.self
        )
        let previous = older.count { $0 }
        guard previous < SigningKeyRotation.mostPrevious else {
            throw Problem(
                .conflict,
                "\(previous) older keys still sign: wait until one has ended, or rotate with grace_seconds 0, which takes them all back."
            )
        }
        let replaced = try transaction.first(
            """
            UPDATE signing_keys
            SET retired_at = now(), signs_until = now() + make_interval(secs => \(grace)),
                published_until = now() + make_interval(secs => \(published))
            WHERE organization_id = \(organization) AND retired_at IS NULL
            RETURNING id
            """,
            as: SigningKeyID.self
        )
        return (try self.insert(in: organization, transaction), replaced)
    }

    /// One maker and one rotation at a time, in all processes.
    private static func lock(_ organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write("SELECT pg_advisory_xact_lock(hashtextextended(\("signing_keys|\(organization)"), 0))")
    }

    private func insert(in organization: OrganizationID, _ transaction: Transaction) throws -> PublishedKey {
        // The id comes first: the sealed column is bound to it.
        guard let number = try transaction.first("SELECT nextval(pg_get_serial_sequence('signing_keys', 'id')) AS id", as: Int64.self)
        else { throw DatabaseAnswerMissing(statement: "signing key id") }
        let id = SigningKeyID(number)
        let key = try Ed25519.PrivateKey()
        let stored = try transaction.first(
            """
            INSERT INTO signing_keys (organization_id, id, public_key, private_key)
            VALUES (\(organization), \(id), \(try key.publicKey), \(try self.vault.seal(key, as: id, in: organization)))
            RETURNING \(raw: PublishedKey.columns)
            """,
            as: PublishedKey.self
        )
        guard let stored else { throw DatabaseAnswerMissing(statement: "signing key insert") }
        return stored
    }
}

private struct StoredSigningKey: RowDecodable {
    var id: SigningKeyID
    var privateKey: [UInt8]
    var isCurrent: Bool

    init(row: Row) throws {
        self.id = try row.get("id")
        self.privateKey = try row.get("private_key")
        self.isCurrent = try row.get("is_current")
    }
}
