import Database
import Encryption
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct CredentialVaultTests {
    @Test func aCredentialOpensOnlyWhereItWasSealed() async throws {
        try await withIntegrations { stack in
            let body: JSONValue = [
                "provider": "smtp",
                "config": ["host": "mail.example.com", "port": 587, "security": "starttls", "username": "u", "password": "p4ss-secret"],
            ]
            let one = try await stack.connect(body)
            let two = try await stack.connect(body)
            let foreign = try await stack.connect(body, in: TestStack.other)
            let vault = stack.assembly.integrations.vault
            #expect(try await vault.open(one, in: TestStack.organization)["password"]?.reveal() == "p4ss-secret")
            for (organization, id) in [(TestStack.organization, two), (TestStack.other, foreign)] {
                try await stack.database.owner.write(
                    """
                    UPDATE credentials SET envelope = (
                        SELECT envelope FROM credentials
                        WHERE organization_id = \(TestStack.organization) AND integration_id = \(one)
                    )
                    WHERE organization_id = \(organization) AND integration_id = \(id)
                    """
                )
                await #expect(throws: EncryptionError.self) { try await vault.open(id, in: organization) }
            }
            try await stack.database.owner.write(
                "UPDATE credentials SET field = 'username' WHERE organization_id = \(TestStack.organization) AND integration_id = \(one)"
            )
            await #expect(throws: EncryptionError.self) { try await vault.open(one, in: TestStack.organization) }
        }
    }

    @Test func noSecretLiesInTheDatabaseAsText() async throws {
        try await withIntegrations { stack in
            _ = try await stack.connect(["provider": "hubspot", "config_data": #"{"access_token":"pat-findme-1234"}"#])
            let found = try await stack.database.owner.readFirst(
                """
                SELECT (SELECT count(*) FROM integrations AS row WHERE row::text LIKE '%findme%')
                    + (SELECT count(*) FROM credentials AS row WHERE position('findme'::bytea IN row.envelope) > 0)
                    + (SELECT count(*) FROM outbox AS row WHERE row::text LIKE '%findme%')
                    + (SELECT count(*) FROM idempotency_keys AS row WHERE row::text LIKE '%findme%')
                """,
                as: Int.self
            )
            #expect(found == 0)
        }
    }
}
