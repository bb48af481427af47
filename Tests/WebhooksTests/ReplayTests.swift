import Database
import Foundation
import HTTPTypes
import Models
import Synchronization
import TestSupport
import Testing

@testable import Webhooks

@Suite struct ReplayTests {
    private static let path = "/api/v1/webhooks/replays"

    private func request(_ subscription: Int64, _ more: [String: JSONValue] = [:]) -> JSONValue {
        .object(["subscription_id": .integer(subscription), "from": "2020-01-01T00:00:00Z", "rate": 5000].merging(more) { $1 })
    }

    /// Steps until the replay is over.
    private func run(_ fixture: Fixture, _ id: Int64) async throws {
        try await eventually("the replay is over") {
            _ = try await fixture.parts.replayWorker.step(ReplayID(id), in: OrganizationID(1))
            return try await fixture.count("SELECT count(*) AS n FROM replays WHERE id = \(id) AND finished_at IS NOT NULL") == 1
        }
    }

    @Test func sendsWhatTheTargetHasNotTakenAndNothingElse() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let id = try await fixture.subscribe(target.url()).id
                let entries = (0..<5).map { _ in EventBatch.Entry.make() }
                try await fixture.bring(entries + [.make("sync_completed")])
                try await fixture.settle("event_id = \(entries[0].event.id)", as: "succeeded")
                try await fixture.settle("event_id IN (\(entries[1].event.id), \(entries[2].event.id))", as: "dead")
                // Two still wait.
                let made = try await fixture.call(.post, Self.path, self.request(id))
                #expect(made.status == 201 && made.json["total"] == 6, "\(made.json.text)")
                let replay = try #require(made.json["id"]?.integerValue)
                try await self.run(fixture, replay)
                let shown = try await fixture.call(.get, "\(Self.path)/\(replay)", as: .viewer)
                #expect(shown.json["state"] == "finished" && shown.json["made"] == 2 && shown.json["looked_at"] == 6, "\(shown.json.text)")
                #expect(shown.json["deliveries"] == ["waiting": 2, "succeeded": 0, "dead": 0])
                try await fixture.delivering {
                    try await eventually("all came and are noted") {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'succeeded'") == 5
                    }
                }
                #expect(target.deliveries.count == 4)
                #expect(try await fixture.call(.get, "\(Self.path)/\(replay)").json["deliveries"]?["succeeded"] == 2)
                #expect(try await fixture.call(.get, "\(Self.path)/\(replay)", in: OrganizationID(2)).status == 404)
            }
        }
    }

    @Test func sendsAllOfARangeThatAFilterNarrows() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/", to: [.contentPosted]).id
            let entries = (0..<4).map { EventBatch.Entry.make("content_posted", adding: ["content_id": .integer(Int64($0))]) }
            try await fixture.bring(entries)
            try await fixture.settle("true", as: "succeeded")
            let filter: JSONValue = ["content_id": ["$gte": 2]]
            let made = try await fixture.call(.post, Self.path, self.request(id, ["which": "all", "filter": filter]))
            try await self.run(fixture, try #require(made.json["id"]?.integerValue, "\(made.json.text)"))
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE cause = 'replay'") == 2)
        }
    }

    @Test func aPageReadsWhatBecameOfItsOwnEventsAlone() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            for _ in 0..<20 { try await fixture.bring((0..<100).map { _ in .make() }) }
            try await fixture.settle("true", as: "succeeded")
            let made = try await fixture.call(.post, Self.path, self.request(id))
            let replayID = ReplayID(try #require(made.json["id"]?.integerValue))
            let read = try await fixture.parts.replayWorker.database.transaction { transaction in
                let replay = try transaction.first("SELECT \(raw: Replay.columns) FROM replays WHERE id = \(replayID)", as: Replay.self)
                let page = try ReplayPage(try #require(replay), events: 500, in: OrganizationID(1), transaction)
                #expect(page?.lookedAt == 500 && page?.made == 0)
                return try transaction.first(
                    """
                    SELECT sum(coalesce(idx_tup_fetch, 0) + coalesce(seq_tup_read, 0))::bigint FROM pg_stat_xact_user_tables
                    WHERE relname LIKE 'settled_deliveries%'
                    """,
                    as: Int.self
                )
            }
            #expect(try #require(read) <= 1000)
        }
    }

    @Test func aPageIsMadeOnceHoweverOftenItsProcessDies() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            for _ in 0..<12 { try await fixture.bring((0..<100).map { _ in .make() }) }
            try await fixture.settle("true", as: "dead")
            let made = try await fixture.call(.post, Self.path, self.request(id))
            let replay = try #require(made.json["id"]?.integerValue)
            let worker = fixture.parts.replayWorker
            // Several processes, and tasks that are cancelled at any moment.
            let rounds = Mutex(0)
            try await eventually("it is over", within: .seconds(120)) {
                // Longer each time: on a slow machine, too, some get through.
                let longest = rounds.withLock { rounds in
                    rounds += 1
                    return 30 * rounds
                }
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 { group.addTask { _ = try? await worker.step(ReplayID(replay), in: OrganizationID(1)) } }
                    try? await Task.sleep(for: .milliseconds(Int.random(in: 0...longest)))
                    group.cancelAll()
                }
                return try await fixture.count("SELECT count(*) AS n FROM replays WHERE state = 'finished'") == 1
            }
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE replay_id = \(replay)") == 1200)
            #expect(try await fixture.count("SELECT count(DISTINCT event_id) AS n FROM deliveries WHERE replay_id = \(replay)") == 1200)
            #expect(try await fixture.count("SELECT made AS n FROM replays") == 1200)
        }
    }

    @Test func aCancelledReplayMakesNoMoreAndTakesBackWhatWaits() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            for _ in 0..<6 { try await fixture.bring((0..<100).map { _ in .make() }) }
            try await fixture.settle("true", as: "dead")
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue)
            _ = try await fixture.parts.replayWorker.step(ReplayID(replay), in: OrganizationID(1))
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/pause").json["state"] == "paused")
            #expect(try await fixture.parts.replayWorker.claim(5).isEmpty)
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/resume").json["state"] == "running")
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/cancel").json["state"] == "cancelled")
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 0)
            #expect(try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE last_error = 'replay_cancelled'") == 500)
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/resume").status == 409)
        }
    }

    @Test func whatWaitedBehindACancelledReplaysDeliveryGoesOn() async throws {
        try await Fixture.running { fixture in
            let made = try await fixture.call(
                .post,
                "/api/v1/zapier/webhooks",
                ["webhook_url": "http://127.0.0.1:9/", "trigger_event": "content_posted", "ordering_key": "content_id"]
            )
            let id = try #require(made.json["id"]?.integerValue)
            try await fixture.bring([.make("content_posted", adding: ["content_id": "a"])])
            try await fixture.settle("true", as: "dead")
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue)
            _ = try await fixture.parts.replayWorker.step(ReplayID(replay), in: OrganizationID(1))
            try await fixture.bring([.make("content_posted", adding: ["content_id": "a"])])
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE next_attempt_at = 'infinity'") == 1)
            _ = try await fixture.call(.post, "\(Self.path)/\(replay)/cancel")
            #expect(try await fixture.parts.worker.queue.claim(10).deliveries.map(\.cause) == [.event])
        }
    }

    @Test func oneThatHasMadeAllIsCancelledWhileSomeOfItWaits() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.bring([.make(), .make()])
            try await fixture.settle("true", as: "dead")
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue)
            try await self.run(fixture, replay)
            // One is under way: it is not called off, and where it fails it would be tried again.
            let claimed = try await fixture.queue(perSubscription: 1, lease: 60).claim(1).deliveries
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/cancel").json["state"] == "cancelled")
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 1)
            try await fixture.parts.worker.queue.handBack(try #require(claimed.first))
            #expect(try await fixture.call(.post, "\(Self.path)/\(replay)/cancel").status == 200)
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 0)
            let other = try #require(
                try await fixture.call(.post, Self.path, self.request(id, ["from": "2026-01-01T00:00:00Z"])).json["id"]?.integerValue
            )
            try await self.run(fixture, other)
            try await fixture.settle("true", as: "succeeded")
            #expect(try await fixture.call(.post, "\(Self.path)/\(other)/cancel").status == 409)
        }
    }

    @Test func aPageMakesNoMoreThanTheRateAndLosesNothingBehindIt() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            let entries = (0..<40).map { _ in EventBatch.Entry.make() }
            try await fixture.bring(entries)
            try await fixture.settle("event_id <= \(entries[19].event.id)", as: "succeeded")
            try await fixture.settle("true", as: "dead")
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id, ["rate": 3])).json["id"]?.integerValue)
            _ = try await fixture.parts.replayWorker.step(ReplayID(replay), in: OrganizationID(1))
            let first = try await fixture.call(.get, "\(Self.path)/\(replay)").json
            #expect(first["made"] == 3 && first["looked_at"] == 23, "\(first.text)")
            for _ in 0..<8 {
                try await fixture.database.runtime.write("UPDATE replays SET next_step_at = now()")
                _ = try await fixture.parts.replayWorker.step(ReplayID(replay), in: OrganizationID(1))
            }
            let last = try await fixture.call(.get, "\(Self.path)/\(replay)").json
            #expect(last["made"] == 20 && last["looked_at"] == 40 && last["state"] == "finished", "\(last.text)")
            #expect(try await fixture.count("SELECT count(DISTINCT event_id) AS n FROM deliveries") == 20)
        }
    }

    @Test func aPageOfLargeEventsIsShort() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.bring((0..<10).map { _ in .make() })
            try await fixture.settle("true", as: "dead")
            let large = JSONValue.object(["text": .string(String(repeating: "x", count: 1 << 20))])
            try await fixture.database.runtime.write("UPDATE events SET data = \(large)::json")
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue)
            _ = try await fixture.parts.replayWorker.step(ReplayID(replay), in: OrganizationID(1))
            #expect(try await fixture.call(.get, "\(Self.path)/\(replay)").json["looked_at"] == 3)
            try await self.run(fixture, replay)
            #expect(try await fixture.call(.get, "\(Self.path)/\(replay)").json["made"] == 10)
        }
    }

    @Test func noMoreReplaysOfAnOrganizationRunAtOnceThanMay() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            var replays: [Int64] = []
            for _ in 0..<ReplayStore.most {
                replays.append(try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue))
            }
            #expect(try await fixture.call(.post, Self.path, self.request(id)).status == 409)
            _ = try await fixture.call(.post, "\(Self.path)/\(replays[0])/cancel")
            #expect(try await fixture.call(.post, Self.path, self.request(id)).status == 201)
        }
    }

    @Test func aReplayEndsWithItsSubscription() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.bring([.make()])
            let replay = try #require(try await fixture.call(.post, Self.path, self.request(id)).json["id"]?.integerValue)
            _ = try await fixture.call(.delete, "/api/v1/zapier/webhooks/\(id)")
            try await self.run(fixture, replay)
            let shown = try await fixture.call(.get, "\(Self.path)/\(replay)")
            #expect(shown.json["state"] == "stopped" && shown.json["reason"] == "subscription_ended")
        }
    }

    @Test func namesEveryFault() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            let reply = try await fixture.call(
                .post,
                Self.path,
                ["subscription_id": .integer(id), "which": "some", "rate": 0, "filter": ["nothing": 1], "until": "x"]
            )
            #expect(reply.status == 422)
            #expect(reply.faultPointers.sorted() == ["/filter/nothing", "/from", "/rate", "/until", "/which"])
            let other = try await fixture.call(.post, Self.path, self.request(id), in: OrganizationID(2))
            #expect(other.faultPointers == ["/subscription_id"])
        }
    }
}
