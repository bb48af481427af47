package import Logging
package import Models
import ServiceLifecycle

// SKELETON: the agreed surface. The module's author replaces this file with real ones; signatures here hold.

/// SQL with its parameters. A string literal whose every `\(value)` becomes `$n` and a bound parameter; text can never get in.
package struct Query: ExpressibleByStringInterpolation, Sendable {
    package init(stringLiteral value: String) { fatalError() }
    package init(stringInterpolation: StringInterpolation) { fatalError() }

    package struct StringInterpolation: StringInterpolationProtocol {
        package init(literalCapacity: Int, interpolationCount: Int) { fatalError() }
        package mutating func appendLiteral(_ literal: String) { fatalError() }
        package mutating func appendInterpolation(_ value: some SQLEncodable) { fatalError() }
        package mutating func appendInterpolation(_ value: (some SQLEncodable)?) { fatalError() }
        /// A fragment that is a query itself: its parameters are renumbered.
        package mutating func appendInterpolation(_ fragment: Query) { fatalError() }
        /// Text fixed at compile time: column lists, table names.
        package mutating func appendInterpolation(raw text: StaticString) { fatalError() }
    }

    package static func + (left: Query, right: Query) -> Query { fatalError() }
}

/// A value that can be bound. Conforming: Int, Int16, Int32, Int64, Bool, String, Double, Date (timestamptz), [UInt8] (bytea), JSONValue (jsonb),
/// ID<…>, UUID, RawRepresentable enums of String (declare the conformance), and arrays of Int64, String, String?, Bool, Date?, ID, JSONValue
/// (bind as text arrays; write the cast: `\(ids)::bigint[]`).
package protocol SQLEncodable: Sendable {
    /// Postgres text format; nil for NULL.
    var sqlText: String? { get }
}

/// A value that can be read from one column. Conforming: Int, Int32, Int64, Bool, String, Double, Date, [UInt8], JSONValue, ID<…>, UUID,
/// RawRepresentable enums of String (declare the conformance), [String], [Int64], and Optional of each.
package protocol SQLDecodable {
    /// - Throws: ``DatabaseError`` with the column's name, never its value.
    init(sqlText: String?, column: String) throws
}

/// One row of a result, read by column name.
package struct Row {
    package func get<Value: SQLDecodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value { fatalError() }
}

package protocol RowDecodable: Sendable {
    init(row: Row) throws
}
// Int64, Int, String, Bool conform too (first column of a one-column result).

/// What went wrong, without any parameter value.
package struct DatabaseError: Error, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// The server refused the statement: see ``sqlState``.
        case server
        /// No connection within the wait limit, or it broke before the statement was sent: nothing happened.
        case unavailable
        /// The connection broke after a write or commit was sent: it may or may not have happened.
        case connectionLost
        case timedOut, cancelled, decoding, misuse
    }
    package var kind: Kind
    package var sqlState: String?
    package var constraint: String?
    package var detail: String
    package var description: String { fatalError() }
    package var isUniqueViolation: Bool { fatalError() }
    /// Serialization failure or deadlock.
    package var isRetryable: Bool { fatalError() }
}

package struct DatabaseConfiguration: Sendable {
    /// `postgres://role:password@host:port/database`, or a unix socket by `?host=/path`.
    package var url: Secret
    /// Becomes `search_path` and, with the process's name, `application_name`.
    package var schema: String
    package var applicationName: String
    package var readConnections = 2
    package var writeConnections = 4
    /// How long a caller waits for a free connection before ``DatabaseError/Kind/unavailable``.
    package var waitLimit: Duration = .seconds(5)
    package var readTimeout: Duration = .seconds(5)
    package var writeTimeout: Duration = .seconds(30)

    package init(url: Secret, schema: String, applicationName: String) { fatalError() }
}

/// The process's way to Postgres: pipelined reads, lone writes, and transactions that are one synchronous closure.
/// `run()` keeps connections up until graceful shutdown.
package final class Postgres: Service, Sendable {
    package init(_ configuration: DatabaseConfiguration, logger: Logger) { fatalError() }
    package func run() async throws { fatalError() }

    /// Reads on the pipelined read-only lane.
    package func read<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> [R] { fatalError() }
    package func readFirst<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> R? { fatalError() }

    /// One statement that writes, with its own sync. The count is of affected rows.
    @discardableResult
    package func write(_ query: Query) async throws -> Int { fatalError() }
    package func write<R: RowDecodable>(_ query: Query, as type: R.Type) async throws -> [R] { fatalError() }
    package func writeFirst<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> R? { fatalError() }

    package enum Retry: Sendable { case never, onConflict(attempts: Int) }
    package enum Isolation: String, Sendable { case readCommitted, repeatableRead, serializable }

    /// BEGIN, the closure on the connection's own thread, COMMIT; ROLLBACK when it throws. The closure cannot suspend: no network inside.
    package func transaction<T: Sendable>(
        isolation: Isolation = .readCommitted,
        retry: Retry = .never,
        _ body: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T { fatalError() }

    /// Notifications of these channels; `.reconnected` whenever some may have been missed. Ends with the consumer's task or ``run()``.
    package func listen(_ channels: [String]) -> AsyncStream<Notification> { fatalError() }

    /// One coalesced NOTIFY per channel and about 20 ms, no payload. Never throws: a lost nudge is what polling is for.
    package func notify(_ channel: String) { fatalError() }

    /// True after a trivial round trip on each lane.
    package func ping() async -> Bool { fatalError() }
}

package enum Notification: Sendable, Equatable {
    case received(channel: String, payload: String)
    case reconnected
}

/// A transaction in progress, usable only inside its closure.
package final class Transaction {
    @discardableResult
    package func write(_ query: Query) throws -> Int { fatalError() }
    package func rows<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) throws -> [R] { fatalError() }
    package func first<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) throws -> R? { fatalError() }
    /// All in one round trip; affected rows of each.
    @discardableResult
    package func pipeline(_ queries: [Query]) throws -> [Int] { fatalError() }
    /// COPY … FROM STDIN. Columns as text, nil for NULL.
    @discardableResult
    package func copy(into table: StaticString, columns: [StaticString], rows: some Sequence<[(any SQLEncodable)?]>) throws -> Int {
        fatalError()
    }
    /// Is sent with COMMIT.
    package func notify(_ channel: String) throws { fatalError() }
}

/// One step forward of a schema.
package struct Migration: Sendable {
    package var number: Int
    package var name: String
    package var sql: String
    /// Processes of an older build must not run on a schema that has this one.
    package var isBreaking: Bool
    /// Run outside a transaction: one statement, CREATE INDEX CONCURRENTLY.
    package var isSingleStatement: Bool

    /// From an embedded `M0001_name.sql`; `-- breaking` or `-- single statement` in its first line sets the marks.
    package init(file: String, _ bytes: [UInt8]) throws { fatalError() }
}

package struct Migrator: Sendable {
    package init(_ migrations: [Migration], schema: String, logger: Logger) { fatalError() }
    /// Applies what is missing, as the owner role, over a connection of its own.
    package func migrate(url: Secret) async throws -> [String] { fatalError() }

    package enum State: Sendable, Equatable { case current, behind([String]), ahead, incompatible([String]), changed([String]) }
    /// What the runtime role finds.
    package func state(_ database: Postgres) async throws -> State { fatalError() }
}
