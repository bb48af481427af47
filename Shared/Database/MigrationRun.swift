import CLibPQ
import Glibc
import Logging
import Models

/// One run of the migrator on its own thread and connection, which may block.
struct MigrationRun {
    let url: Secret
    let schema: String
    let logger: Logger

    /// How long a run waits for Postgres to come up.
    private static let connectLimit: Duration = .seconds(30)
    /// How long a run waits for another process's run.
    private static let turnLimit: Duration = .seconds(600)
    /// A statement that needs a lock on a busy table gives way, so that it does not block the queue behind it, and tries again.
    private static let lockTimeout = "3s"
    private static let lockAttempts = 20

    func run(_ migrations: [Migration]) throws -> [String] {
        let connection = try self.connect()
        let runner = ScriptConnection(connection)
        try self.takeTurn(runner)
        // The lock belongs to the session and ends with the connection, on every path.
        try self.prepare(runner)
        let applied = try runner.run(AppliedMigration.query.sql).rows(as: AppliedMigration.self)
        let missing = try self.missing(migrations, applied)
        for migration in missing {
            try self.apply(migration, runner)
            self.logger.info("migration applied", metadata: ["migration": "\(migration.name)"])
        }
        return missing.map(\.name)
    }

    private func connect() throws -> Connection {
        let parameters = ConnectionParameters(
            url: self.url,
            schema: self.schema,
            applicationName: "\(self.schema)-migrate",
            settings: [("lock_timeout", Self.lockTimeout)]
        )
        let end = Monotonic.now + Self.connectLimit
        var backoff = Backoff()
        while true {
            do throws(DatabaseError) {
                return try Connection.open(parameters)
            } catch {
                let pause = backoff.next()
                guard error.kind == .unavailable, Self.mayComeUp(error), Monotonic.now + pause < end else { throw error }
                usleep(UInt32(pause.milliseconds * 1000))
            }
        }
    }

    /// A refused password or a missing database does not mend itself.
    private static func mayComeUp(_ error: DatabaseError) -> Bool {
        !error.detail.contains("authentication failed") && !error.detail.contains("does not exist")
    }

    /// Polls: a session that waits inside `pg_advisory_lock` holds a snapshot, for which CREATE INDEX CONCURRENTLY would wait in turn for ever.
    private func takeTurn(_ runner: ScriptConnection) throws {
        let end = Monotonic.now + Self.turnLimit
        while try !runner.first(
            "SELECT pg_try_advisory_lock(hashtextextended('switchboard migrations ' || current_schema(), 0))",
            as: Bool.self
        ) {
            guard Monotonic.now < end else { throw DatabaseError(.timedOut, "another process has been migrating for too long") }
            usleep(100_000)
        }
    }

    private func prepare(_ runner: ScriptConnection) throws {
        guard try runner.first("SELECT current_schema() IS NOT NULL", as: Bool.self) else {
            throw DatabaseError(.misuse, "the schema \(self.schema) does not exist")
        }
        _ = try runner.run(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                name text PRIMARY KEY,
                checksum text NOT NULL,
                is_breaking boolean NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
            )
            """
        )
        // The schema's default privileges let the runtime role write in every table: not in this one.
        _ = try runner.run(
            """
            DO $$
            DECLARE grantee text;
            BEGIN
                FOR grantee IN
                    SELECT DISTINCT privilege.grantee::text FROM information_schema.table_privileges AS privilege
                    WHERE privilege.table_schema = current_schema() AND privilege.table_name = 'schema_migrations'
                    AND privilege.grantee <> current_user AND privilege.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
                LOOP
                    EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_migrations FROM %I', grantee);
                END LOOP;
            END $$
            """
        )
    }

    private func missing(_ migrations: [Migration], _ applied: [AppliedMigration]) throws -> [Migration] {
        let migrator = Migrator(migrations, schema: self.schema, logger: self.logger)
        switch migrator.compare(applied) {
        case .current, .ahead: return []
        case .behind(let names): return migrations.filter { names.contains($0.name) }
        case .changed(let names):
            throw DatabaseError(.misuse, "applied migrations were edited: \(names.joined(separator: ", "))")
        case .incompatible(let names):
            throw DatabaseError(.misuse, "the schema has breaking migrations of a newer build: \(names.joined(separator: ", "))")
        }
    }

    private func apply(_ migration: Migration, _ runner: ScriptConnection) throws {
        var attempt = 1
        while true {
            do {
                try migration.isSingleStatement ? self.applySingle(migration, runner) : self.applyWhole(migration, runner)
                return
            } catch var error as DatabaseError {
                // lock_not_available, deadlock_detected
                guard error.sqlState == "55P03" || error.sqlState == "40P01", attempt < Self.lockAttempts else {
                    error.detail = "\(migration.name): \(error.detail)"
                    throw error
                }
                self.logger.warning("migration waits for a lock", metadata: ["migration": "\(migration.name)", "attempt": "\(attempt)"])
                usleep(UInt32.random(in: 100_000...500_000))
                attempt += 1
            }
        }
    }

    private func applyWhole(_ migration: Migration, _ runner: ScriptConnection) throws {
        _ = try runner.run("BEGIN")
        do {
            _ = try runner.run(migration.sql)
            guard runner.transactionStatus == PQTRANS_INTRANS else {
                throw DatabaseError(.misuse, "the migration ends its own transaction")
            }
            _ = try runner.run(self.record(migration))
            _ = try runner.run("COMMIT")
        } catch {
            if runner.transactionStatus != PQTRANS_IDLE { _ = try? runner.run("ROLLBACK") }
            throw error
        }
    }

    private func applySingle(_ migration: Migration, _ runner: ScriptConnection) throws {
        try self.dropInvalidIndexes(runner)
        _ = try runner.run(migration.sql)
        _ = try runner.run(self.record(migration))
    }

    /// What a failed CREATE INDEX CONCURRENTLY leaves behind: unusable, and IF NOT EXISTS would take it for the real one.
    private func dropInvalidIndexes(_ runner: ScriptConnection) throws {
        let names = try runner.run(
            """
            SELECT quote_ident(class.relname) FROM pg_index AS index
            JOIN pg_class AS class ON class.oid = index.indexrelid
            JOIN pg_class AS owner ON owner.oid = index.indrelid AND owner.relkind = 'r'
            WHERE NOT index.indisvalid AND class.relnamespace = current_schema()::regnamespace
            """
        ).rows(as: String.self)
        for name in names { _ = try runner.run("DROP INDEX CONCURRENTLY IF EXISTS \(name)") }
    }

    /// Written out as text because scripts go over the simple protocol; name and checksum are of a form that needs no quoting.
    private func record(_ migration: Migration) throws -> String {
        guard migration.name.utf8.allSatisfy({ $0 != UInt8(ascii: "'") && $0 != UInt8(ascii: "\\") }) else {
            throw DatabaseError(.misuse, "the migration's name holds a quote")
        }
        return """
            INSERT INTO schema_migrations (name, checksum, is_breaking)
            VALUES ('\(migration.name)', '\(migration.checksum)', \(migration.isBreaking))
            """
    }
}

/// Scripts of several statements over the simple protocol; waits for as long as they take. Their text is ours: whole messages are kept.
struct ScriptConnection {
    private let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    var transactionStatus: PGTransactionStatusType { self.connection.transactionStatus }

    /// - Returns: the last statement's result.
    func run(_ sql: String) throws(DatabaseError) -> ResultBox {
        guard self.connection.sendSimple(sql) else { throw self.broken }
        var last: ResultBox?
        var fault: DatabaseError?
        while true {
            while self.connection.isBusy {
                let flushed = self.connection.flush()
                guard flushed != .broken else { throw self.broken }
                let ready = self.connection.wait(forOutput: flushed == .more, waker: nil, until: .distantFuture)
                guard !ready.socket || self.connection.consume() else { throw self.broken }
            }
            guard let result = self.connection.nextResult() else { break }
            fault = fault ?? result.error(isTrusted: true)
            last = result
        }
        if let fault { throw fault }
        guard let last, self.connection.isOpen else { throw self.broken }
        return last
    }

    func first<R: RowDecodable>(_ sql: String, as type: R.Type) throws -> R {
        guard let value = try self.run(sql).first(as: type) else { throw DatabaseError(.misuse, "no row") }
        return value
    }

    private var broken: DatabaseError { DatabaseError(.unavailable, "the connection broke: \(self.connection.message)") }
}
