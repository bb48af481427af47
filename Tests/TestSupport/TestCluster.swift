import Database
package import Foundation
package import Models

package struct TestFailure: Error, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// The Postgres cluster that tests may do anything to.
package struct TestCluster: Sendable {
    package let host: String
    package let port: Int
    private let administrator: URLComponents

    /// - Throws: ``TestFailure`` when `TEST_DATABASE_URL` is missing or names another machine: tests create and drop databases.
    package static func fromEnvironment() throws -> TestCluster {
        guard let text = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"], !text.isEmpty else {
            throw TestFailure("TEST_DATABASE_URL is not set: run `make test`, which starts a private Postgres")
        }
        return try TestCluster(url: text)
    }

    package init(url: String) throws {
        guard let components = URLComponents(string: url), let host = components.host, let port = components.port else {
            throw TestFailure("TEST_DATABASE_URL is no URL with host and port")
        }
        guard ["127.0.0.1", "::1", "localhost"].contains(host) else {
            throw TestFailure("TEST_DATABASE_URL names another machine: tests run only against loopback")
        }
        self.host = host
        self.port = port
        self.administrator = components
    }

    /// - Parameter role: nil for the administrator. Test clusters give every role the password `test`.
    package func url(database: String, role: String?) -> Secret {
        var components = self.administrator
        components.path = "/" + database
        if let role {
            components.user = role
            components.password = "test"
        }
        return Secret(components.string ?? "")
    }

    /// Statements as the administrator, each in a transaction of its own.
    package func execute(_ statements: String..., database: String = "postgres") async throws {
        try await self.psql(statements.flatMap { ["-c", $0] }, database: database)
    }

    /// A script as the administrator.
    package func run(script: URL, database: String) async throws {
        try await self.psql(["-f", script.path], database: database)
    }

    private func psql(_ arguments: [String], database: String) async throws {
        try await Command.run(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.url(database: database, role: nil).reveal()] + arguments
        )
    }

    /// The repository's root, found from this file.
    package static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
}

/// A migrated template database per service, role set and list of migrations, made once in this process.
actor TestTemplates {
    static let shared = TestTemplates()

    private var made: [String: Task<String, any Error>] = [:]

    func template(_ service: ServiceName, _ migrations: [(file: String, bytes: [UInt8])], on cluster: TestCluster) async throws -> String {
        let key = "\(cluster.port) \(service.rawValue) " + migrations.map { "\($0.file)\($0.bytes.hashValue)" }.joined(separator: " ")
        if let task = self.made[key] { return try await task.value }
        // Unstructured on purpose: the first test that asks may be cancelled, the template is for all.
        let task = Task { try await Self.make(service, migrations, on: cluster) }
        self.made[key] = task
        return try await task.value
    }

    private static func make(
        _ service: ServiceName,
        _ migrations: [(file: String, bytes: [UInt8])],
        on cluster: TestCluster
    ) async throws -> String {
        let name = "template_\(service.rawValue)_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        try await cluster.execute("CREATE DATABASE \(name)")
        try await cluster.run(script: TestCluster.repository.appending(path: "compose/postgres/schemas.sql"), database: name)
        let migrator = Migrator(
            try migrations.map { try Migration(file: $0.file, $0.bytes) },
            schema: service.rawValue,
            logger: TestLog.quiet
        )
        _ = try await migrator.migrate(url: cluster.url(database: name, role: service.rawValue + "_owner"))
        return name
    }
}
