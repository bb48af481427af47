package import Database
package import Encryption
import HTTPTypes
package import Hummingbird
import Models
import NIOCore

/// `Idempotency-Key` kept in the transaction of the effect (draft-ietf-httpapi-idempotency-key-header).
package struct Idempotency: Sendable {
    private let database: Postgres
    private let cipher: Cipher

    package init(database: Postgres, keyRing: KeyRing) throws {
        self.database = database
        self.cipher = try Cipher(keyRing, purpose: "idempotency")
    }

    /// Runs `effect` in one transaction, once per key: a repeat answers what was stored for 24 hours; another body 422; still running 409.
    /// Without the header the effect just runs. An effect that throws rolls everything back, and nothing is stored.
    package func perform(
        _ request: Request,
        _ context: CallerContext,
        body: [UInt8],
        effect: @escaping @Sendable (Transaction) throws -> StoredAnswer
    ) async throws -> Response {
        guard let header = request.headers[.idempotencyKey] else {
            return try await self.database.transaction { try effect($0) }.response(isReplay: false)
        }
        guard body.count <= RequestLimits.body else {
            throw Problem(.payloadTooLarge, "A body under an Idempotency-Key may have at most \(RequestLimits.body) bytes.")
        }
        let slot = Slot(
            organization: context.organizationID,
            caller: context.principal.actor,
            route: context.route.name,
            key: try IdempotencyKey(header: header).text,
            fingerprint: try SHA256.digest(Array("\(request.method.rawValue) \(request.head.path ?? "")\n".utf8) + body)
        )
        let (answer, isReplay) = try await self.database.transaction { transaction in
            try self.perform(slot, in: transaction, effect)
        }
        return answer.response(isReplay: isReplay)
    }

    /// What one key of one caller stands for.
    private struct Slot: Sendable {
        var organization: OrganizationID
        var caller: String
        var route: String
        var key: String
        var fingerprint: [UInt8]

        /// What the sealed answer is bound to, and what the lock is taken on.
        var name: String { "\(self.caller)|\(self.route)|\(self.key)" }
    }

    private func perform(
        _ slot: Slot,
        in transaction: Transaction,
        _ effect: (Transaction) throws -> StoredAnswer
    ) throws -> (StoredAnswer, isReplay: Bool) {
        let lock = "\(slot.organization)|\(slot.name)"
        guard try transaction.first("SELECT pg_try_advisory_xact_lock(hashtextextended(\(lock), 0))", as: Bool.self) ?? false else {
            throw Problem(.idempotencyRunning, "The first request with this Idempotency-Key is still running.", retryAfter: 1)
        }
        if let stored = try self.find(slot, in: transaction) {
            guard stored.fingerprint == slot.fingerprint else {
                throw Problem(.idempotencyMismatch, "This Idempotency-Key was used for another request.")
            }
            let body = try self.cipher.open(stored.answer, for: self.context(slot))
            return (StoredAnswer(status: stored.status, body: body), isReplay: true)
        }
        let answer = try effect(transaction)
        // A server's own failure is no answer to keep: the next try may do better.
        if answer.status < 500 { try self.store(answer, slot, in: transaction) }
        return (answer, isReplay: false)
    }

    private func find(_ slot: Slot, in transaction: Transaction) throws -> StoredRow? {
        try transaction.first(
            """
            SELECT fingerprint, status, answer
            FROM idempotency_keys
            WHERE organization_id = \(slot.organization) AND caller = \(slot.caller) AND route = \(slot.route) AND key = \(slot.key)
                AND expires_at > now()
            """
        )
    }

    private func store(_ answer: StoredAnswer, _ slot: Slot, in transaction: Transaction) throws {
        let sealed = try self.cipher.seal(answer.body, for: self.context(slot))
        // Only an expired row can be there.
        try transaction.write(
            """
            INSERT INTO idempotency_keys (organization_id, caller, route, key, fingerprint, status, answer, expires_at)
            VALUES (\(slot.organization), \(slot.caller), \(slot.route), \(slot.key), \(slot.fingerprint), \(answer.status), \(sealed),
                now() + interval '24 hours')
            ON CONFLICT (organization_id, caller, route, key) DO UPDATE
            SET fingerprint = excluded.fingerprint, status = excluded.status, answer = excluded.answer,
                created_at = now(), expires_at = excluded.expires_at
            """
        )
    }

    private func context(_ slot: Slot) -> CipherContext {
        CipherContext(organization: slot.organization, row: slot.name, field: "idempotency_keys.answer")
    }
}

package struct StoredAnswer: Sendable {
    package var status: Int
    package var body: [UInt8]

    package init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    package static func json(_ value: some Encodable, status: Int) throws -> StoredAnswer {
        StoredAnswer(status: status, body: try JSONCoding.encode(value))
    }

    fileprivate func response(isReplay: Bool) -> Response {
        let status = HTTPResponse.Status(code: self.status)
        var response = self.body.isEmpty ? Response(status: status) : Response.json(bytes: self.body, status: status)
        if isReplay { response.headers[.idempotencyReplayed] = "true" }
        return response
    }
}

private struct StoredRow: RowDecodable {
    var fingerprint: [UInt8]
    var status: Int
    var answer: [UInt8]

    init(row: Row) throws {
        self.fingerprint = try row.get("fingerprint")
        self.status = try row.get("status")
        self.answer = try row.get("answer")
    }
}
