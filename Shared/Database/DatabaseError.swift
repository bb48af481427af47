/// What went wrong, without any parameter value.
///
/// A server's DETAIL and CONTEXT quote rows (`Key (email)=(…) already exists`) and are never read. Its primary message is kept only where it is made of
/// names and fixed text (see ``ServerMessage``); elsewhere the SQLSTATE and its meaning stand in.
package struct DatabaseError: Error, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// The server refused the statement: see ``sqlState``.
        case server
        /// No connection within the wait limit, or it broke before the statement could take effect: nothing happened.
        case unavailable
        /// The connection broke after a write or commit was sent: it may or may not have happened.
        case connectionLost
        case timedOut, cancelled, decoding, misuse
    }

    package var kind: Kind
    package var sqlState: String?
    package var constraint: String?
    package var detail: String

    /// - Parameter detail: words that hold no value of a row or parameter.
    package init(_ kind: Kind, sqlState: String? = nil, constraint: String? = nil, _ detail: String) {
        self.kind = kind
        self.sqlState = sqlState
        self.constraint = constraint
        self.detail = detail
    }

    package var description: String {
        var text = "database \(self.kind.rawValue)"
        if let sqlState { text += " \(sqlState)" }
        if let constraint { text += " on \(constraint)" }
        return text + ": " + self.detail
    }

    package var isUniqueViolation: Bool { self.sqlState == "23505" }
    package var isForeignKeyViolation: Bool { self.sqlState == "23503" }

    /// Serialization failure or deadlock.
    package var isRetryable: Bool { self.sqlState == "40001" || self.sqlState == "40P01" }
}

extension DatabaseError {
    /// character_not_in_repertoire: what the server would answer to a NUL character.
    static let invalidCharacter = "22021"
    static let queryCanceled = "57014"

    /// The server no longer has the prepared statement, or its result has changed by DDL: the statement did not run and may be prepared anew.
    var isStalePlan: Bool {
        self.sqlState == "26000" || (self.sqlState == "0A000" && self.detail.contains("cached plan must not change result type"))
    }

    /// The server ended this connection (shutdown, crash of a neighbour, dropped database, idle-in-transaction time-out): SQLSTATE 57P01 to 57P05, 25P03.
    var endsConnection: Bool { self.sqlState?.hasPrefix("57P") == true || self.sqlState == "25P03" }

    static func null(_ column: String, as type: any Any.Type) -> DatabaseError {
        DatabaseError(.decoding, "column \(column) is NULL where \(type) is read")
    }

    static func unreadable(_ column: String, as type: any Any.Type) -> DatabaseError {
        DatabaseError(.decoding, "column \(column) cannot be read as \(type)")
    }

    /// - cause: of libpq or the server; it says nothing of parameters.
    static func broken(_ cause: String?) -> DatabaseError {
        DatabaseError(.unavailable, "the connection broke in the transaction, which is rolled back: \(cause ?? "an answer is missing")")
    }

    /// After a write or a commit was sent.
    static func lost(_ cause: String?) -> DatabaseError {
        let cause = cause ?? "an answer is missing"
        return DatabaseError(.connectionLost, "the connection broke after the statement was sent: it may have happened: \(cause)")
    }

    static let stopped = DatabaseError(.unavailable, "the database client has been stopped")
    static let cancelled = DatabaseError(.cancelled, "the caller was cancelled")
}

/// Which of the server's primary messages may be shown.
enum ServerMessage {
    /// Classes whose messages name tables, columns, constraints, roles and settings, never a value: connection, feature, integrity, transaction
    /// state, prepared statement, authorization, catalogue name, rollback, resources, limits, prerequisites, intervention, system.
    private static let safeClasses: Set<Substring> = ["08", "0A", "23", "25", "26", "28", "3D", "3F", "40", "53", "54", "55", "57", "58"]

    /// Meanings of the codes whose messages quote input (Postgres manual, appendix A).
    private static let meanings: [String: String] = [
        "22001": "string data right truncation", "22003": "numeric value out of range", "22007": "invalid datetime format",
        "22008": "datetime field overflow", "22012": "division by zero", "22021": "character not in repertoire",
        "22023": "invalid parameter value", "22030": "duplicate JSON object key value", "22032": "invalid JSON text",
        "22P02": "invalid text representation", "22P03": "invalid binary representation", "22P04": "bad COPY file format",
        "22P05": "untranslatable character", "42P01": "undefined table", "42703": "undefined column", "42501": "insufficient privilege",
        "42601": "syntax error", "P0001": "raised exception",
    ]

    /// - Parameter hasPosition: the error points into the statement's text, so it was found while reading that text and not a bound value.
    static func shown(_ message: String, sqlState: String, hasPosition: Bool) -> String {
        let sqlClass = sqlState.prefix(2)
        if Self.safeClasses.contains(sqlClass) || sqlState == "42501" || (sqlClass == "42" && hasPosition) { return message }
        return Self.meanings[sqlState] ?? "SQLSTATE class \(sqlClass)"
    }
}
