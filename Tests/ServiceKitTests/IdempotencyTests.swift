import Database
import Dispatch
import Encryption
import Foundation
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import TestSupport
import Testing

@testable import ServiceKit

@Suite struct IdempotencyTests {
    private let context = CallerContext(principal: .user(.editor), route: .createCampaign, requestID: "r")

    private func withIdempotency(_ body: @escaping @Sendable (Idempotency, TestDatabase) async throws -> Void) async throws {
        try await withDatabase(.campaigns, migrations: ServiceMain.sharedMigrations) { database in
            let ring = try KeyRing(current: Secret("a passphrase that is long enough, really"), previous: [], development: true)
            try await body(try Idempotency(database: database.runtime, keyRing: ring), database)
        }
    }

    private func request(_ key: String?, path: String = "/api/v1/campaigns") -> Request {
        var headers: HTTPFields = [:]
        if let key { headers[.idempotencyKey] = key }
        return Request(
            head: HTTPRequest(method: .post, scheme: nil, authority: nil, path: path, headerFields: headers),
            body: RequestBody(buffer: ByteBuffer())
        )
    }

    /// One visible row for each time it runs.
    private static func effect(_ transaction: Transaction) throws -> StoredAnswer {
        let id = EventID.make("evt")
        try transaction.write(
            "INSERT INTO outbox (organization_id, id, destination, body) VALUES (\(Int64(7)), \(id), 'webhooks', \(JSONValue.object([:])))"
        )
        return try StoredAnswer.json(["id": id], status: 201)
    }

    private func effects(_ database: TestDatabase) async throws -> Int {
        try await database.runtime.readFirst("SELECT count(*) AS n FROM outbox", as: Int.self) ?? -1
    }

    private func bytes(_ response: Response) async throws -> [UInt8] {
        let sink = BodySink()
        try await response.body.write(sink)
        return sink.bytes
    }

    @Test func repeatAnswersWhatWasStored() async throws {
        try await self.withIdempotency { idempotency, database in
            let first = try await idempotency.perform(self.request("k-1"), self.context, body: [1], effect: Self.effect)
            let second = try await idempotency.perform(self.request("\"k-1\""), self.context, body: [1], effect: Self.effect)
            #expect(first.status == .created)
            #expect(second.status == .created)
            #expect(first.headers[.idempotencyReplayed] == nil)
            #expect(second.headers[.idempotencyReplayed] == "true")
            #expect(try await self.bytes(first) == self.bytes(second))
            #expect(try await self.effects(database) == 1)
        }
    }

    @Test func storedAnswerIsSealed() async throws {
        try await self.withIdempotency { idempotency, database in
            _ = try await idempotency.perform(self.request("k"), self.context, body: []) { _ in
                try StoredAnswer.json(["key": "hunter2"], status: 201)
            }
            let stored = try await database.runtime.readFirst(
                "SELECT encode(answer, 'escape') AS answer FROM idempotency_keys",
                as: String.self
            )
            #expect(try !#require(stored).contains("hunter2"))
        }
    }

    @Test func otherBodyOrPathIsRefused() async throws {
        try await self.withIdempotency { idempotency, database in
            _ = try await idempotency.perform(self.request("k"), self.context, body: [1], effect: Self.effect)
            for (path, body) in [("/api/v1/campaigns", [UInt8(2)]), ("/api/v1/campaigns?x=1", [1])] {
                let problem = await #expect(throws: Problem.self) {
                    _ = try await idempotency.perform(self.request("k", path: path), self.context, body: body, effect: Self.effect)
                }
                #expect(problem?.kind == .idempotencyMismatch)
            }
            #expect(try await self.effects(database) == 1)
        }
    }

    @Test func otherCallerAndOtherRouteHaveTheirOwnKeys() async throws {
        try await self.withIdempotency { idempotency, database in
            let others = [
                self.context,
                CallerContext(principal: .key(.editor, []), route: .createCampaign, requestID: "r"),
                CallerContext(principal: .user(.editor, organization: 8), route: .createCampaign, requestID: "r"),
                CallerContext(principal: .user(.editor), route: .sendCampaign, requestID: "r"),
            ]
            for context in others {
                let answer = try await idempotency.perform(self.request("k"), context, body: [1], effect: Self.effect)
                #expect(answer.headers[.idempotencyReplayed] == nil)
            }
            #expect(try await self.effects(database) == others.count)
        }
    }

    @Test func runningRequestIsInTheWay() async throws {
        try await self.withIdempotency { idempotency, database in
            let started = Gate()
            let release = DispatchSemaphore(value: 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await idempotency.perform(self.request("k"), self.context, body: [1]) { transaction in
                        started.open()
                        release.wait()
                        return try Self.effect(transaction)
                    }
                }
                try await started.wait()
                let problem = await #expect(throws: Problem.self) {
                    _ = try await idempotency.perform(self.request("k"), self.context, body: [1], effect: Self.effect)
                }
                #expect(problem?.kind == .idempotencyRunning)
                release.signal()
                try await group.waitForAll()
            }
            #expect(try await self.effects(database) == 1)
        }
    }

    @Test func throwingEffectLeavesNothing() async throws {
        try await self.withIdempotency { idempotency, database in
            let problem = await #expect(throws: Problem.self) {
                _ = try await idempotency.perform(self.request("k"), self.context, body: [1]) { transaction in
                    _ = try Self.effect(transaction)
                    throw Problem(.conflict, "Not now.")
                }
            }
            #expect(problem?.kind == .conflict)
            #expect(try await self.effects(database) == 0)
            let answer = try await idempotency.perform(self.request("k"), self.context, body: [2], effect: Self.effect)
            #expect(answer.status == .created)
            #expect(answer.headers[.idempotencyReplayed] == nil)
        }
    }

    @Test func expiredKeyIsFreeAgainAndPurged() async throws {
        try await self.withIdempotency { idempotency, database in
            _ = try await idempotency.perform(self.request("k"), self.context, body: [1], effect: Self.effect)
            _ = try await idempotency.perform(self.request("l"), self.context, body: [1], effect: Self.effect)
            try await database.runtime.write("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
            let answer = try await idempotency.perform(self.request("k"), self.context, body: [2], effect: Self.effect)
            #expect(answer.headers[.idempotencyReplayed] == nil)
            #expect(try await IdempotencyPurge(database: database.runtime, logger: TestLog.quiet).purge() == 1)
        }
    }

    @Test(arguments: ["", "a b", "\"open", "\"a\"b", "\"bad\\x\"", "a,b", String(repeating: "k", count: 256)])
    func malformedKeyIsRefused(_ key: String) async throws {
        try await self.withIdempotency { idempotency, _ in
            let problem = await #expect(throws: Problem.self) {
                _ = try await idempotency.perform(self.request(key), self.context, body: [], effect: Self.effect)
            }
            #expect(problem?.kind == .badRequest)
        }
    }

    @Test func withoutTheHeaderEachRequestRuns() async throws {
        try await self.withIdempotency { idempotency, database in
            for _ in 0..<2 { _ = try await idempotency.perform(self.request(nil), self.context, body: [1], effect: Self.effect) }
            #expect(try await self.effects(database) == 2)
        }
    }
}
