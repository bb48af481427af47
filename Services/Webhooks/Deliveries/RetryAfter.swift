import Foundation

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP-date.
enum RetryAfter {
    /// Seconds from `now`, never negative; nil where the value is neither form.
    static func seconds(_ value: String, now: Date) -> Double? {
        let text = value.trimmingCharacters(in: .whitespaces)
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return Double(text) }
        return self.date(text).map { max(0, $0.timeIntervalSince(now)) }
    }

    /// The preferred form of RFC 9110 section 5.6.7, `Sun, 06 Nov 1994 08:49:37 GMT`; the two obsolete ones are not read.
    private static func date(_ text: String) -> Date? {
        let strategy = Date.ParseStrategy(
            format: """
                \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \
                \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits) GMT
                """,
            locale: Locale(identifier: "en_US_POSIX"),
            timeZone: .gmt
        )
        return try? Date(text, strategy: strategy)
    }
}
