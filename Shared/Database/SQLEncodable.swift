package import Foundation
package import Models

/// A value that can be bound. Conforming: Int, Int16, Int32, Int64, Bool, String, Double, Date (timestamptz), [UInt8] (bytea), JSONValue (jsonb),
/// ID<…>, UUID, RawRepresentable enums of String (declare the conformance), and arrays of each, whose elements may be optional
/// (bind as text arrays; write the cast: `\(ids)::bigint[]`).
package protocol SQLEncodable: SQLArrayElement {
    /// Postgres text format; nil for NULL.
    var sqlText: String? { get }
}

/// What an array that is bound may hold: any ``SQLEncodable``, an optional of it, or `UInt8` (whose array is a bytea).
package protocol SQLArrayElement: Sendable {
    static func sqlText(ofArray array: [Self]) -> String
}

extension SQLEncodable {
    // A key path would be made anew with each call: closures here.
    package static func sqlText(ofArray array: [Self]) -> String { ArrayText.encode(array.lazy.map { $0.sqlText }) }
}

extension Optional: SQLArrayElement where Wrapped: SQLEncodable {
    package static func sqlText(ofArray array: [Self]) -> String { ArrayText.encode(array.lazy.map { $0?.sqlText }) }
}

extension UInt8: SQLArrayElement {
    package static func sqlText(ofArray array: [UInt8]) -> String { ByteText.encode(array) }
}

extension Array: SQLArrayElement, SQLEncodable where Element: SQLArrayElement {
    package var sqlText: String? { Element.sqlText(ofArray: self) }
}

extension SQLEncodable where Self: RawRepresentable, RawValue: SQLEncodable {
    package var sqlText: String? { self.rawValue.sqlText }
}

extension Int: SQLEncodable { package var sqlText: String? { String(self) } }
extension Int16: SQLEncodable { package var sqlText: String? { String(self) } }
extension Int32: SQLEncodable { package var sqlText: String? { String(self) } }
extension Int64: SQLEncodable { package var sqlText: String? { String(self) } }
extension Bool: SQLEncodable { package var sqlText: String? { self ? "t" : "f" } }
extension String: SQLEncodable { package var sqlText: String? { self } }
/// The shortest text that reads back as the same value; `inf` and `nan` are Postgres's words too.
extension Double: SQLEncodable { package var sqlText: String? { String(self) } }
extension Date: SQLEncodable { package var sqlText: String? { TimeText.encode(self) } }
extension UUID: SQLEncodable { package var sqlText: String? { self.uuidString } }
extension JSONValue: SQLEncodable { package var sqlText: String? { self.text } }
extension ID: SQLEncodable { package var sqlText: String? { String(self.rawValue) } }
