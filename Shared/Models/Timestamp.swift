package import Foundation

/// RFC 3339 times in UTC. Foundation's ISO 8601 style is not used: it cuts milliseconds off instead of rounding (so half of all values come back
/// one less), and takes February 30th, minute 61 and text after the end.
package enum Timestamp {
    /// `2026-11-22T08:30:00.123Z`, rounded to the millisecond; times outside the years 1 to 9999 are brought to the nearest in them.
    package static func format(_ date: Date) -> String {
        let seconds = date.timeIntervalSince1970
        let milliseconds = Int64((min(max(seconds.isNaN ? 0 : seconds, self.first), self.last) * 1000).rounded())
        let (day, time) = milliseconds.quotientAndRemainder(flooringBy: 86_400_000)
        let (year, month, dayOfMonth) = Civil.date(day: day)
        var text: [UInt8] = []
        text.reserveCapacity(24)
        text.append(number: year, digits: 4)
        text.append(UInt8(ascii: "-"), number: month)
        text.append(UInt8(ascii: "-"), number: dayOfMonth)
        text.append(UInt8(ascii: "T"), number: time / 3_600_000)
        text.append(UInt8(ascii: ":"), number: time / 60_000 % 60)
        text.append(UInt8(ascii: ":"), number: time / 1000 % 60)
        text.append(UInt8(ascii: "."))
        text.append(number: time % 1000, digits: 3)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z, in Unix seconds.
    private static let first = -62_135_596_800.0
    private static let last = 253_402_300_799.999

    /// Any RFC 3339 time with any offset (a leap second counts as the next second); nil when the text is something else.
    package static func parse(_ text: String) -> Date? {
        var reader = Reader(rest: text.utf8[...])
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), (1...12).contains(month), reader.take("-"),
            let day = reader.number(2), day >= 1, day <= Civil.days(year: year, month: month), reader.take("T") || reader.take("t"),
            let hour = reader.number(2), hour < 24, reader.take(":"), let minute = reader.number(2), minute < 60, reader.take(":"),
            let second = reader.number(2), second < 61, let fraction = reader.fraction(), let offset = reader.offset(), reader.rest.isEmpty
        else { return nil }
        let seconds = Civil.day(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offset
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }

    private struct Reader {
        var rest: Substring.UTF8View

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard self.rest.first == UInt8(ascii: character) else { return false }
            self.rest.removeFirst()
            return true
        }

        mutating func digit() -> Int64? {
            guard let byte = self.rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            self.rest.removeFirst()
            return Int64(byte - UInt8(ascii: "0"))
        }

        mutating func number(_ digits: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<digits {
                guard let digit = self.digit() else { return nil }
                value = value * 10 + digit
            }
            return value
        }

        /// Seconds below one; what lies beyond nanoseconds is dropped.
        mutating func fraction() -> Double? {
            guard self.take(".") else { return 0 }
            guard var value = self.digit() else { return nil }
            var scale = 10.0
            while let digit = self.digit() {
                guard scale < 1e9 else { continue }
                value = value * 10 + digit
                scale *= 10
            }
            return Double(value) / scale
        }

        /// Seconds east of UTC.
        mutating func offset() -> Int64? {
            if self.take("Z") || self.take("z") { return 0 }
            let isWest = self.take("-")
            guard isWest || self.take("+"), let hour = self.number(2), hour < 24, self.take(":"), let minute = self.number(2), minute < 60
            else { return nil }
            return (hour * 3600 + minute * 60) * (isWest ? -1 : 1)
        }
    }
}

/// Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
private enum Civil {
    static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = year.quotientAndRemainder(flooringBy: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func date(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (day + 719_468).quotientAndRemainder(flooringBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    static func days(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(flooringBy divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: Int64, digits: Int) {
        var scale: Int64 = 1
        for _ in 1..<digits { scale *= 10 }
        while scale > 0 {
            self.append(UInt8(ascii: "0") + UInt8(number / scale % 10))
            scale /= 10
        }
    }

    fileprivate mutating func append(_ separator: UInt8, number: Int64) {
        self.append(separator)
        self.append(number: number, digits: 2)
    }
}
