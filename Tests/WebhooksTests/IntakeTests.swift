import Database
import Foundation
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing
import Transport

@testable import Webhooks

@Suite struct IntakeTests {
    @Test func storesAnEventOnceHoweverOftenItComes() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            let entry = EventBatch.Entry.make()
            let first = try await fixture.bring([entry, entry])
            let second = try await fixture.bring([entry, .make()])
            #expect(first.json == ["stored": 1])
            #expect(second.json == ["stored": 1])
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 2)
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 2)
        }
    }

    @Test func fansOutToTheOrganizationsSubscriptionsOfThatTypeOnly() async throws {
        try await Fixture.running { fixture in
            let both = try await fixture.subscribe("http://127.0.0.1:9/a", to: [.campaignSent, .syncCompleted]).id
            let one = try await fixture.subscribe("http://127.0.0.1:9/b").id
            try await fixture.subscribe("http://127.0.0.1:9/c", to: [.syncCompleted])
            try await fixture.subscribe("http://127.0.0.1:9/d", in: OrganizationID(2))
            let ended = try await fixture.subscribe("http://127.0.0.1:9/e").id
            _ = try await fixture.call(.delete, "/api/v1/zapier/webhooks/\(ended)")
            try await fixture.bring([.make()])
            let receivers = try await fixture.database.runtime.read(
                "SELECT subscription_id AS id FROM deliveries ORDER BY subscription_id",
                as: Int64.self
            )
            #expect(receivers == [both, one].sorted())
        }
    }

    @Test func quarantinesWhatItDoesNotKnowAndBringsTheRest() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            let reply = try await fixture.bring([
                .make("order_exploded"), .make(id: "evt_\u{0}.bad"), .make(adding: ["nul": "a\u{0}b"]), .make(),
            ])
            #expect(reply.json == ["stored": 4])
            let reasons = try await fixture.database.runtime.read(
                "SELECT quarantine AS reason FROM events WHERE quarantine IS NOT NULL ORDER BY quarantine",
                as: String.self
            )
            #expect(reasons == ["malformed_id", "unknown_type"])
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 2)
            #expect(fixture.log.text.contains("error Event quarantined"))
            #expect(fixture.log.text.contains("order_exploded"))
        }
    }

    @Test func quarantinesWhatIsNotAsTheCatalogueSaysAndNamesWhere() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            let reply = try await fixture.bring([
                .make(adding: ["campaign_id": "s3cret", "counts": ["total": 1]]), .make(data: [:]), .make(adding: ["more": true]),
            ])
            #expect(reply.json == ["stored": 3])
            #expect(try await fixture.count("SELECT count(*) AS n FROM events WHERE quarantine = 'schema'") == 2)
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 1)
            #expect(fixture.log.text.contains("/campaign_id must be an integer; /counts/accepted is missing"))
            #expect(!fixture.log.text.contains("s3cret"))
        }
    }

    @Test func isForOtherServicesOnly() async throws {
        try await Fixture.running { fixture in
            let response = try await fixture.client.send(
                try HTTPClientRequest(
                    .post,
                    "http://127.0.0.1:\(fixture.port)/internal/events",
                    headers: [.contentType: "application/json"],
                    body: .bytes(Array(#"{"events":[]}"#.utf8))
                )
            )
            #expect(response.head.status == .unauthorized)
        }
    }

    /// Storing and fan-out are one statement: where the second half fails, the first is undone, and a repeat does both.
    @Test func isAllOrNothing() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            try await fixture.database.owner.write("ALTER TABLE deliveries ADD CONSTRAINT refused CHECK (event_type <> 'campaign_sent')")
            let entry = EventBatch.Entry.make()
            #expect(try await fixture.bring([entry]).status == 500)
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 0)
            try await fixture.database.owner.write("ALTER TABLE deliveries DROP CONSTRAINT refused")
            #expect(try await fixture.bring([entry]).json == ["stored": 1])
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 1)
        }
    }
}

@Suite struct EventPartitionTests {
    @Test func newEventsLieInTheirDayAndStrangeOnesInTheDefault() async throws {
        try await Fixture.running { fixture in
            try await fixture.bring([.make(), .make("x", id: "evt_00000000000000000000000000000000"), .make(id: "odd")])
            let tables = try await fixture.database.runtime.read(
                "SELECT tableoid::regclass::text AS name FROM events ORDER BY 1",
                as: String.self
            )
            #expect(tables.filter { $0.hasSuffix("events_default") }.count == 2)
            #expect(tables.filter { $0.contains("events_2") }.count == 1)
        }
    }

    @Test func aMissingDayIsMadeAndTakesItsEventsOutOfTheDefault() async throws {
        try await Fixture.running { fixture in
            let owner = fixture.database.owner
            let today = try #require(
                try await owner.readFirst("SELECT 'events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD') AS name", as: String.self)
            )
            // DDL takes no parameters: the server writes the statement.
            try await owner.write("DO $$ BEGIN EXECUTE 'DROP TABLE events_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'); END $$")
            let entry = EventBatch.Entry.make()
            try await fixture.bring([entry])
            #expect(try await fixture.parts.partitions.ensure() == 1)
            #expect(try await fixture.parts.partitions.ensure() == 0)
            let place = try await owner.readFirst("SELECT tableoid::regclass::text AS name FROM events", as: String.self)
            #expect(place?.hasSuffix(today) == true)
            #expect(try await fixture.bring([entry]).json == ["stored": 0])
        }
    }

    @Test func theRuntimeRoleCannotChangeTables() async throws {
        try await Fixture.running { fixture in
            await #expect(throws: DatabaseError.self) { try await fixture.database.runtime.write("CREATE TABLE mine (id bigint)") }
            await #expect(throws: DatabaseError.self) { try await fixture.database.runtime.write("DROP TABLE events_default") }
        }
    }
}
