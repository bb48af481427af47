import Database
import Encryption
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Webhooks

@Suite struct SigningKeyStoreTests {
    private static let organization = OrganizationID(1)
    private static let other = OrganizationID(2)

    /// The store of another process: nothing is remembered longer than one call, unless told otherwise.
    private func store(_ database: Postgres, lifetime: Duration = .zero) throws -> SigningKeyStore {
        let ring = try KeyRing(current: Secret("an encryption key for tests, long enough"), previous: [], development: true)
        return SigningKeyStore(
            database: database,
            vault: SigningKeyVault(cipher: try Cipher(ring, purpose: "signing_keys")),
            cache: SigningKeyCache(lifetime: lifetime)
        )
    }

    private func withStore(_ body: @Sendable (TestDatabase, SigningKeyStore) async throws -> Void) async throws {
        try await withDatabase(.webhooks, migrations: Fixture.migrations) { database in
            try await body(database, try self.store(database.runtime))
        }
    }

    @discardableResult
    private func rotate(_ store: SigningKeyStore, grace: Int64 = SigningKeyRotation.usualGrace) async throws -> PublishedKey {
        try await store.database.transaction { transaction in
            try store.rotate(SigningKeyRotation(graceSeconds: grace), in: Self.organization, transaction).key
        }
    }

    private func states(_ store: SigningKeyStore) async throws -> [PublishedKey.State] {
        try await store.published(PageRequest(), in: Self.organization).map(\.state)
    }

    @Test func makersAtOnceMakeOneKey() async throws {
        try await self.withStore { database, store in
            let second = try self.store(database.owner)
            let ids = try await withThrowingTaskGroup(of: [SigningKeyID].self) { group in
                for number in 0..<24 {
                    group.addTask {
                        let store = number.isMultiple(of: 2) ? store : second
                        return number.isMultiple(of: 3)
                            ? try await store.list(PageRequest(), in: Self.organization).map(\.id)
                            : try await store.signingKeys(of: Self.organization).map(\.id)
                    }
                }
                return try await group.reduce(into: Set<[SigningKeyID]>()) { $0.insert($1) }
            }
            #expect(ids.count == 1 && ids.first?.count == 1)
            #expect(try await database.runtime.readFirst("SELECT count(*) FROM signing_keys", as: Int.self) == 1)
            #expect(try await store.signingKeys(of: Self.other).map(\.id) != ids.first)
        }
    }

    @Test func theDatabaseItselfKeepsOneCurrentKey() async throws {
        try await self.withStore { database, store in
            _ = try await store.signingKeys(of: Self.organization)
            let error = await #expect(throws: DatabaseError.self) {
                try await database.runtime.write(
                    "INSERT INTO signing_keys (organization_id, public_key, private_key) SELECT organization_id, public_key, private_key FROM signing_keys"
                )
            }
            #expect(error?.sqlState == "23505")
        }
    }

    @Test func aReplacedKeySignsForItsGraceAndIsPublishedForAWeekMore() async throws {
        try await self.withStore { database, store in
            let first = try #require(try await store.signingKeys(of: Self.organization).first)
            let second = try await self.rotate(store)
            #expect(try await store.signingKeys(of: Self.organization).map(\.id) == [second.id, first.id])
            #expect(try await self.states(store) == [.current, .previous])
            let waits = try await database.runtime.readFirst(
                """
                SELECT signs_until = retired_at + interval '24 hours' AND published_until = signs_until + interval '7 days'
                FROM signing_keys WHERE id = \(first.id)
                """,
                as: Bool.self
            )
            #expect(waits == true)

            try await database.owner.write("UPDATE signing_keys SET signs_until = now() WHERE id = \(first.id)")
            #expect(try await store.signingKeys(of: Self.organization).map(\.id) == [second.id])
            #expect(try await self.states(store) == [.current, .retired])

            try await database.owner.write("UPDATE signing_keys SET published_until = now() WHERE id = \(first.id)")
            #expect(try await self.states(store) == [.current])
        }
    }

    @Test func withoutGraceAllOlderKeysAreTakenBackAtOnce() async throws {
        try await self.withStore { _, store in
            _ = try await store.signingKeys(of: Self.organization)
            try await self.rotate(store)
            let last = try await self.rotate(store, grace: 0)
            #expect(try await store.signingKeys(of: Self.organization).map(\.id) == [last.id])
            #expect(try await store.published(PageRequest(), in: Self.organization).map(\.id) == [last.id])
        }
    }

    @Test func noMoreThanThreeOlderKeysSign() async throws {
        try await self.withStore { _, store in
            for _ in 0..<4 { try await self.rotate(store) }
            let problem = await #expect(throws: Problem.self) { try await self.rotate(store) }
            #expect(problem?.kind == .conflict)
            #expect(try await store.signingKeys(of: Self.organization).count == 4)
            try await self.rotate(store, grace: 0)
            #expect(try await store.signingKeys(of: Self.organization).count == 1)
        }
    }

    @Test func rotationsAtOnceComeOneAfterTheOther() async throws {
        try await self.withStore { database, store in
            let second = try self.store(database.owner)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in [store, second, store, second] { group.addTask { try await self.rotate(store) } }
                try await group.waitForAll()
            }
            #expect(try await self.states(store) == [.current, .previous, .previous, .previous])
        }
    }

    @Test func aRotationInAnotherProcessTakesEffect() async throws {
        try await self.withStore { database, store in
            let other = try self.store(database.runtime, lifetime: .milliseconds(100))
            let first = try await other.signingKeys(of: Self.organization).map(\.id)
            let next = try await self.rotate(store)
            try await eventually("the other process signs with the new key") {
                try await other.signingKeys(of: Self.organization).map(\.id) == [next.id] + first
            }
        }
    }

    @Test func aSealedKeyOpensOnlyInItsOwnRow() async throws {
        try await self.withStore { database, store in
            let mine = try #require(try await store.signingKeys(of: Self.organization).first)
            let theirs = try #require(try await store.signingKeys(of: Self.other).first)
            try await database.owner.write(
                "UPDATE signing_keys SET private_key = (SELECT private_key FROM signing_keys WHERE id = \(mine.id)) WHERE id = \(theirs.id)"
            )
            let fresh = try self.store(database.runtime)
            let error = await #expect(throws: EncryptionError.self) { try await fresh.signingKeys(of: Self.other) }
            #expect(error?.kind == .authentication)
            #expect(try await fresh.signingKeys(of: Self.organization).map(\.id) == [mine.id])

            // A rotation leads out of it: the old key is left out, the new one signs.
            let next = try await database.runtime.transaction { transaction in
                try fresh.rotate(SigningKeyRotation(), in: Self.other, transaction).key
            }
            #expect(try await fresh.signingKeys(of: Self.other).map(\.id) == [next.id])
        }
    }

    @Test func whatSignsNoMoreIsWiped() async throws {
        try await self.withStore { database, store in
            for _ in 0..<3 { try await self.rotate(store) }
            let ids = try await store.published(PageRequest(), in: Self.organization).map(\.id)
            try await database.owner.write("UPDATE signing_keys SET signs_until = now() WHERE id <> \(ids[0])")
            try await database.owner.write("UPDATE signing_keys SET published_until = now() WHERE id = \(ids[2])")
            try await SigningKeySweeper(database: database.runtime, logger: TestLog.quiet).sweep()
            let wiped = try await database.runtime.read(
                "SELECT private_key IS NULL AS wiped FROM signing_keys ORDER BY id DESC",
                as: Bool.self
            )
            #expect(wiped == [false, true])
            #expect(try await self.states(store) == [.current, .retired])
        }
    }
}
