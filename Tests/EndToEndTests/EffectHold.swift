import Database
import Dispatch
import LocalStack
import Logging
import Models

/// Holds up every effect under an Idempotency-Key at one point, from outside, until it is let go.
struct EffectHold: Sendable {
    enum Point: CaseIterable, Sendable {
        /// The effect is done, its key is not stored: the table lets nobody write.
        case beforeTheKeyIsStored
        /// COMMIT was sent and is not done: a deferred trigger waits.
        case inTheCommit
    }

    private let stack: Stack
    private let point: Point
    private let release = DispatchSemaphore(value: 0)

    private static let tables = ServiceName.allCases.map { "\($0.rawValue).idempotency_keys" }

    /// Holds while `body` runs; `body` may let go before its end.
    static func during(_ point: Point, on stack: Stack, _ body: (EffectHold) async throws -> Void) async throws {
        let hold = EffectHold(stack: stack, point: point)
        try await hold.install()
        let result: Result<Void, any Error>
        do { result = .success(try await hold.around(body)) } catch { result = .failure(error) }
        try await hold.uninstall()
        try result.get()
    }

    private init(stack: Stack, point: Point) {
        self.stack = stack
        self.point = point
    }

    func letGo() { self.release.signal() }

    private func around(_ body: (EffectHold) async throws -> Void) async throws {
        let url = Secret(self.stack.postgres.url(role: "postgres"))
        let database = Postgres(
            DatabaseConfiguration(url: url, schema: "public", applicationName: "hold"),
            logger: Logger(label: "hold", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let (holding, started) = AsyncStream.makeStream(of: Void.self)
        let (release, statement) = (self.release, self.statement)
        let holder = Task {
            defer { started.finish() }
            try await database.transaction { transaction in
                try transaction.write(statement)
                started.finish()
                release.wait()
            }
        }
        for await _ in holding {}
        let result: Result<Void, any Error>
        do { result = .success(try await body(self)) } catch { result = .failure(error) }
        self.letGo()
        try await holder.value
        try result.get()
    }

    private var statement: Query {
        switch self.point {
        case .beforeTheKeyIsStored:
            """
            LOCK TABLE gateway.idempotency_keys, integrations.idempotency_keys, campaigns.idempotency_keys, webhooks.idempotency_keys
            IN SHARE MODE
            """
        // The space of two numbers is not that of the locks that the services take.
        case .inTheCommit: "DO 'BEGIN PERFORM pg_advisory_xact_lock(77, 1); END'"
        }
    }

    private func install() async throws {
        guard self.point == .inTheCommit else { return }
        for table in Self.tables {
            try await self.stack.postgres.psql(
                nil,
                [
                    "-c",
                    """
                    CREATE FUNCTION \(table)_hold() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_advisory_xact_lock_shared(77, 1); RETURN NULL; END';
                    CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON \(table) DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION \(table)_hold()
                    """,
                ]
            )
        }
    }

    private func uninstall() async throws {
        guard self.point == .inTheCommit else { return }
        for table in Self.tables { try await self.stack.postgres.psql(nil, ["-c", "DROP FUNCTION \(table)_hold() CASCADE"]) }
    }

    /// Until so many transactions of each of these services stand at the point.
    func waitUntilHeld(_ effects: [Creation]) async throws {
        let expected = Set(Dictionary(grouping: effects, by: \.owner.rawValue).map { "\($0.key)|\($0.value.count)" })
        let sign =
            switch self.point {
            case .beforeTheKeyIsStored: "query LIKE 'INSERT INTO idempotency_keys%'"
            case .inTheCommit: "wait_event = 'advisory'"
            }
        let question = "SELECT usename, count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND \(sign) GROUP BY 1"
        try await LocalWait.until("\(expected.sorted()) to be held", within: .seconds(20)) { () -> Void? in
            let held = try await self.stack.postgres.psql(nil, ["-tAc", question]).split(separator: "\n").map(String.init)
            return expected.isSubset(of: held) ? () : nil
        }
    }
}
