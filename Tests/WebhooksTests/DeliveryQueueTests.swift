import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct DeliveryQueueTests {
    @Test func takesTurnsAndNoMoreThanASubscriptionMayHaveUnderWay() async throws {
        try await Fixture.running { fixture in
            let busy = try await fixture.subscribe("http://127.0.0.1:9/busy").id
            try await fixture.bring((0..<20).map { _ in .make() })
            let quiet = try await fixture.subscribe("http://127.0.0.1:9/quiet", to: [.syncCompleted]).id
            try await fixture.bring([.make(EventType.syncCompleted.rawValue)])
            let queue = fixture.parts.worker.queue
            let first = try await queue.claim(64).deliveries
            #expect(first.filter { $0.subscriptionID.rawValue == busy }.count == 4)
            #expect(first.filter { $0.subscriptionID.rawValue == quiet }.count == 1)
            #expect(first.filter(\.fillsLane).count == 4)
            #expect(try await queue.claim(64).deliveries.isEmpty)
            let result = AttemptResult(status: 200, duration: .milliseconds(3))
            let settlement = DeliverySettlement(delivery: first[0], result: result, step: .succeeded)
            #expect(try await fixture.parts.settlements.settle([settlement]) == [true])
            #expect(try await queue.claim(64).deliveries.count == 1)
        }
    }

    @Test func aSmallClaimGoesOnBehindTheLastServedSubscription() async throws {
        try await Fixture.running(.init(perSubscription: 2)) { fixture in
            for number in 0..<5 { try await fixture.subscribe("http://127.0.0.1:9/\(number)") }
            try await fixture.bring((0..<10).map { _ in .make() })
            var served: [Int64] = []
            for _ in 0..<5 { served += try await fixture.parts.worker.queue.claim(2).deliveries.map(\.subscriptionID.rawValue) }
            #expect(served.count == 10)
            #expect(Set(served).count == 5)
        }
    }

    @Test func twoClaimsNeverTakeTheSame() async throws {
        try await Fixture.running(.init(perSubscription: 100)) { fixture in
            for number in 0..<4 { try await fixture.subscribe("http://127.0.0.1:9/\(number)") }
            try await fixture.bring((0..<25).map { _ in .make() })
            let queues = (0..<4).map { _ in fixture.queue(perSubscription: 100, lease: 30) }
            let claimed = try await withThrowingTaskGroup(of: [ClaimedDelivery].self) { group in
                for queue in queues { group.addTask { try await queue.claim(40).deliveries } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(claimed.map(\.id)).count == claimed.count)
            #expect(claimed.allSatisfy { $0.fence == 1 && $0.attempt == 1 })
        }
    }

    /// Between being found and being taken a row may be written anew elsewhere, and its place be another's.
    @Test func aPlaceThatIsAnotherDeliverysByNowIsNotTaken() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/hook")
            try await fixture.bring([.make(), .make()])
            let picks = try await fixture.database.runtime.read(
                """
                SELECT organization_id, subscription_id, id, ctid AS place, 4 AS room, NULL::double precision AS interval, 1 AS revision,
                    NULL AS called_off, true AS is_sound
                FROM deliveries ORDER BY id
                """,
                as: DeliveryQueue.Pick.self
            )
            var moved = picks
            moved[0].place = picks[1].place
            let taken = try await fixture.database.runtime.transaction { [moved] transaction in
                try transaction.write(ClaimSQL.begin)
                return try transaction.rows(ClaimSQL.take(moved, lease: 30), as: ClaimedDelivery.self)
            }
            #expect(taken.map(\.id.rawValue) == [picks[1].id])
        }
    }

    /// A worker posted and was killed before it could write: the next one delivers again, under the same id.
    @Test func whatAKilledWorkerHeldIsDeliveredAgain() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                try await fixture.subscribe(target.url())
                try await fixture.bring([.make()])
                let killed = fixture.queue(perSubscription: 4, lease: 0.05)
                let held = try #require(try await killed.claim(1).deliveries.first)
                _ = try await fixture.parts.worker.sender.attempt(held)
                try await fixture.delivering {
                    try await eventually("it is delivered") {
                        try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE state = 'succeeded'") == 1
                    }
                }
                #expect(target.deliveries.count == 2)
                #expect(Set(target.deliveries.compactMap { $0.header("webhook-id") }).count == 1)
                let late = DeliverySettlement(
                    delivery: held,
                    result: AttemptResult(status: 500, failure: .status(500), duration: .zero),
                    step: .dead
                )
                #expect(try await fixture.parts.settlements.settle([late]) == [false])
                let errors = try await fixture.database.runtime.read(
                    "SELECT coalesce(attempt->>'error', 'none') AS error FROM delivery_log, jsonb_array_elements(history) AS attempt",
                    as: String.self
                )
                #expect(errors == ["interrupted", "none"])
            }
        }
    }

    @Test func aLapsedLeaseThatNobodyTookCanStillBeSettledOnce() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            try await fixture.bring([.make()])
            let queue = fixture.queue(perSubscription: 4, lease: 0.001)
            let held = try #require(try await queue.claim(1).deliveries.first)
            try await eventually("the lease has lapsed and the row waits again") {
                try await queue.takeBack()
                return try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE state = 'pending'") == 1
            }
            let settlement = DeliverySettlement(delivery: held, result: AttemptResult(status: 200, duration: .zero), step: .succeeded)
            #expect(try await fixture.parts.settlements.settle([settlement]) == [true])
            #expect(try await fixture.parts.settlements.settle([settlement]) == [false])
            #expect(
                try await fixture.count(
                    "SELECT jsonb_array_length(history) AS n FROM settled_deliveries WHERE history->0->>'status' = '200'"
                ) == 1
            )
        }
    }

    @Test func stoppingHandsBackWhatIsInHand() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(timeout: .seconds(30))) { fixture in
                target.append(.hang)
                try await fixture.subscribe(target.url())
                try await fixture.bring([.make()])
                let delivery = try #require(try await fixture.parts.worker.queue.claim(1).deliveries.first)
                try await fixture.parts.worker.queue.handBack(delivery)
                #expect(
                    try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE state = 'pending' AND lease_until IS NULL") == 1
                )
                #expect(try await fixture.parts.worker.queue.claim(1).deliveries.first?.fence == 2)
            }
        }
    }

    @Test func aHangingTargetDoesNotDelayAnother() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(timeout: .seconds(30), perSubscription: 4)) { fixture in
                target.append(.hang, to: "/hangs")
                let hanging = try await fixture.subscribe(target.url("/hangs")).id
                try await fixture.subscribe(target.url("/answers"))
                try await fixture.delivering {
                    try await fixture.bring((0..<200).map { _ in .make() })
                    try await eventually("the other one has all", within: .seconds(60)) { target.deliveries(to: "/answers").count >= 200 }
                    // Not one of the hanging attempts had to end for that.
                    #expect(target.deliveries(to: "/hangs").count == 4)
                    #expect(
                        try await fixture.count(
                            "SELECT count(*) AS n FROM delivery_log WHERE subscription_id = \(hanging) AND (last_error IS NOT NULL OR attempts > 1)"
                        ) == 0
                    )
                }
            }
        }
    }

    @Test func aHeldEventHeadDelaysOnlyWhatNeedsItAndLosesNothing() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0")) { fixture in
                target.append(.status(500), to: "/fails")
                try await fixture.subscribe(target.url("/fails"), in: OrganizationID(1))
                try await fixture.subscribe(target.url("/answers"), in: OrganizationID(2))
                try await fixture.bring([.make(), .make(in: OrganizationID(2))])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        // Longer than one try waits.
                        try await fixture.database.runtime.transaction { transaction in
                            try EventStore.lockHeads([OrganizationID(1)], transaction)
                            try transaction.write("SELECT pg_sleep(4)")
                        }
                    }
                    try await eventually("the head is held") {
                        try await fixture.count("SELECT count(*) AS n FROM pg_stat_activity WHERE query = \("SELECT pg_sleep(4)")") == 1
                    }
                    try await fixture.delivering {
                        try await eventually("the other organization's is settled") {
                            try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'succeeded'") == 1
                        }
                        #expect(try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'dead'") == 0)
                        try await eventually("the failure is settled, too") {
                            try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'dead'") == 1
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(target.deliveries(to: "/fails").count == 1)
            }
        }
    }

    @Test func anEndedSubscriptionsWaitingDeliveriesAreCalledOff() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.bring((0..<600).map { _ in .make() })
            _ = try await fixture.call(.delete, "/api/v1/zapier/webhooks/\(id)")
            let sweeper = fixture.parts.sweeper
            for ended in try await sweeper.unswept(10) { try await sweeper.sweep(ended) }
            #expect(
                try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE state = 'dead' AND last_error = 'unsubscribed'")
                    == 600
            )
            #expect(try await sweeper.unswept(10).isEmpty)
        }
    }
}

@Suite struct DeliveryLogTests {
    private static let path = "/api/v1/webhooks/deliveries"

    @Test func filtersAndPages() async throws {
        try await Fixture.running { fixture in
            let one = try await fixture.subscribe("http://127.0.0.1:9/1").id
            let two = try await fixture.subscribe("http://127.0.0.1:9/2").id
            let event = EventBatch.Entry.make()
            try await fixture.bring([event, .make(), .make()])
            try await fixture.settle("subscription_id = \(two) AND event_id = \(event.event.id)", as: "dead")
            func count(_ query: String) async throws -> Int? {
                try await fixture.call(.get, Self.path + query, as: .viewer).json["data"]?.arrayValue?.count
            }
            #expect(try await count("") == 6)
            #expect(try await count("?subscription_id=\(one)") == 3)
            #expect(try await count("?event_id=\(event.event.id)") == 2)
            #expect(try await count("?state=dead") == 1)
            #expect(try await count("?state=pending&subscription_id=\(two)&limit=1") == 1)
            let page = try await fixture.call(.get, Self.path + "?limit=4")
            let cursor = try #require(page.json["next_cursor"]?.stringValue)
            #expect(try await count("?limit=4&cursor=\(cursor)") == 2)
        }
    }

    @Test func namesFaultyFilters() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.get, Self.path + "?state=lost&subscription_id=x")
            #expect(reply.status == 422)
            #expect(reply.faultPointers.sorted() == ["?state", "?subscription_id"])
        }
    }

    @Test func anotherOrganizationSeesNothing() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            try await fixture.bring([.make()])
            let id = try await fixture.call(.get, Self.path).json["data"]?.arrayValue?.first?["id"]?.integerValue ?? 0
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)").status == 200)
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)", in: OrganizationID(2)).status == 404)
            #expect(try await fixture.call(.get, Self.path, in: OrganizationID(2)).json["data"] == [])
        }
    }
}
