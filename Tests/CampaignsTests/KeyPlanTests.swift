import Database
import Models
import Testing

@testable import Campaigns

/// The plans of the statements of sending on a campaign that no statistics know of yet.
@Suite struct KeyPlanTests {
    private func plan(_ query: Query, inIndexOrder: Bool = false, _ harness: Harness) async throws -> String {
        try await harness.database.transaction { transaction in
            try transaction.planByKeys()
            if inIndexOrder { try transaction.planInIndexOrder() }
            return try transaction.rows(("EXPLAIN " as Query) + query, as: String.self).joined(separator: "\n")
        }
    }

    /// No background run of ANALYZE comes in between: what the statistics know is what the test says.
    private func keepStatistics(_ owner: Postgres) async throws {
        for table: Query in ["messages", "contacts", "campaigns"] {
            try await owner.write("ALTER TABLE " + table + " SET (autovacuum_enabled = false)")
        }
    }

    @Test func aClaimReadsTheDueMessagesAndNothingElse() async throws {
        try await withHarness { harness, owner in
            try await self.keepStatistics(owner)
            try await harness.addContacts(count: 3000)
            let campaign = try await harness.startCampaign()
            let claim = try await self.plan(harness.claims().claimDue(campaign, limit: 100), inIndexOrder: true, harness)
            #expect(claim.contains("Index Scan using messages_due"), "\(claim)")
            #expect(claim.contains("Tid Scan on messages"), "\(claim)")
            let turn = try await self.plan(ClaimStore.nextTurn, harness)
            #expect(turn.contains("messages_due"), "\(turn)")
        }
    }

    /// The statistics know other organizations only: of this one they expect a single row.
    @Test func aNewOrganizationsClaimReadsEachContactByItsKey() async throws {
        try await withHarness { harness, owner in
            try await self.keepStatistics(owner)
            for other: OrganizationID in [1, 2, 3] { try await harness.addContacts(count: 2000, in: other) }
            _ = try await harness.startCampaign(in: 1)
            try await owner.write("ANALYZE contacts")
            try await owner.write("ANALYZE messages")
            try await harness.addContacts(count: 2000)
            let campaign = try await harness.startCampaign()
            let claim = try await self.plan(harness.claims().claimDue(campaign, limit: 100), inIndexOrder: true, harness)
            #expect(claim.contains("Index Scan using contacts_pkey"), "\(claim)")
            #expect(claim.contains("(id = taken.contact_id)"), "\(claim)")
            #expect(claim.contains("Index Scan using messages_due"), "\(claim)")
        }
    }

    @Test func outcomesFindTheirMessagesByKey() async throws {
        try await withHarness { harness, owner in
            try await self.keepStatistics(owner)
            try await harness.addContacts(count: 3000)
            let campaign = try await harness.startCampaign()
            let batch = try #require(try await harness.claims().claim())
            let update = SettlementStore.update(batch.messages.map { settlement($0, .accepted) }, of: campaign, from: .claimed)
            let plan = try await self.plan(update, harness)
            #expect(plan.contains("Index Scan using messages_send_key"), "\(plan)")
        }
    }

    @Test func theEndIsFoundWithoutReadingTheCampaign() async throws {
        try await withHarness { harness, owner in
            try await self.keepStatistics(owner)
            try await harness.addContacts(count: 3000)
            _ = try await harness.startCampaign()
            let plan = try await self.plan("SELECT id FROM campaigns WHERE status = 'sending' AND \(Completion.nothingOpen)", harness)
            #expect(plan.contains("messages_due"), "\(plan)")
            #expect(plan.contains("messages_leases") || plan.contains("messages_state"), "\(plan)")
            #expect(!plan.contains("Seq Scan on messages"), "\(plan)")
        }
    }
}
