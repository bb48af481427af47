import Foundation
import Models

/// One filter of a search.
struct ContactFilter: Sendable {
    enum Operator: String, Sendable, CaseIterable {
        case equal = "EQ"
        case notEqual = "NEQ"
        case less = "LT"
        case lessOrEqual = "LTE"
        case greater = "GT"
        case greaterOrEqual = "GTE"
        case between = "BETWEEN"
        case among = "IN"
        case notAmong = "NOT_IN"
        case has = "HAS_PROPERTY"
        case hasNot = "NOT_HAS_PROPERTY"
        case containsToken = "CONTAINS_TOKEN"
        case notContainsToken = "NOT_CONTAINS_TOKEN"
    }

    var property: String
    var comparison: Operator
    var value: String
    /// End of BETWEEN.
    var highValue: String
    /// Of IN and NOT_IN.
    var values: [String]

    /// Times and ids are compared as numbers, everything else as text without regard to case.
    var isNumeric: Bool { ContactAccount.readOnlyProperties.contains(self.property) }

    func matches(_ contact: Contact) -> Bool {
        switch self.comparison {
        case .has: return self.isNumeric || contact.property(self.property) != nil
        case .hasNot: return !self.isNumeric && contact.property(self.property) == nil
        default: break
        }
        if self.isNumeric { return self.matches(number: self.number(of: contact)) }
        // A contact without the property is not equal to anything, and so unequal to everything.
        guard let text = contact.property(self.property)?.lowercased() else {
            return [.notEqual, .notAmong, .notContainsToken].contains(self.comparison)
        }
        return self.matches(text: text)
    }

    private func number(of contact: Contact) -> Int64 {
        switch self.property {
        case "lastmodifieddate": contact.modifiedAt
        case "createdate": contact.createdAt
        default: contact.id
        }
    }

    private func matches(number: Int64) -> Bool {
        func parsed(_ text: String) -> Int64 { Self.number(text) ?? .max }
        return switch self.comparison {
        case .equal: number == parsed(self.value)
        case .notEqual: number != parsed(self.value)
        case .less: number < parsed(self.value)
        case .lessOrEqual: number <= parsed(self.value)
        case .greater: number > parsed(self.value)
        case .greaterOrEqual: number >= parsed(self.value)
        case .between: number >= parsed(self.value) && number <= parsed(self.highValue)
        case .among: self.values.contains { parsed($0) == number }
        case .notAmong: !self.values.contains { parsed($0) == number }
        case .has, .hasNot, .containsToken, .notContainsToken: false
        }
    }

    private func matches(text: String) -> Bool {
        let value = self.value.lowercased()
        return switch self.comparison {
        case .equal: text == value
        case .notEqual: text != value
        case .less: text < value
        case .lessOrEqual: text <= value
        case .greater: text > value
        case .greaterOrEqual: text >= value
        case .between: text >= value && text <= self.highValue.lowercased()
        case .among: self.values.contains { $0.lowercased() == text }
        case .notAmong: !self.values.contains { $0.lowercased() == text }
        case .containsToken: Self.holds(text, value)
        case .notContainsToken: !Self.holds(text, value)
        case .has, .hasNot: false
        }
    }

    /// A token may have `*` at its ends.
    private static func holds(_ text: String, _ token: String) -> Bool {
        if token.contains("*") { return Fault.matches(text[...], token[...]) }
        return text == token || text.split(whereSeparator: { !$0.isLetter && !$0.isNumber }).contains(token[...])
    }

    /// Milliseconds or an id as digits, or an RFC 3339 time.
    static func number(_ text: String) -> Int64? {
        Int64(text) ?? Timestamp.parse(text).map { Int64(($0.timeIntervalSince1970 * 1000).rounded()) }
    }

    /// The places that match, where `first` answers the first place whose value is not below a number; nil where it is not one range.
    func bounds(_ first: (Int64) -> Int) -> Range<Int>? {
        guard let low = Self.number(self.value) else { return nil }
        let range: (Int, Int)
        switch self.comparison {
        case .equal: range = (first(low), first(low &+ 1))
        case .less: range = (0, first(low))
        case .lessOrEqual: range = (0, first(low &+ 1))
        case .greater: range = (first(low &+ 1), .max)
        case .greaterOrEqual: range = (first(low), .max)
        case .between:
            guard let high = Self.number(self.highValue) else { return nil }
            range = (first(low), first(high &+ 1))
        default: return nil
        }
        return range.0..<max(range.0, range.1)
    }
}
