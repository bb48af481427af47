import Foundation

/// The private Postgres cluster of a local stack, through `compose/local/postgres.sh`.
package struct PostgresCluster: Sendable {
    package enum StopMode: String, Sendable { case fast, immediate }

    package let directory: String
    package let port: Int
    private let root: String
    package let database: String

    package init(directory: String, port: Int, root: String, database: String = "switchboard") {
        self.directory = directory
        self.port = port
        self.root = root
        self.database = database
    }

    private var script: String { "\(self.root)/compose/local/postgres.sh" }

    package func start() async throws {
        try await ChildProcess.run(self.script, ["start", self.directory, String(self.port)])
    }

    package func stop(_ mode: StopMode = .fast) async throws {
        try await ChildProcess.run(self.script, ["stop", self.directory, mode.rawValue])
    }

    /// Roles, the database and its schemas; each only where it is missing.
    package func prepare(passwords: [String: String]) async throws {
        let roles = passwords.sorted(by: { $0.key < $1.key }).flatMap { ["-v", "\($0.key)_password=\($0.value)"] }
        try await self.psql("postgres", roles + ["-f", "\(self.root)/compose/postgres/roles.sql"])
        let found = try await self.psql("postgres", ["-tAc", "SELECT count(*) FROM pg_database WHERE datname = '\(self.database)'"])
        if found.trimmingCharacters(in: .whitespacesAndNewlines) == "0" {
            try await self.psql("postgres", ["-c", "CREATE DATABASE \(self.database)"])
        }
        try await self.psql(self.database, ["-f", "\(self.root)/compose/postgres/schemas.sql"])
    }

    @discardableResult
    package func psql(_ database: String? = nil, _ arguments: [String]) async throws -> String {
        try await ChildProcess.run(
            "/usr/bin/psql",
            ["-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", String(self.port), "-U", "postgres", "-d", database ?? self.database]
                + arguments
        )
    }

    package func url(role: String, password: String? = nil) -> String {
        let secret = password.map { ":\($0)" } ?? ""
        return "postgres://\(role)\(secret)@127.0.0.1:\(self.port)/\(self.database)"
    }
}
