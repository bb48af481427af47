package import Models

package struct DatabaseConfiguration: Sendable {
    /// `postgres://role:password@host:port/database`, or a unix socket by `?host=/path`.
    package var url: Secret
    /// Becomes `search_path` and, with the process's name, `application_name`.
    package var schema: String
    package var applicationName: String
    /// Connections of the pipelined lane; two are enough to keep Postgres busy.
    package var readConnections = 2
    /// Transactions and writes that run at the same time, a thread each. Commits wait for the disk: several at once share one flush.
    package var writeConnections = 8
    /// How long a caller waits for a free connection before ``DatabaseError/Kind/unavailable``.
    package var waitLimit: Duration = .seconds(5)
    /// The server's limit for one read.
    package var readTimeout: Duration = .seconds(5)
    /// The server's limit for one statement that writes.
    package var writeTimeout: Duration = .seconds(30)
    /// Prepared statements kept on each connection; the least recently used one goes first.
    package var statementCacheSize = 256

    package init(url: Secret, schema: String, applicationName: String) {
        self.url = url
        self.schema = schema
        self.applicationName = applicationName
    }
}

extension Duration {
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    var milliseconds: Int64 { self.nanoseconds / 1_000_000 }
}
