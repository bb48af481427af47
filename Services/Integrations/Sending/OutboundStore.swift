import Database
import Models

/// The rows behind every send key. Leases are measured by Postgres's clock, claims are fenced.
struct OutboundStore: Sendable {
    let database: Postgres
    let lease: Duration

    /// What is written with a claim.
    struct Claim: Sendable {
        let organizationID: OrganizationID
        let integrationID: IntegrationID
        let provider: String
        let owner: String
    }

    private struct Taken: RowDecodable {
        let sendKey: String
        let fence: Int64

        init(row: Row) throws {
            self.sendKey = try row.get("send_key")
            self.fence = try row.get("fence")
        }
    }

    /// Takes new keys, those that were not sent, and queued ones whose holder's lease is over. A begun one whose lease is over becomes
    /// in_doubt here: whoever sees it first settles it so.
    func claim(_ keys: [String], for claim: Claim) async throws -> ClaimedKeys {
        let keys = keys.sorted()
        return try await self.database.transaction(retry: .onConflict(attempts: 5)) { transaction in
            let taken = try transaction.rows(self.take(keys, for: claim), as: Taken.self)
            var result = ClaimedKeys(
                held: taken.map { HeldKey(organizationID: claim.organizationID, sendKey: $0.sendKey, fence: $0.fence) }
            )
            guard taken.count < keys.count else { return result }
            let missing = Set(keys).subtracting(taken.map(\.sendKey)).sorted()
            try transaction.write(Self.doubt(missing, in: claim.organizationID))
            result.known = try transaction.rows(
                """
                SELECT send_key, state, provider_message_id, reason, detail,
                    GREATEST(0, extract(epoch FROM lease_until - now()))::double precision AS lease_left
                FROM outbound_messages
                WHERE organization_id = \(claim.organizationID) AND send_key = ANY(\(missing)::text[])
                """,
                as: KnownMessage.self
            )
            return result
        }
    }

    private func take(_ keys: [String], for claim: Claim) -> Query {
        """
        WITH input AS (
            SELECT given.send_key FROM unnest(\(keys)::text[]) AS given (send_key)
        ),
        inserted AS (
            INSERT INTO outbound_messages (organization_id, send_key, integration_id, provider, state, owner, fence, lease_until)
            SELECT \(claim.organizationID)::bigint, input.send_key, \(claim.integrationID)::bigint, \(claim.provider)::text, 'queued',
                \(claim.owner)::text, 1, now() + make_interval(secs => \(self.lease.seconds)::double precision)
            FROM input
            ORDER BY input.send_key
            ON CONFLICT (organization_id, send_key) DO NOTHING
            RETURNING send_key, fence
        ),
        free AS (
            SELECT organization_id, send_key FROM outbound_messages
            WHERE organization_id = \(claim.organizationID)::bigint AND send_key = ANY(\(keys)::text[])
                AND (state = 'not_sent' OR state = 'queued' AND lease_until <= now())
            ORDER BY send_key
            FOR UPDATE
        ),
        taken AS (
            UPDATE outbound_messages AS message
            SET state = 'queued', integration_id = \(claim.integrationID)::bigint, provider = \(claim.provider)::text,
                owner = \(claim.owner)::text, fence = message.fence + 1, settled_at = NULL, provider_message_id = NULL, reason = NULL,
                detail = NULL, lease_until = now() + make_interval(secs => \(self.lease.seconds)::double precision)
            FROM free
            WHERE message.organization_id = free.organization_id AND message.send_key = free.send_key
            RETURNING message.send_key, message.fence
        )
        SELECT send_key, fence FROM inserted UNION ALL SELECT send_key, fence FROM taken
        """
    }

    private static func doubt(_ keys: [String], in organization: OrganizationID) -> Query {
        """
        UPDATE outbound_messages SET state = 'in_doubt', settled_at = now(), reason = 'lease_ended', owner = NULL
        WHERE organization_id = \(organization) AND send_key = ANY(\(keys)::text[]) AND state = 'begun' AND lease_until <= now()
        """
    }

    /// What lies begun with a lease that is over, in all organizations; the number of rows.
    func doubtExpired(limit: Int) async throws -> Int {
        try await self.database.write(
            """
            WITH expired AS (
                SELECT organization_id, send_key FROM outbound_messages
                WHERE state = 'begun' AND lease_until <= now()
                ORDER BY lease_until
                LIMIT \(limit)::bigint
                FOR UPDATE SKIP LOCKED
            )
            UPDATE outbound_messages AS message
            SET state = 'in_doubt', settled_at = now(), reason = 'lease_ended', owner = NULL
            FROM expired
            WHERE message.organization_id = expired.organization_id AND message.send_key = expired.send_key
            """
        )
    }

    /// Committed right before the calls leave the house. The lease begins anew.
    /// - Returns: for each, whether it is still ours: only then the call may be made.
    func begin(_ keys: [HeldKey]) async throws -> [Bool] {
        let begun = try await self.retrying {
            try await self.database.write(
                """
                UPDATE outbound_messages AS message
                SET state = 'begun', begun_at = now(), attempts = message.attempts + 1,
                    lease_until = now() + make_interval(secs => \(self.lease.seconds)::double precision)
                FROM unnest(\(keys.map(\.organizationID))::bigint[], \(keys.map(\.sendKey))::text[], \(keys.map(\.fence))::bigint[])
                    AS held (organization_id, send_key, fence)
                WHERE message.organization_id = held.organization_id AND message.send_key = held.send_key
                    AND message.fence = held.fence AND message.state = 'queued'
                RETURNING message.organization_id, message.send_key, message.fence
                """,
                as: Begun.self
            )
        }
        let ours = Set(begun.map(\.key))
        return keys.map(ours.contains)
    }

    private struct Begun: RowDecodable {
        let key: HeldKey

        init(row: Row) throws {
            self.key = HeldKey(
                organizationID: try row.get("organization_id"),
                sendKey: try row.get("send_key"),
                fence: try row.get("fence")
            )
        }
    }

    struct Settlement: Sendable {
        let key: HeldKey
        let result: SendResult
    }

    /// A late one corrects in_doubt to what really happened: the fence is still its own, for a begun row is never claimed again.
    func settle(_ settlements: [Settlement]) async throws {
        let results = settlements.map(\.result)
        _ = try await self.retrying {
            try await self.database.write(
                """
                UPDATE outbound_messages AS message
                SET state = settled.state, settled_at = now(), owner = NULL, provider_message_id = settled.provider_message_id,
                    reason = settled.reason, detail = settled.detail
                FROM unnest(
                    \(settlements.map(\.key.organizationID))::bigint[], \(settlements.map(\.key.sendKey))::text[],
                    \(settlements.map(\.key.fence))::bigint[], \(results.map(\.outcome.rawValue))::text[],
                    \(results.map(\.providerMessageID))::text[], \(results.map(\.reason))::text[], \(results.map(\.detail))::text[]
                ) AS settled (organization_id, send_key, fence, state, provider_message_id, reason, detail)
                WHERE message.organization_id = settled.organization_id AND message.send_key = settled.send_key
                    AND message.fence = settled.fence AND message.state IN ('queued', 'begun', 'in_doubt')
                """
            )
        }
    }

    /// Hands back what never began: whoever asks next may claim it at once.
    func release(_ keys: [HeldKey]) async throws {
        guard !keys.isEmpty else { return }
        try await self.database.write(
            """
            UPDATE outbound_messages AS message SET lease_until = now(), owner = NULL
            FROM unnest(\(keys.map(\.organizationID))::bigint[], \(keys.map(\.sendKey))::text[], \(keys.map(\.fence))::bigint[])
                AS held (organization_id, send_key, fence)
            WHERE message.organization_id = held.organization_id AND message.send_key = held.send_key
                AND message.fence = held.fence AND message.state = 'queued'
            """
        )
    }

    /// Two group statements may meet a claim in another order of rows: a deadlock's victim tries again.
    private func retrying<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        for _ in 0..<4 {
            do { return try await body() } catch let error as DatabaseError where error.isRetryable { continue }
        }
        return try await body()
    }
}
