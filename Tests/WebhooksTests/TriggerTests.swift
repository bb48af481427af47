import Database
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct TriggerTests {
    private static let path = "/api/v1/zapier/trigger/content_posted"
    private static let data: JSONValue = ["content_id": "post-7", "platform": "linkedin", "user_email": "ada@example.com", "mood": "good"]

    @Test func aClientsEventReachesItsSubscribersAsItWasAnswered() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                try await fixture.subscribe(target.url("/in"), to: [.contentPosted])
                try await fixture.delivering {
                    let reply = try await fixture.call(.post, Self.path, Self.data, as: .editor)
                    try await eventually("the webhook came") { !target.deliveries.isEmpty }
                    #expect(reply.status == 202)
                    #expect(reply.json["data"] == Self.data)
                    let delivered = try JSONValue(parsing: try #require(target.deliveries.first).body)
                    #expect(delivered == reply.json)
                }
            }
        }
    }

    @Test func dataBeyond64KiBIsRefused() async throws {
        try await Fixture.running { fixture in
            let long = JSONValue.string(String(repeating: "x", count: 64 << 10))
            let body = JSONValue.object((Self.data.objectValue ?? [:]).merging(["mood": long]) { $1 })
            let reply = try await fixture.call(.post, Self.path, body, as: .editor)
            #expect(reply.status == 413)
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 0)
        }
    }

    @Test func dataThatIsNotAsTheCatalogueSaysIsRefusedAndEveryFaultNamed() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.post, Self.path, ["content_id": 1.5, "user_email": 7], as: .editor)
            #expect(reply.status == 422)
            #expect(reply.faultPointers == ["/content_id", "/platform", "/user_email"])
            #expect(try await fixture.call(.post, Self.path, .array(["x"]), as: .editor).status == 422)
            #expect(try await fixture.call(.post, "/api/v1/zapier/trigger/nothing", Self.data, as: .editor).status == 404)
            #expect(try await fixture.call(.post, Self.path, Self.data, as: .viewer).status == 403)
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 0)
        }
    }

    @Test func aRepeatUnderItsKeyIsTheSameEvent() async throws {
        try await Fixture.running { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/", to: [.contentPosted])
            let first = try await fixture.call(.post, Self.path, Self.data, as: .editor, idempotencyKey: "once")
            let second = try await fixture.call(.post, Self.path, Self.data, as: .editor, idempotencyKey: "once")
            let other = try await fixture.call(
                .post,
                Self.path,
                ["content_id": 1, "platform": "x"],
                as: .editor,
                idempotencyKey: "once"
            )
            #expect(first.status == 202 && second.status == 202)
            #expect(first.json == second.json)
            #expect(other.status == 422)
            #expect(try await fixture.count("SELECT count(*) AS n FROM events") == 1)
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries") == 1)
        }
    }
}
