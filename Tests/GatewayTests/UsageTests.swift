import Database
import Foundation
import HTTPTypes
import Hummingbird
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

@Suite struct LatencyScaleTests {
    @Test func everyDurationHasItsBucketAndBucketsGrow() {
        #expect(LatencyScale.count == 82)
        #expect(LatencyScale.bucket(of: 0) == 0)
        #expect(LatencyScale.bucket(of: 63) == 0)
        #expect(LatencyScale.bucket(of: 64) == 1)
        #expect(LatencyScale.bucket(of: 128) == 5)
        #expect(LatencyScale.bucket(of: (1 << 26) - 1) == 80)
        #expect(LatencyScale.bucket(of: 1 << 26) == 81)
        #expect(LatencyScale.bucket(of: .max) == 81)
        var last = 0
        for microseconds in stride(from: Int64(0), to: 100_000_000, by: 997) {
            let bucket = LatencyScale.bucket(of: microseconds)
            #expect(bucket >= last)
            last = bucket
        }
    }

    @Test func percentilesLieWithinTheirPromisedError() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let durations = (0..<500).map { _ in Int64(exp2(Double.random(in: 6..<25.9, using: &random))) }.sorted()
            var counts = [Int64](repeating: 0, count: LatencyScale.count)
            for duration in durations { counts[LatencyScale.bucket(of: duration)] += 1 }
            for share in [0.5, 0.95, 0.99] {
                let exact = Double(durations[Int((share * 500).rounded(.up)) - 1])
                let estimate = try #require(LatencyScale.percentile(share, of: counts))
                // 2^(1/8), and the microsecond that whole numbers cut off.
                #expect(estimate / exact < 1.0906 + 1 / exact && exact / estimate < 1.0906, "\(exact) as \(estimate)")
            }
        }
        #expect(LatencyScale.percentile(0.5, of: [Int64](repeating: 0, count: LatencyScale.count)) == nil)
        #expect(LatencyScale.percentile(0.5, of: []) == nil)
    }
}

@Suite struct UsageTests {
    private static func observed(
        _ route: Route,
        _ subject: Principal.Subject?,
        status: Int = 200,
        microseconds: Int64 = 1_000,
        organization: Int64 = 5
    ) -> ObservedRequest {
        ObservedRequest(
            route: route,
            principal: subject.map { Principal(organizationID: OrganizationID(organization), subject: $0, role: .viewer, scopes: nil) },
            status: status,
            duration: .microseconds(microseconds),
            requestBytes: 10,
            responseBytes: 100,
            clientAddress: "192.0.2.1",
            agent: "tab\tnew\nline\\N \"quoted\"",
            requestID: "req-1"
        )
    }

    private func withLog(capacity: Int = RequestLog.capacity, _ body: @Sendable (TestDatabase, RequestLog) async throws -> Void)
        async throws
    {
        try await withDatabase(.gateway, migrations: ServiceMain.sharedMigrations + GatewayService.migrations) { database in
            try await body(
                database,
                RequestLog(store: RequestLogStore(database: database.runtime), capacity: capacity, logger: TestLog.quiet)
            )
        }
    }

    private static func countRows(_ database: TestDatabase) async throws -> Int? {
        try await database.runtime.readFirst("SELECT COUNT(*) FROM request_logs", as: Int.self)
    }

    // MARK: - Rows and sums

    @Test func sumsEqualTheRowsAndAddUpOverBatches() async throws {
        try await self.withLog { database, log in
            var random = SystemRandomNumberGenerator()
            let routes: [Route] = [.listContacts, .createCampaign, .getKey]
            for _ in 0..<4 {
                for _ in 0..<300 {
                    let key = Int64.random(in: 1...3, using: &random)
                    let subject: Principal.Subject = key == 3 ? .user(UserID(9)) : .key(APIKeyID(key), maker: UserID(9))
                    log.note(
                        Self.observed(
                            routes[Int.random(in: 0..<3, using: &random)],
                            subject,
                            status: [200, 201, 404, 429, 503][Int.random(in: 0..<5, using: &random)],
                            microseconds: Int64(exp2(Double.random(in: 0..<28, using: &random)))
                        )
                    )
                }
                await log.flush()
            }
            let mismatches = try await database.runtime.readFirst(
                """
                SELECT COUNT(*) FROM (
                    SELECT date_trunc('hour', time, 'UTC') AS start, CASE actor_kind WHEN 'key' THEN actor_id ELSE 0 END AS key_id,
                        method || ' ' || route AS route, status, COUNT(*) AS requests, SUM(request_bytes) AS request_bytes,
                        SUM(response_bytes) AS response_bytes, SUM(duration_us) AS duration_us
                    FROM request_logs WHERE organization_id = 5 GROUP BY 1, 2, 3, 4
                ) AS raw
                FULL JOIN (SELECT * FROM usage_sums WHERE organization_id = 5 AND grain = 'hour') AS kept
                    USING (start, key_id, route, status)
                WHERE (raw.requests, raw.request_bytes, raw.response_bytes, raw.duration_us)
                        IS DISTINCT FROM (kept.requests, kept.request_bytes, kept.response_bytes, kept.duration_us)
                    OR (SELECT SUM(counted) FROM unnest(kept.latency) AS counted) <> raw.requests
                """,
                as: Int.self
            )
            #expect(mismatches == 0)
            let durations = try await database.runtime.read("SELECT duration_us FROM request_logs", as: Int64.self)
            #expect(durations.count == 1_200)
            var expected = [Int64](repeating: 0, count: LatencyScale.count)
            for duration in durations { expected[LatencyScale.bucket(of: duration)] += 1 }
            for grain in ["hour", "day"] {
                let sum = try await database.runtime.readFirst(
                    "SELECT sum_buckets(latency)::text FROM usage_sums WHERE grain = \(grain)",
                    as: String.self
                )
                #expect(sum == "{\(expected.map(String.init).joined(separator: ","))}", "\(grain)")
            }
            let agent = try await database.runtime.readFirst("SELECT DISTINCT agent FROM request_logs", as: String.self)
            #expect(agent == "tab\tnew\nline\\N \"quoted\"")
        }
    }

    @Test func strangersAreOnlyCounted() async throws {
        try await self.withLog { database, log in
            log.note(Self.observed(.login, nil, status: 401))
            await log.flush()
            #expect(try await Self.countRows(database) == 0)
            let counted = try await database.runtime.read(
                "SELECT route || status FROM usage_sums WHERE organization_id = 0 AND grain = 'hour'",
                as: String.self
            )
            #expect(counted == ["POST /api/v1/auth/login401"])
        }
    }

    @Test func fullBufferRefusesAndWritesWhatItHolds() async throws {
        try await self.withLog(capacity: 10) { database, log in
            for _ in 0..<25 { log.note(Self.observed(.getKey, .user(UserID(1)))) }
            #expect(log.droppedSoFar == 15)
            await log.flush()
            // Outside the macro: its `try` does not make the closure one that throws.
            let count = try await Self.countRows(database)
            #expect(count == 10)
            #expect(log.droppedSoFar == 0)
        }
    }

    @Test func recordsWaitWhileTheDatabaseIsAway() async throws {
        let away = Postgres(
            DatabaseConfiguration(url: Secret("postgres://gateway:x@127.0.0.1:1/none"), schema: "gateway", applicationName: "test"),
            logger: TestLog.quiet
        )
        let log = RequestLog(store: RequestLogStore(database: away), capacity: 10, logger: TestLog.quiet)
        for _ in 0..<5 { log.note(Self.observed(.getKey, .user(UserID(1)))) }
        await log.flush()
        #expect(log.waitingCount == 5)
        #expect(log.droppedSoFar == 0)
    }

    @Test func requestsAreWrittenAtShutdown() async throws {
        try await withDatabase(.gateway, migrations: ServiceMain.sharedMigrations + GatewayService.migrations) { database in
            let log = RequestLog(store: RequestLogStore(database: database.runtime), logger: TestLog.quiet)
            try await withGracefulRun(of: log) { _ in
                for _ in 0..<3 { log.note(Self.observed(.getKey, .user(UserID(1)))) }
            }
            #expect(try await Self.countRows(database) == 3)
        }
    }

    // MARK: - Retention

    @Test func runtimeRoleMakesAndDropsDaysThroughFunctionsOnly() async throws {
        try await self.withLog { database, _ in
            let store = RequestLogStore(database: database.runtime)
            #expect(try await store.makePartitions(daysAhead: 2) == 0)
            #expect(try await store.makePartitions(daysAhead: 4) == 2)
            try await database.owner.write(
                """
                INSERT INTO request_logs (organization_id, time, actor_kind, actor_id, method, route, status, duration_us, response_bytes, request_id)
                SELECT 5, now() - make_interval(days => days), 'user', 1, 'GET', '/', 200, 1, 1, 'r' FROM unnest(ARRAY[0, 3, 31, 40]) AS days
                """
            )
            try await database.owner.write(
                """
                CREATE TABLE request_logs_20200101 PARTITION OF request_logs FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')
                """
            )
            #expect(try await store.dropPartitions(daysKept: 30) == 1)
            let left = try await database.runtime.readFirst("SELECT COUNT(*) FROM request_logs", as: Int.self)
            #expect(left == 2)
            let day = try await database.runtime.readFirst(
                "SELECT 'request_logs_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')",
                as: String.self
            )
            let today = try #require(day)
            let refused: [Query] = [
                "UPDATE request_logs SET status = 1", "TRUNCATE request_logs", "DROP TABLE request_logs",
                Query(stringLiteral: "DROP TABLE \(today)"), Query(stringLiteral: "DELETE FROM \(today)"),
                Query(stringLiteral: "SELECT 1 FROM \(today)"), "CREATE TABLE other (id int)",
            ]
            for statement in refused {
                let error = await #expect(throws: DatabaseError.self) { try await database.runtime.write(statement) }
                #expect(error?.sqlState == "42501", "\(statement)")
            }
            await #expect(throws: DatabaseError.self) { try await store.dropPartitions(daysKept: 0) }
        }
    }

    @Test func oldSumsAreRemoved() async throws {
        try await self.withLog { database, log in
            log.note(Self.observed(.getKey, .user(UserID(1))))
            await log.flush()
            try await database.runtime.write("UPDATE usage_sums SET start = start - INTERVAL '401 days' WHERE grain = 'day'")
            let store = RequestLogStore(database: database.runtime)
            #expect(try await store.removeUsage(daysKept: 400, atMost: 10) == 1)
            #expect(try await store.removeUsage(daysKept: 400, atMost: 10) == 0)
        }
    }

    // MARK: - Through the door

    @Test func everyRequestOfAKnownCallerIsLoggedWithoutItsSecrets() async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok, body: .init(byteBuffer: .init(string: "{\"data\":[]}"))) }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let member = try await gateway.register()
                let (id, key) = try await gateway.key(of: member, [.contactsRead])
                let headers = [("X-API-Key", key), ("User-Agent", "probe/1"), ("X-Request-Id", "probe-7")]
                #expect(try await gateway.door.send("GET", "/api/v1/contacts?token=hidden", headers: headers).status == 200)
                #expect(try await gateway.door.send("GET", "/api/v1/api/keys/\(id)?token=hidden", headers: headers).status == 403)
                #expect(try await gateway.door.send("GET", "/api/v1/campaigns/7", headers: headers).status == 403)
                _ = try await gateway.door.send("GET", "/healthz")
                await gateway.gateways[0].requestLog.flush()
                let rows = try await gateway.database.runtime.read(
                    """
                    SELECT concat_ws(' ', actor_kind, actor_id = \(id), method, route, status, response_bytes > 0, address, agent, request_id)
                    FROM request_logs WHERE organization_id = \(member.organization) AND actor_kind = 'key' ORDER BY time, id
                    """,
                    as: String.self
                )
                #expect(
                    rows == [
                        "key t GET /api/v1/contacts 200 t 127.0.0.1 probe/1 probe-7",
                        "key t GET /api/v1/api/keys/{id} 403 t 127.0.0.1 probe/1 probe-7",
                        "key t GET /api/v1/campaigns/{id} 403 t 127.0.0.1 probe/1 probe-7",
                    ]
                )
                let all = try await gateway.database.runtime.read("SELECT row_to_json(r)::text FROM request_logs r", as: String.self)
                    .joined()
                for secret in ["hidden", key, member.accessToken, TestGateway.password] { #expect(!all.contains(secret)) }
                let routes = try await gateway.database.runtime.read("SELECT DISTINCT route FROM usage_sums", as: String.self)
                #expect(!routes.contains { $0.contains("healthz") || $0 == "unmatched" })
            }
        }
    }

    @Test func usageOfAKeyAndOfTheOrganizationTellWhatHappened() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let other = try await gateway.register("eve@example.com")
            let (id, key) = try await gateway.key(of: member, [.organizationRead])
            for _ in 0..<3 { _ = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]) }
            for _ in 0..<2 { _ = try await gateway.door.send("GET", "/api/v1/api/keys", headers: [("X-API-Key", key)]) }
            await gateway.gateways[0].requestLog.flush()

            let usage = try await gateway.door.send("GET", "/api/v1/api/keys/\(id)/usage", headers: member.bearer)
            #expect(usage.status == 200)
            #expect(usage.json["totals"]?["requests"] == 5)
            #expect(usage.json["totals"]?["errors"] == 2)
            let routes = try #require(usage.json["routes"]?.arrayValue)
            #expect(routes.map { $0["route"] } == ["GET /api/v1/api/public/user", "GET /api/v1/api/keys"])
            #expect(routes.map { $0["status"] } == [200, 403])
            #expect(routes.map { $0["requests"] } == [3, 2])

            let path = "/api/v1/admin/api/usage-analytics"
            for granularity in ["hour", "day", "month"] {
                let answer = try await gateway.door.send("GET", path + "?granularity=\(granularity)", headers: member.bearer)
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.json["keys"]?.arrayValue?.first { $0["key_id"] == .integer(id) }?["requests"] == 5)
                #expect(answer.json["keys"]?.arrayValue?.first { $0["key_id"] == .integer(id) }?["name"] == "test")
                #expect(answer.json["keys"]?.arrayValue?.contains { $0["key_id"] == .null } == true)
                #expect(answer.json["statuses"]?.arrayValue?.first { $0["status"] == 403 }?["requests"] == 2)
                #expect(answer.json["totals"]?["p95_ms"] != .null)
                let points = (answer.json["series"]?.arrayValue ?? []).compactMap { $0["requests"]?.integerValue }
                #expect(points.reduce(0, +) == answer.json["totals"]?["requests"]?.integerValue)
            }
            let theirs = try await gateway.door.send("GET", path, headers: other.bearer)
            #expect(
                theirs.json["totals"]?["requests"] == 0
                    || theirs.json["keys"]?.arrayValue?.contains { $0["key_id"] == .integer(id) } == false
            )
            #expect(try await gateway.door.send("GET", "/api/v1/api/keys/\(id)/usage", headers: other.bearer).status == 404)
            let past = path + "?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z"
            let empty = try await gateway.door.send("GET", past, headers: member.bearer)
            #expect(empty.json["totals"]?["requests"] == 0)
            #expect(empty.json["totals"]?["p50_ms"] == .null)
            for query in ["granularity=week", "from=x", "from=2020-01-01T00:00:00Z", "limit=5", "colour=red", "from=2100-01-01T00:00:00Z"] {
                #expect(try await gateway.door.send("GET", path + "?" + query, headers: member.bearer).status == 422, "\(query)")
            }
        }
    }
}
