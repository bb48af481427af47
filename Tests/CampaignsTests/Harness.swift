import Database
import Encryption
import Foundation
import Models
import ServiceKit
import TestSupport

@testable import Campaigns

/// A fresh database of the campaigns service with what stores and workers need.
struct Harness: Sendable {
    let database: Postgres
    let outbox: Outbox
    let organization: OrganizationID = 11

    var campaigns: CampaignStore { CampaignStore(database: self.database) }
    var feed: FeedStore { FeedStore(database: self.database) }
    var settlements: SettlementStore { SettlementStore(database: self.database) }
    var housekeeping: HousekeepingStore { HousekeepingStore(database: self.database) }
    var completion: Completion { Completion(database: self.database, outbox: self.outbox) }

    func expansion(chunk: Int = 5000) -> ExpansionStore {
        ExpansionStore(database: self.database, outbox: self.outbox, dispatchChannel: "test_dispatch", chunk: chunk)
    }

    func expander(chunk: Int = 5000) -> Expander {
        Expander(store: self.expansion(chunk: chunk), completion: self.completion, logger: TestLog.quiet)
    }

    func claims(limit: Int = 100) -> ClaimStore {
        ClaimStore(database: self.database, sizer: BatchSizer(limit: limit), lease: .seconds(60))
    }

    /// Contacts with these addresses (nil for none) as the feed would bring them.
    func addContacts(_ emails: [String?], in organization: OrganizationID? = nil) async throws {
        let organization = organization ?? self.organization
        let position = try await self.feed.position(of: organization)
        let changes = emails.enumerated().map { index, email in
            let number = position + Int64(index) + 1
            return RecordChange(
                position: number,
                recordID: RecordID(number),
                integrationID: 3,
                kind: .contact,
                operation: .upsert,
                contact: ContactFields(externalID: "e\(number)", email: email, firstName: "P\(number)")
            )
        }
        _ = try await self.feed.apply(FeedPage(changes), of: organization, from: position, to: position + Int64(emails.count))
    }

    func addContacts(count: Int, in organization: OrganizationID? = nil) async throws {
        try await self.addContacts((1...count).map { "p\($0)@x.example" }, in: organization)
    }

    func makeCampaign(policy: InDoubtPolicy = .hold, in organization: OrganizationID? = nil) async throws -> CampaignKey {
        let organization = organization ?? self.organization
        let content = CampaignContent(
            name: "Spring",
            channel: .email,
            integrationID: 5,
            fromEmail: "news@x.example",
            subject: "Hi {{first_name|there}}",
            text: "Hello {{first_name|there}}",
            audience: .all,
            inDoubtPolicy: policy
        )
        let campaign = try await self.database.transaction { try self.campaigns.insert(content, in: organization, $0) }
        return CampaignKey(organization: organization, id: campaign.id)
    }

    func move(_ campaign: CampaignKey, _ action: CampaignAction) async throws {
        _ = try await self.database.transaction { try self.campaigns.move(campaign.id, action, in: campaign.organization, $0) }
    }

    /// A campaign to all contacts, expanded and sending.
    func startCampaign(policy: InDoubtPolicy = .hold, in organization: OrganizationID? = nil) async throws -> CampaignKey {
        let campaign = try await self.makeCampaign(policy: policy, in: organization)
        try await self.move(campaign, .send)
        for preparation in try await self.expansion().claim(10) { try await self.expander().expand(preparation) }
        return campaign
    }

    func counts(_ campaign: CampaignKey) async throws -> MessageCounts {
        try await self.campaigns.counts(of: campaign.id, in: campaign.organization)
    }

    func status(_ campaign: CampaignKey) async throws -> CampaignStatus? {
        try await self.campaigns.find(campaign.id, in: campaign.organization)?.status
    }

    func events(_ type: EventType) async throws -> [JSONValue] {
        try await self.database.read("SELECT body FROM outbox WHERE destination = 'webhooks' AND body->>'type' = \(type)")
    }

    /// On their way to members.
    func notices() async throws -> [JSONValue] {
        try await self.database.read("SELECT body FROM outbox WHERE destination = 'gateway' AND body->>'key' IS NOT NULL ORDER BY id")
    }

    /// As if every lease had run out, of messages and of campaigns.
    func endAllLeases() async throws {
        try await self.database.write("UPDATE messages SET lease_until = now() - interval '1 second' WHERE state = 'claimed'")
        try await self.database.write("UPDATE campaigns SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
    }

    /// As if so much time had passed for every message.
    func age(by seconds: Double) async throws {
        try await self.database.write(
            """
            UPDATE messages SET
                not_before = not_before - make_interval(secs => \(seconds)), in_doubt_at = in_doubt_at - make_interval(secs => \(seconds)),
                next_check_at = next_check_at - make_interval(secs => \(seconds))
            """
        )
        try await self.database.write("UPDATE campaigns SET hold_until = hold_until - make_interval(secs => \(seconds))")
    }
}

extension EventType: SQLEncodable {}

func withHarness(_ body: @Sendable (Harness) async throws -> Void) async throws {
    try await withHarness { harness, _ in try await body(harness) }
}

/// - body: also gets the database as its owner.
func withHarness(_ body: @Sendable (Harness, Postgres) async throws -> Void) async throws {
    try await withDatabase(.campaigns, migrations: ServiceMain.sharedMigrations + CampaignsService.migrations) { test in
        try await body(Harness(database: test.runtime, outbox: Outbox(service: .campaigns, database: test.runtime)), test.owner)
    }
}

func settlement(_ message: ClaimedMessage, _ state: MessageState) -> Settlement {
    Settlement(sendKey: message.sendKey, fence: message.fence, state: state)
}

/// Ids are written as numbers in tests.
extension ID: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: Int64) { self.init(value) }
}
