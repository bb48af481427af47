package import Logging
package import Models

/// Brings a schema forward: never back, each step once, one process at a time, and only if what was applied before has not been edited since.
package struct Migrator: Sendable {
    private let migrations: [Migration]
    private let schema: String
    private let logger: Logger

    /// Shared migrations are put first, each kind by its number.
    package init(_ migrations: [Migration], schema: String, logger: Logger) {
        self.migrations = migrations.sorted { ($0.isShared ? 0 : 1, $0.number) < ($1.isShared ? 0 : 1, $1.number) }
        self.schema = schema
        self.logger = logger
    }

    /// Applies what is missing, as the owner role, over a connection of its own. Waits for Postgres to come up, and for another process that migrates.
    /// - Returns: the names of those that were applied.
    /// - Throws: ``DatabaseError``: of kind `misuse` when an applied migration has changed or a breaking one of a newer build is there; of kind
    ///   `server`, with the migration's name and the server's message, when a statement is refused.
    package func migrate(url: Secret) async throws -> [String] {
        try self.checkNames()
        let (migrations, schema, logger) = (self.migrations, self.schema, self.logger)
        return try await onThread("pg-migrate") {
            try MigrationRun(url: url, schema: schema, logger: logger).run(migrations)
        }
    }

    package enum State: Sendable, Equatable {
        case current
        /// These are missing.
        case behind([String])
        /// A newer build has added some, none of them breaking.
        case ahead
        /// A newer build has added these, which are breaking.
        case incompatible([String])
        /// These were edited after they had been applied.
        case changed([String])
    }

    /// What the runtime role finds.
    package func state(_ database: Postgres) async throws -> State {
        try self.checkNames()
        do {
            return self.compare(try await database.read(AppliedMigration.query))
        } catch let error as DatabaseError where error.sqlState == "42P01" {
            return self.compare([])
        }
    }

    func compare(_ applied: [AppliedMigration]) -> State {
        let known = Dictionary(self.migrations.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let changed = applied.filter { row in known[row.name].map { $0.checksum != row.checksum } ?? false }
        if !changed.isEmpty { return .changed(changed.map(\.name)) }
        let unknown = applied.filter { known[$0.name] == nil }
        let breaking = unknown.filter(\.isBreaking)
        if !breaking.isEmpty { return .incompatible(breaking.map(\.name)) }
        let names = Set(applied.map(\.name))
        let missing = self.migrations.filter { !names.contains($0.name) }
        if !missing.isEmpty { return .behind(missing.map(\.name)) }
        return unknown.isEmpty ? .current : .ahead
    }

    private func checkNames() throws(DatabaseError) {
        guard Set(self.migrations.map(\.name)).count == self.migrations.count,
            Set(self.migrations.map { "\($0.isShared)\($0.number)" }).count == self.migrations.count
        else { throw DatabaseError(.misuse, "two migrations have the same name or number") }
    }
}

/// A row of `schema_migrations`.
struct AppliedMigration: RowDecodable, Equatable {
    var name: String
    var checksum: String
    var isBreaking: Bool

    static let query: Query = "SELECT name, checksum, is_breaking FROM schema_migrations ORDER BY applied_at, name"

    init(name: String, checksum: String, isBreaking: Bool) {
        self.name = name
        self.checksum = checksum
        self.isBreaking = isBreaking
    }

    init(row: Row) throws {
        self.name = try row.get("name")
        self.checksum = try row.get("checksum")
        self.isBreaking = try row.get("is_breaking")
    }
}
