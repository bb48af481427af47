package import Foundation
package import Models

/// A value that can be read from one column. Conforming: Int, Int16, Int32, Int64, Bool, String, Double, Date, [UInt8], JSONValue, ID<…>, UUID,
/// RawRepresentable enums of String (declare the conformance), arrays of each (elements may be optional), and Optional of each.
package protocol SQLDecodable: SQLArrayDecodable {
    /// - Throws: ``DatabaseError`` with the column's name, never its value.
    init(sqlText: String?, column: String) throws
}

/// What an array that is read may hold.
package protocol SQLArrayDecodable {
    static func array(sqlText: String, column: String) throws -> [Self]
}

extension SQLDecodable {
    package static func array(sqlText: String, column: String) throws -> [Self] {
        guard let elements = ArrayText.decode(sqlText) else { throw DatabaseError.unreadable(column, as: [Self].self) }
        return try elements.map { try Self(sqlText: $0, column: column) }
    }
}

extension UInt8: SQLArrayDecodable {
    package static func array(sqlText: String, column: String) throws -> [UInt8] {
        guard let bytes = ByteText.decode(sqlText) else { throw DatabaseError.unreadable(column, as: [UInt8].self) }
        return bytes
    }
}

extension Array: SQLDecodable, SQLArrayDecodable where Element: SQLArrayDecodable {
    package init(sqlText: String?, column: String) throws {
        guard let sqlText else { throw DatabaseError.null(column, as: Self.self) }
        self = try Element.array(sqlText: sqlText, column: column)
    }
}

extension Optional: SQLDecodable, SQLArrayDecodable where Wrapped: SQLDecodable {
    package init(sqlText: String?, column: String) throws {
        self = try sqlText.map { try Wrapped(sqlText: $0, column: column) }
    }
}

extension SQLDecodable where Self: RawRepresentable, RawValue: SQLDecodable {
    package init(sqlText: String?, column: String) throws {
        guard let value = Self(rawValue: try RawValue(sqlText: sqlText, column: column)) else {
            throw DatabaseError.unreadable(column, as: Self.self)
        }
        self = value
    }
}

/// A value whose Swift type reads Postgres's text as it stands.
package protocol SQLTextReadable: SQLDecodable {
    init?(sqlText: String)
}

extension SQLTextReadable {
    package init(sqlText: String?, column: String) throws {
        guard let sqlText else { throw DatabaseError.null(column, as: Self.self) }
        guard let value = Self(sqlText: sqlText) else { throw DatabaseError.unreadable(column, as: Self.self) }
        self = value
    }
}

extension SQLTextReadable where Self: FixedWidthInteger {
    package init?(sqlText: String) { self.init(sqlText, radix: 10) }
}

extension Int: SQLTextReadable {}
extension Int16: SQLTextReadable {}
extension Int32: SQLTextReadable {}
extension Int64: SQLTextReadable {}
extension String: SQLTextReadable { package init?(sqlText: String) { self = sqlText } }
extension Double: SQLTextReadable { package init?(sqlText: String) { self.init(sqlText) } }
extension UUID: SQLTextReadable { package init?(sqlText: String) { self.init(uuidString: sqlText) } }

extension Bool: SQLTextReadable {
    package init?(sqlText: String) {
        switch sqlText {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

/// `timestamptz`, or `date` as its midnight in UTC. Infinity and years before Christ are refused.
extension Date: SQLTextReadable {
    package init?(sqlText: String) {
        guard let date = TimeText.decode(sqlText) else { return nil }
        self = date
    }
}

extension JSONValue: SQLTextReadable {
    package init?(sqlText: String) {
        guard let value = try? JSONValue(parsing: sqlText.utf8) else { return nil }
        self = value
    }
}

extension ID: SQLDecodable, SQLArrayDecodable, SQLTextReadable {
    package init?(sqlText: String) {
        guard let value = Int64(sqlText) else { return nil }
        self.init(value)
    }
}
