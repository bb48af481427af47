import Foundation

/// Postgres array literals: `{1,NULL,"a \"quoted\" one"}` (manual, 8.15.2 and 8.15.6).
package struct ArrayText {
    private var bytes: [UInt8] = []

    /// - count: elements to come.
    init(count: Int) {
        self.bytes.reserveCapacity(2 + count * 12)
        self.bytes.append(UInt8(ascii: "{"))
    }

    /// Quoted, so that it cannot be mistaken for NULL, a brace or a delimiter.
    mutating func append(_ element: String) {
        self.separate()
        self.bytes.append(UInt8(ascii: "\""))
        // Most text has nothing to escape, and goes over in one piece.
        if element.utf8.contains(where: Self.mustEscape) {
            for byte in element.utf8 {
                if Self.mustEscape(byte) { self.bytes.append(UInt8(ascii: "\\")) }
                self.bytes.append(byte)
            }
        } else {
            self.bytes.append(contentsOf: element.utf8)
        }
        self.bytes.append(UInt8(ascii: "\""))
    }

    /// A number or a truth value: text that nothing in an array is mistaken for.
    mutating func append(bare element: String) {
        self.separate()
        self.bytes.append(contentsOf: element.utf8)
    }

    mutating func appendNull() { self.append(bare: "NULL") }

    consuming func finished() -> String {
        self.bytes.append(UInt8(ascii: "}"))
        return String(decoding: self.bytes, as: UTF8.self)
    }

    private mutating func separate() {
        if self.bytes.count > 1 { self.bytes.append(UInt8(ascii: ",")) }
    }

    private static func mustEscape(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") }
}

extension ArrayText {
    /// One dimension; nil when the text is something else.
    static func decode(_ text: String) -> [String?]? {
        var bytes = Array(text.utf8)[...]
        guard bytes.popFirst() == UInt8(ascii: "{") else { return nil }
        var elements: [String?] = []
        if bytes.first == UInt8(ascii: "}") { return bytes.count == 1 ? [] : nil }
        while let first = bytes.first {
            if first == UInt8(ascii: "\"") {
                guard let element = Self.quoted(&bytes) else { return nil }
                elements.append(element)
            } else {
                let element = bytes.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "}") }
                guard !element.isEmpty, element.first != UInt8(ascii: "{") else { return nil }
                bytes = bytes.dropFirst(element.count)
                elements.append(element.elementsEqual("NULL".utf8) ? nil : String(decoding: element, as: UTF8.self))
            }
            switch bytes.popFirst() {
            case UInt8(ascii: ","): continue
            case UInt8(ascii: "}"): return bytes.isEmpty ? elements : nil
            default: return nil
            }
        }
        return nil
    }

    private static func quoted(_ bytes: inout ArraySlice<UInt8>) -> String? {
        bytes.removeFirst()
        var element: [UInt8] = []
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: element, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = bytes.popFirst() else { return nil }
                element.append(escaped)
            default: element.append(byte)
            }
        }
        return nil
    }
}

/// `bytea` in hex format: `\x0aff`.
enum ByteText {
    private static let digits = Array("0123456789abcdef".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        String(unsafeUninitializedCapacity: 2 + bytes.count * 2) { text in
            text[0] = UInt8(ascii: "\\")
            text[1] = UInt8(ascii: "x")
            for (index, byte) in bytes.enumerated() {
                text[2 + index * 2] = Self.digits[Int(byte >> 4)]
                text[3 + index * 2] = Self.digits[Int(byte & 15)]
            }
            return 2 + bytes.count * 2
        }
    }

    static func decode(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        guard text.count % 2 == 0, text.starts(with: "\\x".utf8) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2 - 1)
        for index in stride(from: 2, to: text.count, by: 2) {
            guard let high = Self.value(text[index]), let low = Self.value(text[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// `timestamptz` to the microsecond, in the form of `DateStyle = ISO` and `TimeZone = UTC`: `2026-11-22 08:30:00.123456+00`.
enum TimeText {
    private static let microsecondsOfDay: Int64 = 86_400_000_000
    /// 4713 BC to 294276 AD in microseconds since 1970: what Postgres can hold.
    private static let range: ClosedRange<Double> = -210_866_803_200_000_000...9_223_371_331_200_000_000

    static func encode(_ date: Date) -> String {
        let exact = (date.timeIntervalSince1970 * 1_000_000).rounded()
        guard exact.isFinite else { return exact.isNaN ? "nan" : exact > 0 ? "infinity" : "-infinity" }
        guard Self.range.contains(exact), let microseconds = Int64(exactly: exact) else { return exact > 0 ? "infinity" : "-infinity" }
        let days = microseconds.floorDivided(by: Self.microsecondsOfDay)
        let rest = microseconds - days * Self.microsecondsOfDay
        let (year, month, day) = Self.civil(days)
        let seconds = rest / 1_000_000
        let clock = "\(Self.two(seconds / 3600)):\(Self.two(seconds / 60 % 60)):\(Self.two(seconds % 60))"
        let fraction = rest % 1_000_000
        let tail = fraction == 0 ? "" : "." + String(String(1_000_000 + fraction).dropFirst())
        // Astronomical year 0 is 1 BC.
        let shown = year > 0 ? year : 1 - year
        let padded = String(repeating: "0", count: max(0, 4 - String(shown).count)) + String(shown)
        return "\(padded)-\(Self.two(month))-\(Self.two(day)) \(clock)\(tail)+00\(year > 0 ? "" : " BC")"
    }

    static func decode(_ text: String) -> Date? {
        var scanner = Scanner(bytes: Array(text.utf8)[...])
        guard let year = scanner.number(digits: 4...6), scanner.take("-"), let month = scanner.number(digits: 2...2), scanner.take("-"),
            let day = scanner.number(digits: 2...2), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var microseconds = Self.days(year, month, day) * Self.microsecondsOfDay
        if scanner.isAtEnd { return Self.date(microseconds) }
        guard scanner.take(" "), let hour = scanner.number(digits: 2...2), scanner.take(":"), let minute = scanner.number(digits: 2...2),
            scanner.take(":"), let second = scanner.number(digits: 2...2)
        else { return nil }
        microseconds += ((hour * 60 + minute) * 60 + second) * 1_000_000
        if scanner.take(".") {
            guard let fraction = scanner.fraction() else { return nil }
            microseconds += fraction
        }
        // A `timestamp` without zone has no offset and counts as UTC.
        if scanner.isAtEnd { return Self.date(microseconds) }
        let sign: Int64 = scanner.take("+") ? 1 : -1
        guard sign == 1 || scanner.take("-"), let hours = scanner.number(digits: 2...2) else { return nil }
        var offset = hours * 3600
        if scanner.take(":") {
            guard let minutes = scanner.number(digits: 2...2) else { return nil }
            offset += minutes * 60
        }
        guard scanner.isAtEnd else { return nil }
        return Self.date(microseconds - sign * offset * 1_000_000)
    }

    private static func date(_ microseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(microseconds) / 1_000_000)
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : String(number) }

    /// Proleptic Gregorian date of a day number since 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// The inverse of ``civil(_:)``.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear.floorDivided(by: 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private struct Scanner {
        var bytes: ArraySlice<UInt8>

        var isAtEnd: Bool { self.bytes.isEmpty }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard self.bytes.first == UInt8(ascii: character) else { return false }
            self.bytes.removeFirst()
            return true
        }

        mutating func number(digits: ClosedRange<Int>) -> Int64? {
            let found = self.bytes.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard digits.contains(found.count) else { return nil }
            self.bytes = self.bytes.dropFirst(found.count)
            return found.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
        }

        /// Up to six digits after the point, as microseconds.
        mutating func fraction() -> Int64? {
            let before = self.bytes.count
            guard var value = self.number(digits: 1...6) else { return nil }
            for _ in (before - self.bytes.count)..<6 { value *= 10 }
            return value
        }
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
