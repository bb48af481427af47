import Foundation
import Logging
import Models
import TestSupport
import Testing

@testable import Database

@Suite struct MigratorTests {
    private func migration(_ file: String, _ sql: String) throws -> Migration { try Migration(file: file, Array(sql.utf8)) }

    private func migrator(_ migrations: [Migration]) -> Migrator { Migrator(migrations, schema: "campaigns", logger: TestLog.quiet) }

    @Test func marksAreReadFromTheFirstLine() throws {
        let breaking = try migration("M0012_x.sql", "-- breaking: drops a column\nSELECT 1;")
        #expect(breaking.isBreaking && !breaking.isSingleStatement && breaking.number == 12 && breaking.name == "M0012_x")
        #expect(try migration("M0001_x.sql", "-- single statement\nCREATE INDEX …").isSingleStatement)
        #expect(try !migration("M0001_x.sql", "SELECT 1; -- breaking").isBreaking)
        for file in ["x.sql", "0001_x.sql", "M_x.sql", "M0001.sql", "m0001_x.sql"] {
            #expect(throws: DatabaseError.self) { try migration(file, "SELECT 1") }
        }
        #expect(throws: DatabaseError.self) { try Migration(file: "M0001_x.sql", [0xFF]) }
    }

    @Test func theChecksumIgnoresLineEndsAndTrailingBlanksOnly() throws {
        let one = try migration("M0001_x.sql", "SELECT 1;\nSELECT 2;\n")
        #expect(try migration("M0001_x.sql", "SELECT 1;  \r\nSELECT 2;").checksum == one.checksum)
        #expect(try migration("M0001_x.sql", "SELECT 1;\nSELECT 3;\n").checksum != one.checksum)
        #expect(try migration("M0001_x.sql", "SELECT 1;SELECT 2;").checksum != one.checksum)
        #expect(try migration("M0001_x.sql", "  SELECT 1;\nSELECT 2;\n").checksum != one.checksum)
    }

    @Test func sharedOnesComeFirstAndEachOnlyOnce() async throws {
        try await withItems { database in
            let all = try [
                migration("M0001_items.sql", String(decoding: Fixture.migrations[0].bytes, as: UTF8.self)),
                migration("M0010_late.sql", "CREATE TABLE late (id bigint); INSERT INTO shared VALUES (1);"),
                migration("M0009_early.sql", "CREATE TABLE early (id bigint);"),
                migration("S0001_shared.sql", "CREATE TABLE shared (id bigint);"),
            ]
            #expect(try await migrator(all).state(database.runtime) == .behind(["S0001_shared", "M0009_early", "M0010_late"]))
            #expect(try await migrator(all).migrate(url: database.urls.owner) == ["S0001_shared", "M0009_early", "M0010_late"])
            #expect(try await migrator(all).migrate(url: database.urls.owner) == [])
            #expect(try await migrator(all).state(database.runtime) == .current)
            #expect(try await database.runtime.readFirst("SELECT count(*) FROM shared") == 1)
        }
    }

    @Test func concurrentRunsApplyOnce() async throws {
        try await withDatabase(.campaigns, migrations: []) { database in
            let steps = try (1...5).map { number in
                try migration("M000\(number)_step.sql", "CREATE TABLE step\(number) (id bigint); SELECT pg_sleep(0.05);")
            }
            let applied = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<6 { group.addTask { try await migrator(steps).migrate(url: database.urls.owner) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(applied == steps.map(\.name))
        }
    }

    @Test func aChangedMigrationIsRefused() async throws {
        try await withItems { database in
            let changed = try migrator([
                migration("M0001_items.sql", "CREATE TABLE items (id bigint)"), migration("M0002_x.sql", "SELECT 1"),
            ])
            #expect(try await changed.state(database.runtime) == .changed(["M0001_items"]))
            let error = try await databaseError { try await changed.migrate(url: database.urls.owner) }
            #expect(error?.kind == .misuse)
            #expect(error?.detail.contains("M0001_items") == true)
        }
    }

    @Test func aNewerSchemaIsAcceptedUnlessItIsBreaking() async throws {
        try await withItems { database in
            let own = try Fixture.migrations.map { try Migration(file: $0.file, $0.bytes) }
            _ = try await migrator(own + [migration("M0002_more.sql", "CREATE TABLE more (id bigint)")]).migrate(url: database.urls.owner)
            #expect(try await migrator(own).state(database.runtime) == .ahead)
            #expect(try await migrator(own).migrate(url: database.urls.owner) == [])
            let newest =
                try own + [
                    migration("M0002_more.sql", "CREATE TABLE more (id bigint)"),
                    migration("M0003_less.sql", "-- breaking\nDROP TABLE more"),
                ]
            _ = try await migrator(newest).migrate(url: database.urls.owner)
            #expect(try await migrator(own).state(database.runtime) == .incompatible(["M0003_less"]))
            let error = try await databaseError { try await migrator(own).migrate(url: database.urls.owner) }
            #expect(error?.kind == .misuse)
        }
    }

    @Test func aFailedMigrationLeavesNothingAndSaysWhere() async throws {
        try await withDatabase(.campaigns, migrations: []) { database in
            let bad = try migrator([
                migration("M0001_good.sql", "CREATE TABLE good (id bigint)"),
                migration("M0002_bad.sql", "CREATE TABLE half (id bigint);\nCREATE TABLE half (id bigint);"),
            ])
            let error = try await databaseError { try await bad.migrate(url: database.urls.owner) }
            #expect(error?.sqlState == "42P07")
            #expect(error?.detail.contains("M0002_bad: relation \"half\" already exists") == true)
            #expect(try await bad.state(database.runtime) == .behind(["M0002_bad"]))
            #expect(try await database.owner.readFirst("SELECT to_regclass('half') IS NULL") == true)
            let ending = try migrator([
                migration("M0001_good.sql", "CREATE TABLE good (id bigint)"), migration("M0003_ends.sql", "SELECT 1; COMMIT;"),
            ])
            #expect(try await databaseError { try await ending.migrate(url: database.urls.owner) }?.kind == .misuse)
        }
    }

    @Test func aSingleStatementRunsOutsideATransactionAndAfterAFailedAttempt() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (amount) VALUES (1), (1)")
            let own = try Fixture.migrations.map { try Migration(file: $0.file, $0.bytes) }
            let index = try migration(
                "M0002_index.sql",
                "-- single statement\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS items_amount ON items (amount)"
            )
            let error = try await databaseError { try await migrator(own + [index]).migrate(url: database.urls.owner) }
            #expect(error?.isUniqueViolation == true)
            try await database.runtime.write("UPDATE items SET amount = id")
            #expect(try await migrator(own + [index]).migrate(url: database.urls.owner) == ["M0002_index"])
            let isValid: Query = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_amount'::regclass"
            #expect(try await database.owner.readFirst(isValid) == true)
        }
    }

    @Test func aMigrationThatNeedsABusyTableWaitsItsTurn() async throws {
        try await withItems { database in
            let own = try Fixture.migrations.map { try Migration(file: $0.file, $0.bytes) }
            let alter = try migration("M0002_alter.sql", "ALTER TABLE items ADD COLUMN extra text")
            async let holder: Void = database.runtime.transaction { transaction in
                try transaction.write("LOCK TABLE items IN ROW EXCLUSIVE MODE")
                try transaction.write("SELECT pg_sleep(4)")
            }
            try await database.withAdministrator { try await $0.waitUntilRunning("pg_sleep(4)") }
            #expect(try await migrator(own + [alter]).migrate(url: database.urls.owner) == ["M0002_alter"])
            try await holder
        }
    }

    @Test func twoOfOneNumberAreRefused() async throws {
        try await withItems { database in
            let twins = try migrator([migration("M0001_a.sql", "SELECT 1"), migration("M0001_b.sql", "SELECT 1")])
            #expect(try await databaseError { try await twins.migrate(url: database.urls.owner) }?.kind == .misuse)
            #expect(try await databaseError { try await twins.state(database.runtime) }?.kind == .misuse)
        }
    }
}

@Suite struct RoleTests {
    @Test func theRuntimeRoleCannotChangeTablesNorTheRecordOfMigrations() async throws {
        try await withItems { database in
            let refused: [Query] = [
                "CREATE TABLE more (id bigint)", "ALTER TABLE items ADD COLUMN x text", "DROP TABLE items", "TRUNCATE items",
                "CREATE INDEX ON items (amount)", "INSERT INTO schema_migrations (name, checksum, is_breaking) VALUES ('M9', '', false)",
                "DELETE FROM schema_migrations", "UPDATE schema_migrations SET checksum = ''", "CREATE TABLE public.x (id bigint)",
            ]
            for query in refused {
                let error = try await databaseError { try await database.runtime.write(query) }
                #expect(error?.sqlState == "42501", "\(query)")
            }
            #expect(try await database.runtime.readFirst("SELECT count(*) FROM schema_migrations") == 1)
        }
    }

    @Test(arguments: ServiceName.allCases)
    func noRoleEntersAnotherServicesSchema(_ service: ServiceName) async throws {
        try await withDatabase(service, migrations: [("M0001_own.sql", Array("CREATE TABLE own (id bigint)".utf8))]) { database in
            for other in ServiceName.allCases where other != service {
                for role in [other.rawValue, other.rawValue + "_owner"] {
                    let url = try TestCluster.fromEnvironment().url(database: database.name, role: role)
                    // This database's other roles may not even connect to it; those of a shared one are stopped at the schema.
                    try await TestCluster.fromEnvironment().execute("GRANT CONNECT ON DATABASE \(database.name) TO \(role)")
                    try await withClient(url, { $0.schema = service.rawValue }) { client in
                        for query in ["SELECT count(*) FROM own", "SELECT count(*) FROM \(service.rawValue).own"] {
                            let error = try await databaseError { try await client.writeFirst(Query(stringLiteral: query), as: Int.self) }
                            #expect(error?.sqlState == "42501" || error?.sqlState == "42P01")
                        }
                        let error = try await databaseError {
                            try await client.write(Query(stringLiteral: "CREATE TABLE \(service.rawValue).x (id bigint)"))
                        }
                        #expect(error?.sqlState == "42501")
                    }
                }
            }
        }
    }
}
