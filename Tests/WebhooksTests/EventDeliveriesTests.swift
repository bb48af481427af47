import Database
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct EventDeliveriesTests {
    private static let path = "/api/v1/webhooks/deliveries"

    /// Those that it brought lie between others', and in the queue as in the log; redelivery, test and replay come later.
    @Test func anEventsDeliveriesAreFoundByItWhateverMadeThem() async throws {
        try await Fixture.running { fixture in
            let one = try await fixture.subscribe("http://127.0.0.1:9/1").id
            let two = try await fixture.subscribe("http://127.0.0.1:9/2").id
            let (event, other) = (EventBatch.Entry.make(), EventBatch.Entry.make())
            try await fixture.bring([other, event, .make()])
            try await fixture.settle("subscription_id = \(two)", as: "dead")
            let dead = try await fixture.count("SELECT id AS n FROM settled_deliveries WHERE event_id = \(event.event.id)")
            let again = try await fixture.call(.post, "\(Self.path)/\(dead)/redeliver")
            #expect(again.status == 202, "\(again.json.text)")
            let found = try await fixture.call(.get, Self.path + "?event_id=\(event.event.id)").json["data"]?.arrayValue ?? []
            #expect(found.map { $0["subscription_id"]?.integerValue } == [two, two, one])
            #expect(found.map { $0["cause"] } == ["redelivery", "event", "event"])
            #expect(found.map { $0["state"] } == ["pending", "dead", "pending"])
            let ofOne = try await fixture.call(.get, Self.path + "?event_id=\(event.event.id)&subscription_id=\(one)")
            #expect(ofOne.json["data"]?.arrayValue?.count == 1)
        }
    }

    @Test func anEventThatNobodyWantedHasNone() async throws {
        try await Fixture.running { fixture in
            let event = EventBatch.Entry.make()
            try await fixture.bring([event])
            try await fixture.subscribe("http://127.0.0.1:9/1")
            try await fixture.bring([.make()])
            #expect(try await fixture.call(.get, Self.path + "?event_id=\(event.event.id)").json["data"] == [])
        }
    }

    /// What was delivered before the upgrade is found after it, and sent again by no replay.
    @Test func anUpgradeFindsTheDeliveriesOfEventsThatCameBefore() async throws {
        let before = Fixture.migrations.filter { $0.file < "M0008" || !$0.file.hasPrefix("M") }
        #expect(before.count == Fixture.migrations.count - 1)
        try await withDatabase(.webhooks, migrations: before) { database in
            try await database.runtime.write(
                """
                INSERT INTO events (organization_id, id, type, occurred_at, data, position)
                SELECT 1, 'evt_' || number, 'campaign_sent', now(), '{}', number FROM generate_series(1, 3) AS number
                """
            )
            try await database.runtime.write(
                """
                INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, cause)
                VALUES (1, 'evt_1', 'campaign_sent', 1, 'event'), (1, 'evt_2', 'campaign_sent', 1, 'event'),
                    (1, 'evt_1', 'campaign_sent', 2, 'event'), (1, 'evt_1', 'campaign_sent', 2, 'replay')
                """
            )
            try await database.runtime.write(
                """
                WITH done AS (DELETE FROM deliveries WHERE subscription_id = 1 RETURNING *)
                INSERT INTO settled_deliveries (organization_id, id, event_id, event_type, subscription_id, cause, state, attempts, created_at,
                    settled_at)
                SELECT organization_id, id, event_id, event_type, subscription_id, cause, 'succeeded', 1, created_at, now() FROM done
                """
            )
            let migrator = Migrator(
                try Fixture.migrations.map { try Migration(file: $0.file, $0.bytes) },
                schema: "webhooks",
                logger: TestLog.quiet
            )
            #expect(try await migrator.migrate(url: database.urls.owner).count == 1)
            let found = try await database.runtime.read(
                """
                SELECT events.id || ' ' || coalesce(string_agg(brought.subscription_id || brought.cause, ', ' ORDER BY brought.id), '')
                FROM events LEFT JOIN LATERAL event_deliveries(1, events.id) AS brought ON true
                GROUP BY events.id ORDER BY events.id
                """,
                as: String.self
            )
            #expect(found == ["evt_1 1event, 2event, 2replay", "evt_2 1event", "evt_3 "])
        }
    }
}
