package import Foundation
package import Models

/// A value that can be bound. Conforming: Int, Int16, Int32, Int64, Bool, String, Double, Date (timestamptz), [UInt8] (bytea), JSONValue (jsonb),
/// ID<…>, UUID, RawRepresentable enums of String (declare the conformance), and arrays of each, whose elements may be optional
/// (bind as text arrays; write the cast: `\(ids)::bigint[]`).
package protocol SQLEncodable: SQLArrayElement {
    /// Postgres text format; nil for NULL.
    var sqlText: String? { get }
    /// The same as an element of an array. Of its own where that saves a string for each element.
    func write(to array: inout ArrayText)
}

/// What an array that is bound may hold: any ``SQLEncodable``, an optional of it, or `UInt8` (whose array is a bytea).
package protocol SQLArrayElement: Sendable {
    static func sqlText(ofArray array: [Self]) -> String
}

extension SQLEncodable {
    package func write(to array: inout ArrayText) {
        if let text = self.sqlText { array.append(text) } else { array.appendNull() }
    }

    package static func sqlText(ofArray array: [Self]) -> String {
        var text = ArrayText(count: array.count)
        for element in array { element.write(to: &text) }
        return text.finished()
    }
}

extension Optional: SQLArrayElement where Wrapped: SQLEncodable {
    package static func sqlText(ofArray array: [Self]) -> String {
        var text = ArrayText(count: array.count)
        for element in array {
            if let element { element.write(to: &text) } else { text.appendNull() }
        }
        return text.finished()
    }
}

extension UInt8: SQLArrayElement {
    package static func sqlText(ofArray array: [UInt8]) -> String { ByteText.encode(array) }
}

extension Array: SQLArrayElement, SQLEncodable where Element: SQLArrayElement {
    package var sqlText: String? { Element.sqlText(ofArray: self) }
}

extension SQLEncodable where Self: RawRepresentable, RawValue: SQLEncodable {
    package var sqlText: String? { self.rawValue.sqlText }
    package func write(to array: inout ArrayText) { self.rawValue.write(to: &array) }
}

extension SQLEncodable where Self: FixedWidthInteger {
    package var sqlText: String? { String(self) }
    package func write(to array: inout ArrayText) { array.append(bare: String(self)) }
}

extension Int: SQLEncodable {}
extension Int16: SQLEncodable {}
extension Int32: SQLEncodable {}
extension Int64: SQLEncodable {}
extension Bool: SQLEncodable {
    package var sqlText: String? { self ? "t" : "f" }
    package func write(to array: inout ArrayText) { array.append(bare: self ? "t" : "f") }
}
extension String: SQLEncodable { package var sqlText: String? { self } }
/// The shortest text that reads back as the same value; `inf` and `nan` are Postgres's words too.
extension Double: SQLEncodable { package var sqlText: String? { String(self) } }
extension Date: SQLEncodable { package var sqlText: String? { TimeText.encode(self) } }
extension UUID: SQLEncodable { package var sqlText: String? { self.uuidString } }
extension JSONValue: SQLEncodable { package var sqlText: String? { self.text } }
extension ID: SQLEncodable {
    package var sqlText: String? { String(self.rawValue) }
    package func write(to array: inout ArrayText) { self.rawValue.write(to: &array) }
}
