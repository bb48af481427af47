import Database
import Models
import Testing

@testable import Campaigns

@Suite struct FeedStoreTests {
    private func change(_ position: Int64, _ operation: RecordChange.Operation = .upsert, email: String? = "a@x.example") -> RecordChange {
        RecordChange(
            position: position,
            recordID: 7,
            integrationID: 3,
            kind: .contact,
            operation: operation,
            contact: operation == .upsert ? ContactFields(externalID: "e7", email: email, firstName: "Anna", company: "ACME") : nil
        )
    }

    private func contacts(_ harness: Harness) async throws -> [Contact] {
        try await ContactStore(database: harness.database).list(PageRequest(), mailbox: nil, in: harness.organization)
    }

    @Test func aPageIsAppliedOnceByTwoFollowers() async throws {
        try await withHarness { harness in
            let page = FeedPage([self.change(1)])
            let applied = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 1...4 {
                    group.addTask { try await harness.feed.apply(page, of: harness.organization, from: 0, to: 1) }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(applied == 1)
            #expect(try await harness.feed.position(of: harness.organization) == 1)
            #expect(try await self.contacts(harness).count == 1)
        }
    }

    @Test func anOldPageCannotOverwriteANewerOne() async throws {
        try await withHarness { harness in
            let newer = try await harness.feed.apply(FeedPage([self.change(1), self.change(2)]), of: harness.organization, from: 0, to: 2)
            let older = try await harness.feed.apply(FeedPage([self.change(1, .delete)]), of: harness.organization, from: 0, to: 1)
            #expect(newer)
            #expect(!older)
            #expect(try await self.contacts(harness).count == 1)
        }
    }

    @Test func aDeletedContactIsForgottenAndMayComeBack() async throws {
        try await withHarness { harness in
            let contacts = ContactStore(database: harness.database)
            _ = try await harness.feed.apply(FeedPage([self.change(1)]), of: harness.organization, from: 0, to: 1)
            let id = try #require(try await self.contacts(harness).first?.id)
            _ = try await harness.feed.apply(FeedPage([self.change(2, .delete)]), of: harness.organization, from: 1, to: 2)
            #expect(try await contacts.find(id, in: harness.organization) == nil)
            let kept = try await harness.database.read(
                "SELECT concat(email, email_key, first_name, company) FROM contacts WHERE id = \(id)",
                as: String.self
            )
            #expect(kept == [""])
            _ = try await harness.feed.apply(FeedPage([self.change(3, email: "B@X.example ")]), of: harness.organization, from: 2, to: 3)
            #expect(try await contacts.find(id, in: harness.organization)?.email == "B@x.example")
        }
    }

    @Test func contactsAreFoundByMailboxAndOnlyInTheirOrganization() async throws {
        try await withHarness { harness in
            try await harness.addContacts(["Anna@x.example", "b@x.example"])
            let contacts = ContactStore(database: harness.database)
            let mailbox = try #require(Mailbox("anna@X.example"))
            #expect(try await contacts.list(PageRequest(), mailbox: mailbox, in: harness.organization).map(\.email) == ["Anna@x.example"])
            #expect(try await contacts.list(PageRequest(), mailbox: nil, in: 12).isEmpty)
        }
    }

    @Test func onlyOrganizationsWithMoreAreFollowed() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 3)
            let behind = try await harness.feed.behind([
                .init(organizationID: 11, position: 3), .init(organizationID: 12, position: 1), .init(organizationID: 13, position: 0),
            ])
            #expect(behind == [12])
        }
    }
}
