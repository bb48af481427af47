package import Foundation
package import Models

/// One row of a result, read by column name. A result in which two columns have the same name is refused.
package struct Row {
    private let result: ResultBox
    private let index: Int
    /// Shared by the rows of a result: the column after the one read last.
    private let cursor: Cursor

    final class Cursor { var next = 0 }

    init(result: ResultBox, index: Int, cursor: Cursor) {
        self.result = result
        self.index = index
        self.cursor = cursor
    }

    /// - Throws: ``DatabaseError`` of kind `misuse` when there is no such column, of kind `decoding` when it cannot be read as that type.
    package func get<Value: SQLDecodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        guard let position = self.result.column(named: column, hint: self.cursor.next) else {
            throw DatabaseError(.misuse, "the result has no column \(column)")
        }
        self.cursor.next = position + 1
        return try self.value(at: position, column: column)
    }

    /// The only column of a one-column result.
    package func only<Value: SQLDecodable>(as type: Value.Type = Value.self) throws -> Value {
        guard self.result.columnCount == 1 else {
            throw DatabaseError(.misuse, "one column is read as \(type), the result has \(self.result.columnCount)")
        }
        return try self.value(at: 0, column: nil)
    }

    private func value<Value: SQLDecodable>(at position: Int, column: String?) throws -> Value {
        let text = self.result.text(row: self.index, column: position)
        do {
            return try Value(sqlText: text, column: column ?? self.result.columnName(position))
        } catch var error as DatabaseError {
            error.detail += " (the column's type is \(TypeName.of(self.result.columnType(position))))"
            throw error
        }
    }
}

package protocol RowDecodable: Sendable {
    init(row: Row) throws
}

extension RowDecodable where Self: SQLDecodable {
    package init(row: Row) throws { self = try row.only() }
}

extension Int64: RowDecodable {}
extension Int: RowDecodable {}
extension String: RowDecodable {}
extension Bool: RowDecodable {}
extension Double: RowDecodable {}
extension Date: RowDecodable {}
extension UUID: RowDecodable {}
extension JSONValue: RowDecodable {}
extension ID: RowDecodable {}

extension ResultBox {
    func rows<R: RowDecodable>(as type: R.Type) throws -> [R] {
        let count = self.rowCount
        guard count > 0 else { return [] }
        try self.checkNames()
        let cursor = Row.Cursor()
        var rows: [R] = []
        rows.reserveCapacity(count)
        for index in 0..<count { rows.append(try self.row(index, cursor: cursor)) }
        return rows
    }

    func first<R: RowDecodable>(as type: R.Type) throws -> R? {
        guard self.rowCount > 0 else { return nil }
        try self.checkNames()
        return try self.row(0, cursor: Row.Cursor())
    }

    private func checkNames() throws(DatabaseError) {
        guard let name = self.repeatedName else { return }
        throw DatabaseError(.misuse, "two columns of the result are called \(name)")
    }

    private func row<R: RowDecodable>(_ index: Int, cursor: Row.Cursor) throws -> R {
        cursor.next = 0
        do {
            return try R(row: Row(result: self, index: index, cursor: cursor))
        } catch var error as DatabaseError {
            error.detail = "\(R.self): \(error.detail)"
            throw error
        }
    }
}

/// Names of the types that this house uses, by their fixed oids (pg_type.dat).
enum TypeName {
    private static let names: [UInt32: String] = [
        16: "boolean", 17: "bytea", 18: "\"char\"", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text", 114: "json",
        700: "real",
        701: "double precision", 869: "inet", 1009: "text[]", 1016: "bigint[]", 1042: "character", 1043: "character varying", 1082: "date",
        1114: "timestamp", 1184: "timestamptz", 1186: "interval", 1700: "numeric", 2950: "uuid", 3802: "jsonb",
    ]

    static func of(_ oid: UInt32) -> String { Self.names[oid] ?? "oid \(oid)" }
}
