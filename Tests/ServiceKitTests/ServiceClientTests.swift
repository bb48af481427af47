import HTTPTypes
import Hummingbird
import Models
import TestSupport
import Testing
import Transport

@testable import ServiceKit

@Suite struct ServiceClientTests {
    /// Nothing listens on port 1 of loopback.
    private static let dead = "http://127.0.0.1:1"

    private func client(_ urls: [String], _ inside: HTTPClient) throws -> ServiceClient {
        ServiceClient(
            from: .integrations,
            to: .campaigns,
            replicas: urls,
            identities: try TestKeys.identities(.integrations),
            client: inside
        )
    }

    private func withCampaigns(
        _ answer: @escaping @Sendable (Request, PeerContext) async throws -> Response,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await withServer(.campaigns) { table in
            table.mountInternal(.nudgeChanges, answer)
        } _: { server in
            try await body(server)
        }
    }

    @Test func callIsSignedTracedAndDecoded() async throws {
        try await self.withCampaigns { request, context in
            #expect(context.identity.caller == .integrations)
            #expect(context.requestID == "outer-1")
            let nudge = try await request.decodeBody(ChangeNudge.self)
            #expect(request.headers[.traceParent]?.contains("4bf92f3577b34da6a3ce929d0e0e4736") == true)
            return try .json(IntakeReceipt(stored: Int(nudge.organizationID.rawValue)))
        } _: { server in
            let trace = try #require(TraceParent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
            try await RequestScope.$current.withValue(RequestScope(requestID: "outer-1", traceParent: trace)) {
                let receipt: IntakeReceipt = try await self.client([server.url], server.client).call(
                    .nudgeChanges,
                    body: ChangeNudge(organizationID: OrganizationID(9)),
                    isIdempotent: true
                )
                #expect(receipt.stored == 9)
            }
        }
    }

    @Test func deadReplicaCostsNoCallAndIsLeftOut() async throws {
        try await self.withCampaigns { _, _ in
            .noContent
        } _: { server in
            let client = try self.client([Self.dead, server.url], server.client)
            for _ in 0..<20 {
                _ = try await client.call(
                    .nudgeChanges,
                    body: ChangeNudge(organizationID: OrganizationID(1)),
                    isIdempotent: false,
                    as: NoAnswer.self
                )
            }
        }
    }

    @Test func noReplicaIsSaidToBeUnavailable() async throws {
        let inside = HTTPClient(.inside(), logger: TestLog.quiet)
        let client = try self.client([Self.dead], inside)
        let error = await #expect(throws: ServiceCallError.self) {
            _ = try await client.call(
                .nudgeChanges,
                body: ChangeNudge(organizationID: OrganizationID(1)),
                isIdempotent: false,
                as: NoAnswer.self
            )
        }
        #expect(error?.kind == .notSent)
        #expect(error?.problem.kind == .unavailable)
        await inside.shutdown(within: .seconds(1))
    }

    @Test func problemOfThePeerIsSurfaced() async throws {
        try await self.withCampaigns { _, _ in
            throw Problem(.validation, "Faults.", errors: [.init(pointer: "/a", detail: "is missing")])
        } _: { server in
            let client = try self.client([server.url], server.client)
            let error = await #expect(throws: ServiceCallError.self) {
                _ = try await client.call(
                    .nudgeChanges,
                    body: ChangeNudge(organizationID: OrganizationID(1)),
                    isIdempotent: true,
                    as: NoAnswer.self
                )
            }
            #expect(error?.status == 422)
            #expect(error?.answer?.kind == .validation)
            #expect(error?.answer?.errors == [.init(pointer: "/a", detail: "is missing")])
        }
    }

    @Test func failureIsRepeatedOnlyWhereThatIsSafe() async throws {
        let calls = LockedCount()
        try await self.withCampaigns { _, _ in
            if calls.add() % 3 != 0 { throw Problem(.unavailable, "Not yet.") }
            return .noContent
        } _: { server in
            let client = try self.client([server.url], server.client)
            let nudge = ChangeNudge(organizationID: OrganizationID(1))
            _ = try await client.call(.nudgeChanges, body: nudge, isIdempotent: true, as: NoAnswer.self)
            #expect(calls.value == 3)
            let error = await #expect(throws: ServiceCallError.self) {
                _ = try await client.call(.nudgeChanges, body: nudge, isIdempotent: false, as: NoAnswer.self)
            }
            #expect(error?.status == 503)
            #expect(calls.value == 4)
        }
    }

    @Test func sendStreamsBothWays() async throws {
        try await self.withCampaigns { request, _ in
            Response(status: .ok, body: ResponseBody(asyncSequence: request.body))
        } _: { server in
            let chunks = Chunks(count: 50, size: 10_000)
            var request = OutgoingRequest(.post, "/internal/nudges/changes", requestID: "s-1", timeouts: Timeouts())
            request.headers[.contentType] = "application/x-ndjson"
            request.body = .stream(length: nil) { chunks.next() }
            let response = try await self.client([server.url], server.client).send(request)
            #expect(response.head.status == .ok)
            #expect(try await response.collect(upTo: 1 << 20).count == 500_000)
        }
    }

    /// One fault of a replica, met by many calls at once, is not many faults in a row.
    @Test func aBurstLeavesAReplicaOutForTheShortestWhile() throws {
        let pool = ReplicaPool(1, backoff: Backoff(base: .seconds(10), limit: .seconds(1000)))
        let now = ContinuousClock.now
        for _ in 0..<50 { _ = pool.pick(now: now) }
        for _ in 0..<50 { pool.finish(0, .notConnected, now: now) }
        guard case .replica = pool.pick(now: now + .seconds(20)) else { return #expect(Bool(false), "still left out") }
    }

    @Test func replicaIsEjectedProbedAndTakenBack() throws {
        let pool = ReplicaPool(2, backoff: Backoff(base: .seconds(10), limit: .seconds(10)))
        let now = ContinuousClock.now
        func take(_ moment: ContinuousClock.Instant, avoiding: Set<Int> = []) -> Int? {
            guard case .replica(let index) = pool.pick(avoiding: avoiding, now: moment) else { return nil }
            return index
        }
        for _ in 0..<2 {
            #expect(take(now, avoiding: [1]) == 0)
            pool.finish(0, .notConnected, now: now)
        }
        #expect(pool.healthyCount == 1)
        for _ in 0..<20 {
            #expect(take(now) == 1)
            pool.finish(1, .answered, now: now)
        }
        let later = now + .seconds(11)
        #expect(take(later) == 0)
        // One probe at a time.
        #expect(take(later) == 1)
        pool.finish(0, .answered, now: later)
        #expect(pool.healthyCount == 2)
    }

    @Test func lessBusyReplicaIsPreferred() {
        let pool = ReplicaPool(2)
        for _ in 0..<50 { _ = pool.pick(avoiding: [1]) }
        var second = 0
        for _ in 0..<40 {
            if case .replica(1) = pool.pick() { second += 1 }
        }
        // Two picks at random are the same replica half of the time, and that one may be the busy one.
        #expect(second > 20)
    }
}
