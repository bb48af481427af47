import CLibPQ
import Glibc

/// One statement's result, freed with its last reader.
///
/// `@unchecked Sendable`: libpq does not change a PGresult once it has been handed over ("PGresult objects are read-only after creation, and so can be
/// passed around freely between threads", libpq manual 34.20), this class never does either, and `deinit` runs once, after the last reference.
final class ResultBox: @unchecked Sendable {
    private let result: OpaquePointer

    init(owning result: OpaquePointer) { self.result = result }

    deinit { PQclear(self.result) }

    var status: ExecStatusType { PQresultStatus(self.result) }
    var rowCount: Int { Int(PQntuples(self.result)) }
    var columnCount: Int { Int(PQnfields(self.result)) }

    /// Affected rows; 0 for statements that have no such count.
    var affectedRows: Int { PQcmdTuples(self.result).flatMap { Int(String(cString: $0)) } ?? 0 }

    var commandTag: String { PQcmdStatus(self.result).map { String(cString: $0) } ?? "" }

    func columnName(_ column: Int) -> String { PQfname(self.result, Int32(column)).map { String(cString: $0) } ?? "" }

    func columnType(_ column: Int) -> Oid { PQftype(self.result, Int32(column)) }

    /// The column of that name, tried first at `hint`: decoders read columns in the order in which they were selected.
    func column(named name: String, hint: Int) -> Int? {
        let count = self.columnCount
        guard count > 0 else { return nil }
        return name.withCString { name in
            for step in 0..<count {
                let column = (hint + step) % count
                if let candidate = PQfname(self.result, Int32(column)), strcmp(candidate, name) == 0 { return column }
            }
            return nil
        }
    }

    /// A name that two columns share. Compared in place: this is asked of every result.
    var repeatedName: String? {
        let count = Int32(self.columnCount)
        for column in 0..<count {
            guard let name = PQfname(self.result, column) else { continue }
            for other in (column + 1)..<max(count, column + 1) {
                if let candidate = PQfname(self.result, other), strcmp(name, candidate) == 0 { return String(cString: name) }
            }
        }
        return nil
    }

    func text(row: Int, column: Int) -> String? {
        guard PQgetisnull(self.result, Int32(row), Int32(column)) == 0, let value = PQgetvalue(self.result, Int32(row), Int32(column))
        else {
            return nil
        }
        let length = Int(PQgetlength(self.result, Int32(row), Int32(column)))
        return value.withMemoryRebound(to: UInt8.self, capacity: length) {
            String(decoding: UnsafeBufferPointer(start: $0, count: length), as: UTF8.self)
        }
    }

    /// Nil for a result that is no error.
    /// - Parameter isTrusted: the statement held no value of a user (migrations): the whole message is kept.
    func error(isTrusted: Bool = false) -> DatabaseError? {
        switch self.status {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR: break
        default: return nil
        }
        let sqlState = self.field("C")
        let message = self.field("M") ?? "no message"
        guard let sqlState else { return DatabaseError(.unavailable, "the connection failed") }
        var detail = isTrusted ? message : ServerMessage.shown(message, sqlState: sqlState, hasPosition: self.field("P") != nil)
        if isTrusted, let position = self.field("P") { detail += " at character \(position)" }
        if sqlState.hasPrefix("23"), let table = self.field("t"), !detail.contains(table) { detail += " (table \(table))" }
        let kind: DatabaseError.Kind = sqlState == DatabaseError.queryCanceled ? .timedOut : .server
        return DatabaseError(kind, sqlState: sqlState, constraint: self.field("n"), detail)
    }

    /// A field of the error message by its protocol letter (PG_DIAG_…).
    private func field(_ code: Unicode.Scalar) -> String? {
        PQresultErrorField(self.result, Int32(code.value)).map { String(cString: $0) }
    }
}
