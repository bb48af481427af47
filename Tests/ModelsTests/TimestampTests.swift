import Foundation
import Models
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0.0), ("2026-11-22T08:30:00Z", 1_795_336_200), ("2026-11-22t08:30:00z", 1_795_336_200),
        ("2026-11-22T08:30:00.123Z", 1_795_336_200.123), ("2026-11-22T08:30:00.5Z", 1_795_336_200.5),
        ("2026-11-22T08:30:00.123456789012Z", 1_795_336_200.123456789), ("2026-11-22T10:30:00+02:00", 1_795_336_200),
        ("2026-11-22T03:00:00-05:30", 1_795_336_200), ("2026-11-22T08:30:00-00:00", 1_795_336_200), ("2016-12-31T23:59:60Z", 1_483_228_800),
        ("2024-02-29T00:00:00Z", 1_709_164_800), ("2000-02-29T00:00:00Z", 951_782_400), ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799), ("1969-12-31T23:59:59.750Z", -0.25),
    ])
    func rfc3339IsRead(text: String, seconds: Double) throws {
        let date = try #require(Timestamp.parse(text))
        #expect(abs(date.timeIntervalSince1970 - seconds) < 1e-6)
    }

    @Test(arguments: [
        "", "now", "2026-11-22", "2026-11-22T08:30:00", "2026-11-22 08:30:00Z", "2026-11-22T08:30Z", "2026-1-2T08:30:00Z",
        "20261122T083000Z",
        "2026-11-22T08:30:00+0200", "2026-11-22T08:30:00+2:00", "2026-11-22T08:30:00+24:00", "2026-11-22T08:30:00+02:60",
        "2026-11-22T08:30:00.Z",
        "2026-11-22T08:30:00,5Z", "2026-11-22T08:30:00Zx", " 2026-11-22T08:30:00Z", "2026-11-22T08:30:00Z ", "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T08:60:00Z", "2026-11-22T08:30:61Z", "-026-11-22T08:30:00Z",
        "٢٠٢٦-11-22T08:30:00Z",
    ])
    func anythingElseIsNot(text: String) { #expect(Timestamp.parse(text) == nil) }

    @Test func everyMillisecondSurvives() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<20_000 {
            let milliseconds = Int64.random(in: -62_135_596_800_000...253_402_300_799_999, using: &generator)
            let text = Timestamp.format(Date(timeIntervalSince1970: Double(milliseconds) / 1000))
            let date = try #require(Timestamp.parse(text))
            #expect(Int64((date.timeIntervalSince1970 * 1000).rounded()) == milliseconds, "\(text)")
        }
    }

    /// From 1600 to 2399; before 1582 Foundation counts by the Julian calendar, RFC 3339 does not.
    @Test func everyDayOfEightCenturiesAgreesWithFoundation() throws {
        for day in -135_140..<157_054 {
            let date = Date(timeIntervalSince1970: Double(day) * 86_400)
            #expect(Timestamp.format(date) == date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        }
    }

    @Test func formatIsFixedAndRounds() {
        #expect(Timestamp.format(Date(timeIntervalSince1970: 0)) == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: 1_795_336_200.1234)) == "2026-11-22T08:30:00.123Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: 1_795_336_200.9996)) == "2026-11-22T08:30:01.000Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: -0.0004)) == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp.format(.distantPast) == "0001-01-01T00:00:00.000Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: 1e300)) == "9999-12-31T23:59:59.999Z")
        #expect(Timestamp.format(Date(timeIntervalSince1970: .nan)) == "1970-01-01T00:00:00.000Z")
    }

    @Test func coderUsesIt() throws {
        struct Holder: Codable, Equatable { var at: Date }
        let holder = Holder(at: Date(timeIntervalSince1970: 1_795_336_200.123))
        let bytes = try JSONCoding.encode(holder)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"at":"2026-11-22T08:30:00.123Z"}"#)
        #expect(abs(try JSONCoding.decode(Holder.self, from: bytes).at.timeIntervalSince(holder.at)) < 1e-6)
        #expect(throws: DecodingError.self) { try JSONCoding.decode(Holder.self, from: #"{"at":"yesterday"}"#.utf8) }
    }
}
