import Database
import Encryption
import Models

/// Secrets of integrations at rest: AES-256-GCM envelopes bound to organization, integration and field.
struct CredentialVault: Sendable {
    /// Purpose of the master key's subkey.
    static let purpose = "credentials"

    let database: Postgres
    let cipher: Cipher

    private struct Stored: RowDecodable {
        let field: String
        let envelope: [UInt8]

        init(row: Row) throws {
            self.field = try row.get("field")
            self.envelope = try row.get("envelope")
        }
    }

    private static func context(_ field: String, of id: IntegrationID, in organization: OrganizationID) -> CipherContext {
        CipherContext(organization: organization, row: "integration:\(id)", field: field)
    }

    /// - Throws: `EncryptionError` where an envelope was sealed for another row, field or organization.
    func open(_ id: IntegrationID, in organization: OrganizationID) async throws -> [String: Secret] {
        let rows = try await self.database.read(
            """
            SELECT field, envelope FROM credentials WHERE organization_id = \(organization) AND integration_id = \(id)
            """,
            as: Stored.self
        )
        var secrets: [String: Secret] = [:]
        for row in rows {
            let plaintext = try self.cipher.open(row.envelope, for: Self.context(row.field, of: id, in: organization))
            secrets[row.field] = Secret(String(decoding: plaintext, as: UTF8.self))
        }
        return secrets
    }

    func store(_ draft: ConfigDraft, of id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws {
        var statements: [Query] = []
        if !draft.removedSecrets.isEmpty {
            statements.append(
                """
                DELETE FROM credentials
                WHERE organization_id = \(organization) AND integration_id = \(id) AND field = ANY(\(draft.removedSecrets.sorted())::text[])
                """
            )
        }
        for (field, secret) in draft.secrets.sorted(by: { $0.key < $1.key }) {
            let envelope = try self.cipher.seal(Array(secret.reveal().utf8), for: Self.context(field, of: id, in: organization))
            statements.append(
                """
                INSERT INTO credentials (organization_id, integration_id, field, envelope)
                VALUES (\(organization)::bigint, \(id)::bigint, \(field), \(envelope)::bytea)
                ON CONFLICT (organization_id, integration_id, field)
                DO UPDATE SET envelope = excluded.envelope, updated_at = now()
                """
            )
        }
        if !statements.isEmpty { try transaction.pipeline(statements) }
    }
}
