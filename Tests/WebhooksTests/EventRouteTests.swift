import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct EventRouteTests {
    private static let path = "/api/v1/webhooks/events"

    @Test func theFeedGivesEveryEventOnceInTheOrderInWhichTheyCame() async throws {
        try await Fixture.running { fixture in
            let entries = (0..<7).map { _ in EventBatch.Entry.make() }
            // Ids are of another order than the arrivals.
            for entry in entries.reversed() { try await fixture.bring([entry]) }
            var after = "start"
            var seen: [String] = []
            repeat {
                let page = try await fixture.call(.get, "\(Self.path)?after=\(after)&limit=3", as: .viewer)
                #expect(page.status == 200, "\(page.json.text)")
                seen += (page.json["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
                after = page.json["next_cursor"]?.stringValue ?? ""
                if page.json["has_more"] == false { break }
            } while true
            #expect(seen == entries.reversed().map(\.event.id))
            try await fixture.bring([.make("sync_completed"), .make()])
            let next = try await fixture.call(.get, "\(Self.path)?after=\(after)&type=sync_completed")
            #expect(next.json["data"]?.arrayValue?.count == 1)
            #expect(try await fixture.call(.get, "\(Self.path)?after=start", in: OrganizationID(2)).json["data"] == [])
        }
    }

    @Test func aTypeThatHardlyEverComesIsReachedInSteps() async throws {
        try await Fixture.running { fixture in
            let rare = EventBatch.Entry.make("sync_completed")
            try await fixture.bring([rare])
            // As if many others had come in before it, and some at the beginning had left the log.
            let stretch = EventFeed.longestStretch
            try await fixture.database.runtime.write(
                """
                INSERT INTO events (organization_id, id, type, occurred_at, data, position)
                SELECT 1, 'evt_' || lpad(to_hex(number), 32, '0'), 'campaign_sent', now(), '{}', number
                FROM generate_series(1000, \(1000 + 2 * stretch)) AS number
                """
            )
            try await fixture.database.runtime.write("UPDATE events SET position = \(1001 + 2 * stretch) WHERE type = 'sync_completed'")
            try await fixture.database.runtime.write("UPDATE event_heads SET position = \(1001 + 2 * stretch)")
            var (after, pages) = ("start", [JSONValue]())
            repeat {
                let page = try await fixture.call(.get, "\(Self.path)?after=\(after)&type=sync_completed")
                pages.append(page.json)
                after = page.json["next_cursor"]?.stringValue ?? ""
            } while pages.last?["has_more"] == true && pages.count < 10
            #expect(pages.map { $0["data"]?.arrayValue?.count } == [0, 0, 1])
            #expect(pages.last?["data"]?.arrayValue?.first?["id"] == .string(rare.event.id))
            #expect(try await fixture.call(.get, "\(Self.path)?after=\(after)&type=sync_completed").json["next_cursor"] == .string(after))
        }
    }

    /// It would be told that nothing is new until its own log came to that place.
    @Test func aCursorOfAnotherLogIsRefused() async throws {
        try await Fixture.running { fixture in
            try await fixture.bring([.make(), .make(), .make(in: OrganizationID(2))])
            let cursor = try #require(try await fixture.call(.get, "\(Self.path)?after=start").json["next_cursor"]?.stringValue)
            #expect(try await fixture.call(.get, "\(Self.path)?after=\(cursor)").status == 200)
            let reply = try await fixture.call(.get, "\(Self.path)?after=\(cursor)", in: OrganizationID(2))
            #expect(reply.status == 422 && reply.faultPointers == ["?after"])
            #expect(try await fixture.call(.get, "\(Self.path)?after=\(cursor)", in: OrganizationID(3)).status == 422)
        }
    }

    @Test func aFeedWithoutAPlaceBeginsNow() async throws {
        try await Fixture.running { fixture in
            try await fixture.bring([.make()])
            let start = try await fixture.call(.get, Self.path)
            #expect(start.json["data"] == [])
            let cursor = try #require(start.json["next_cursor"]?.stringValue)
            let entry = EventBatch.Entry.make()
            try await fixture.bring([entry])
            let page = try await fixture.call(.get, "\(Self.path)?after=\(cursor)")
            #expect(page.json["data"]?.arrayValue?.map { $0["id"] } == [.string(entry.event.id)])
        }
    }

    @Test func concurrentIntakeLeavesNoGapBehindAReader() async throws {
        try await Fixture.running { fixture in
            let seen = try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { for _ in 0..<10 { try await fixture.bring([.make()]) } } }
                var (seen, after): ([String], Int64) = ([], 0)
                while seen.count < 80 {
                    let feed = EventFeed(database: fixture.database.runtime)
                    let found = try await feed.after(after, 50, types: [], in: OrganizationID(1))
                    seen += found.entries.map(\.event.id)
                    after = found.next
                }
                try await group.waitForAll()
                return seen
            }
            #expect(Set(seen).count == 80 && seen.count == 80)
        }
    }

    @Test func namesFaultsOfAFeedsParameters() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.get, "\(Self.path)?after=x&type=campaign_sent,nonsense")
            #expect(reply.status == 422 && reply.faultPointers == ["?after", "?type"])
        }
    }

    @Test func anEventsPageShowsItsDeliveriesWithTheirAttempts() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                target.append(.status(500, body: "broken"))
                target.append(.status(200))
                try await fixture.subscribe(target.url())
                let entry = EventBatch.Entry.make()
                try await fixture.delivering {
                    try await fixture.bring([entry])
                    try await eventually("it is done") { try await fixture.count("SELECT count(*) AS n FROM settled_deliveries") == 1 }
                }
                let page = try await fixture.call(.get, "\(Self.path)/\(entry.event.id)", as: .viewer)
                #expect(page.json["data"] == entry.event.data && page.json["quarantine"] == .null)
                let attempts = page.json["deliveries"]?.arrayValue?.first?["attempts"]?.arrayValue
                #expect(attempts?.map { $0["status"] } == [500, 200])
                #expect(try await fixture.call(.get, "\(Self.path)/\(entry.event.id)", in: OrganizationID(2)).status == 404)
                #expect(try await fixture.call(.get, "\(Self.path)/nonsense").status == 404)
            }
        }
    }

    @Test func saysWhyAnEventWasNotSent() async throws {
        try await Fixture.running { fixture in
            let body: JSONValue = [
                "webhook_url": "http://127.0.0.1:9/", "trigger_event": "content_posted", "filter": ["data.platform": ["$eq": "linkedin"]],
            ]
            let id = try #require(try await fixture.call(.post, "/api/v1/zapier/webhooks", body).json["id"]?.integerValue)
            let unwanted = EventBatch.Entry.make("content_posted", adding: ["platform": "x"])
            let wanted = EventBatch.Entry.make("content_posted", adding: ["platform": "linkedin"])
            let other = EventBatch.Entry.make()
            try await fixture.bring([unwanted, wanted, other])
            func explain(_ entry: EventBatch.Entry) async throws -> (outcome: JSONValue?, failed: [String]) {
                let reply = try await fixture.call(.get, "/api/v1/zapier/webhooks/\(id)/explain/\(entry.event.id)", as: .viewer)
                let rules = reply.json["rules"]?.arrayValue ?? []
                return (reply.json["outcome"], rules.filter { $0["passed"] == false }.compactMap { $0["rule"]?.stringValue })
            }
            var told = try await explain(unwanted)
            #expect(told.outcome == "not_made" && told.failed == ["filter"])
            told = try await explain(other)
            #expect(told.outcome == "not_made" && told.failed.contains("event_type"))
            told = try await explain(wanted)
            #expect(told.outcome == "waiting" && told.failed == ["delivered"])
            try await fixture.settle("true", as: "dead")
            told = try await explain(wanted)
            #expect(told.outcome == "dead")
            let missing = try await fixture.call(.get, "/api/v1/zapier/webhooks/999999/explain/\(wanted.event.id)")
            #expect(missing.status == 404)
        }
    }

    @Test func aDeliveryIsSentAgainUnderTheSameEventIDAsOneOfItsOwn() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0")) { fixture in
                target.append(.status(500))
                target.append(.status(200))
                let subscription = try await fixture.subscribe(target.url()).id
                try await fixture.delivering {
                    try await fixture.bring([.make()])
                    try await eventually("it is dead") { try await fixture.count("SELECT count(*) AS n FROM settled_deliveries") == 1 }
                    let list = try await fixture.call(.get, "/api/v1/webhooks/deliveries?state=dead")
                    let id = list.json["data"]?.arrayValue?.first?["id"]?.integerValue ?? 0
                    let path = "/api/v1/webhooks/deliveries/\(id)/redeliver"
                    #expect(try await fixture.call(.post, path, in: OrganizationID(2)).status == 404)
                    let reply = try await fixture.call(.post, path, idempotencyKey: "again")
                    #expect(reply.status == 202 && reply.json["cause"] == "redelivery", "\(reply.json.text)")
                    #expect(try await fixture.call(.post, path, idempotencyKey: "again").json["id"] == reply.json["id"])
                    try await eventually("it came") {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'succeeded'") == 1
                    }
                    _ = try await fixture.call(.delete, "/api/v1/zapier/webhooks/\(subscription)")
                    #expect(try await fixture.call(.post, path).status == 409)
                }
                #expect(Set(target.deliveries.compactMap { $0.header("webhook-id") }).count == 1)
                #expect(try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'dead'") == 1)
            }
        }
    }
}
