package import Foundation
package import Models

extension FieldReader {
    /// Text of so many characters; line ends and tabs are allowed, other control characters are not.
    package mutating func string(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> String {
        self.required(name) { $0.optionalString(name, length) } ?? ""
    }

    package mutating func optionalString(_ name: String, _ length: ClosedRange<Int> = 0...1000) -> String? {
        self.text(name, length) { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" || $0 == "\r" || $0 == "\t" }
    }

    /// Text without line ends: names, subjects, whatever becomes a header.
    package mutating func line(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> String {
        self.required(name) { $0.optionalLine(name, length) } ?? ""
    }

    package mutating func optionalLine(_ name: String, _ length: ClosedRange<Int> = 0...1000) -> String? {
        // U+0085, U+2028 and U+2029 end a line, too.
        self.text(name, length) { scalar in
            scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar.value != 0x2028 && scalar.value != 0x2029
        }
    }

    package mutating func email(_ name: String) -> String {
        self.required(name) { $0.optionalEmail(name) } ?? ""
    }

    /// Trimmed, the domain in lower case.
    package mutating func optionalEmail(_ name: String) -> String? {
        guard let value = self.take(name) else { return nil }
        guard let address = value.stringValue.flatMap({ EmailAddress.normalized($0) }) else {
            self.fault(name, "must be an email address")
            return nil
        }
        return address
    }

    package mutating func secret(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> Secret {
        self.required(name) { $0.optionalSecret(name, length) } ?? Secret("")
    }

    package mutating func optionalSecret(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> Secret? {
        self.text(name, length) { $0.value != 0 }.map { Secret($0) }
    }

    package mutating func integer(_ name: String, _ range: ClosedRange<Int64>, default: Int64? = nil) -> Int64 {
        if let `default` { return self.optionalInteger(name, range) ?? `default` }
        return self.required(name) { $0.optionalInteger(name, range) } ?? range.lowerBound
    }

    package mutating func optionalInteger(_ name: String, _ range: ClosedRange<Int64>) -> Int64? {
        guard let value = self.take(name) else { return nil }
        guard let number = value.integerValue, range.contains(number) else {
            self.fault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }

    package mutating func boolean(_ name: String, default: Bool) -> Bool {
        self.optionalBoolean(name) ?? `default`
    }

    package mutating func boolean(_ name: String) -> Bool {
        self.required(name) { $0.optionalBoolean(name) } ?? false
    }

    package mutating func optionalBoolean(_ name: String) -> Bool? {
        guard let value = self.take(name) else { return nil }
        guard let flag = value.boolValue else {
            self.fault(name, "must be true or false")
            return nil
        }
        return flag
    }

    package mutating func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default: Value? = nil) -> Value
    where Value.RawValue == String {
        let read: Value?
        if let `default` {
            read = self.optionalChoice(name) ?? `default`
        } else {
            read = self.required(name) { $0.optionalChoice(name) }
        }
        guard let value = read ?? Value.allCases.first else { preconditionFailure("\(Value.self) has no cases") }
        return value
    }

    package mutating func optionalChoice<Value: RawRepresentable & CaseIterable>(
        _ name: String,
        as type: Value.Type = Value.self
    ) -> Value? where Value.RawValue == String {
        guard let value = self.take(name) else { return nil }
        guard let chosen = value.stringValue.flatMap({ Value(rawValue: $0) }) else {
            self.fault(name, "must be one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
            return nil
        }
        return chosen
    }

    /// RFC 3339.
    package mutating func optionalDate(_ name: String) -> Date? {
        guard let value = self.take(name) else { return nil }
        guard let date = value.stringValue.flatMap({ Timestamp.parse($0) }) else {
            self.fault(name, "must be a time like 2026-11-22T08:30:00Z")
            return nil
        }
        return date
    }

    package mutating func date(_ name: String) -> Date {
        self.required(name) { $0.optionalDate(name) } ?? Date(timeIntervalSince1970: 0)
    }

    /// Absent is a fault; a wrong value already is one.
    private mutating func required<Value>(_ name: String, _ read: (inout FieldReader) -> Value?) -> Value? {
        guard self.take(name) != nil else {
            self.missing(name)
            return nil
        }
        return read(&self)
    }

    private mutating func text(_ name: String, _ length: ClosedRange<Int>, allowed: (Unicode.Scalar) -> Bool) -> String? {
        guard let value = self.take(name) else { return nil }
        guard let text = value.stringValue else {
            self.fault(name, "must be a string")
            return nil
        }
        guard length.contains(text.unicodeScalars.count) else {
            self.fault(name, "must have \(length.lowerBound) to \(length.upperBound) characters")
            return nil
        }
        guard text.unicodeScalars.allSatisfy(allowed) else {
            self.fault(name, "must not contain control characters")
            return nil
        }
        return text
    }
}
