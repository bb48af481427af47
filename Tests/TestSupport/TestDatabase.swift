package import Database
import Foundation
package import Models
import Synchronization

/// A fresh database of one service on the cluster in `TEST_DATABASE_URL`, copied from a template that was migrated once in this process.
///
/// ```swift
/// try await withDatabase(.campaigns, migrations: CampaignsService.migrations) { database in
///     try await database.runtime.write("INSERT …")
/// }
/// ```
package struct TestDatabase: Sendable {
    package struct URLs: Sendable {
        /// The service's runtime role, which the process under test gets.
        package var runtime: Secret
        /// The role that migrates.
        package var owner: Secret
        /// The cluster's administrator in this database.
        package var admin: Secret
    }

    package let name: String
    package let service: ServiceName
    package let urls: URLs
    /// Running; as the runtime role.
    package let runtime: Postgres
    /// As the owner role; starts with its first use.
    package let owner: Postgres

    init(name: String, service: ServiceName, cluster: TestCluster) {
        self.name = name
        self.service = service
        self.urls = URLs(
            runtime: cluster.url(database: name, role: service.rawValue),
            owner: cluster.url(database: name, role: service.rawValue + "_owner"),
            admin: cluster.url(database: name, role: nil)
        )
        self.runtime = Postgres(Self.configuration(service, self.urls.runtime), logger: TestLog.quiet)
        self.owner = Postgres(Self.configuration(service, self.urls.owner), logger: TestLog.quiet)
    }

    /// For a test whose own service group runs ``runtime``, or that lets it start by itself. The database goes with the cluster.
    package static func make(_ service: ServiceName, migrations: [(file: String, bytes: [UInt8])]) async throws -> TestDatabase {
        let cluster = try TestCluster.fromEnvironment()
        let template = try await TestTemplates.shared.template(service, migrations, on: cluster)
        let name = "t_\(service.rawValue)_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        // Rights on a database are not copied from its template.
        try await cluster.execute(
            "CREATE DATABASE \(name) TEMPLATE \(template)",
            "REVOKE ALL ON DATABASE \(name) FROM PUBLIC",
            "GRANT CONNECT ON DATABASE \(name) TO \(service.rawValue), \(service.rawValue)_owner"
        )
        return TestDatabase(name: name, service: service, cluster: cluster)
    }

    /// Small, because many databases are open at once in a parallel test run.
    package static func configuration(_ service: ServiceName, _ url: Secret) -> DatabaseConfiguration {
        var configuration = DatabaseConfiguration(url: url, schema: service.rawValue, applicationName: "\(service.rawValue)-test")
        configuration.readConnections = 1
        configuration.writeConnections = 2
        // A loaded test machine is slow; what tests time-outs sets its own.
        configuration.waitLimit = .seconds(30)
        configuration.readTimeout = .seconds(30)
        return configuration
    }
}

/// Makes a database of that service with its migrations (shared ones included, where the caller passes them), runs the runtime role's `Postgres`
/// around `body`, and drops the database.
package func withDatabase<T: Sendable>(
    _ service: ServiceName,
    migrations: [(file: String, bytes: [UInt8])],
    _ body: @Sendable (TestDatabase) async throws -> T
) async throws -> T {
    try await TestSlots.shared.hold { try await withNewDatabase(service, migrations: migrations, body) }
}

private func withNewDatabase<T: Sendable>(
    _ service: ServiceName,
    migrations: [(file: String, bytes: [UInt8])],
    _ body: @Sendable (TestDatabase) async throws -> T
) async throws -> T {
    let database = try await TestDatabase.make(service, migrations: migrations)
    let result: Result<T, any Error>
    do {
        result = .success(try await running(database, body))
    } catch {
        result = .failure(error)
    }
    try await TestCluster.fromEnvironment().execute("DROP DATABASE \(database.name) WITH (FORCE)")
    return try result.get()
}

private func running<T: Sendable>(_ database: TestDatabase, _ body: @Sendable (TestDatabase) async throws -> T) async throws -> T {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await database.runtime.run() }
        defer { group.cancelAll() }
        return try await body(database)
    }
}
