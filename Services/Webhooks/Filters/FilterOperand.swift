import Foundation
import Models

/// What a clause of a filter compares an event's value with.
enum FilterOperand: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case double(Double)
    case string(String)
    /// Of a field that is a time: compared as a time with what reads as one, and as text with what does not.
    case time(Date, text: String)

    enum Order: Sendable {
        case less, equal, greater
    }

    /// nil for arrays and objects.
    init?(_ value: JSONValue, isTime: Bool) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .bool(flag)
        case .integer(let number): self = .integer(number)
        case .double(let number): self = .double(number)
        case .string(let text):
            if isTime, let date = Timestamp.parse(text) {
                self = .time(date, text: text)
            } else {
                self = .string(text)
            }
        case .array, .object: return nil
        }
    }

    /// What all values that equal it have in common; nil for null, and for a time, which can be written in many ways.
    var key: FilterValue? {
        switch self {
        case .bool(let flag): .bool(flag)
        case .integer(let number): .number(Double(number))
        case .double(let number): .number(number)
        case .string(let text): .string(text)
        case .null, .time: nil
        }
    }

    func equals(_ value: JSONValue) -> Bool {
        switch (self, value) {
        case (.null, .null): true
        case (.bool(let flag), .bool(let other)): flag == other
        case (.string(let text), .string(let other)): text.hasBytes(of: other)
        case (.time(let date, let text), .string(let other)): text.hasBytes(of: other) || Timestamp.parse(other) == date
        default: self.order(of: value) == .equal
        }
    }

    /// How the value stands to the operand; nil for values of different kinds and for those without an order.
    func order(of value: JSONValue) -> Order? {
        switch (value, self) {
        case (.integer(let value), .integer(let own)): Order(value, own)
        case (.double(let value), .double(let own)): Order(value, own)
        case (.integer(let value), .double(let own)): Order(integer: value, double: own)
        case (.double(let value), .integer(let own)): Order(integer: own, double: value)?.reversed
        case (.string(let value), .string(let own)): Order(bytes: value, own)
        case (.string(let value), .time(let date, let text)):
            if let time = Timestamp.parse(value) { Order(time, date) } else { Order(bytes: value, text) }
        default: nil
        }
    }
}

extension FilterOperand.Order {
    /// nil where one of them is not a number.
    init?<Value: Comparable>(_ left: Value, _ right: Value) {
        if left < right {
            self = .less
        } else if left > right {
            self = .greater
        } else if left == right {
            self = .equal
        } else {
            return nil
        }
    }

    /// Exact, where rounding a large integer to a Double would make neighbours equal.
    init?(integer: Int64, double: Double) {
        guard let whole = Int64(exactly: double.rounded(.towardZero)) else {
            // Beyond every Int64, or not a number.
            guard let order = Self(0.0, double) else { return nil }
            self = order
            return
        }
        self = integer == whole ? Self(Double(whole), double) ?? .equal : integer < whole ? .less : .greater
    }

    /// By the bytes of UTF-8, which is by Unicode scalars. Swift's own order takes canonical equivalents for one text, which hardly any
    /// other language does.
    init(bytes left: String, _ right: String) {
        if left.hasBytes(of: right) {
            self = .equal
        } else {
            self = left.utf8.lexicographicallyPrecedes(right.utf8) ? .less : .greater
        }
    }

    fileprivate var reversed: Self {
        switch self {
        case .less: .greater
        case .equal: .equal
        case .greater: .less
        }
    }
}

extension String {
    fileprivate func hasBytes(of other: String) -> Bool {
        self.utf8.count == other.utf8.count && self.utf8.elementsEqual(other.utf8)
    }
}
