import Foundation
import Models
import Testing

@testable import Database

@Suite struct QueryTests {
    @Test func valuesBecomeNumberedParameters() {
        let query: Query = "SELECT \(1), \("a"), \(true)"
        #expect(query.sql == "SELECT $1, $2, $3")
        #expect(query.parameters.map(\.text) == ["1", "a", "t"])
    }

    @Test func nilIsBoundAsNull() {
        let missing: String? = nil
        let query: Query = "UPDATE x SET a = \(missing), b = \(Optional(5))"
        #expect(query.sql == "UPDATE x SET a = $1, b = $2")
        #expect(query.parameters.map(\.text) == [nil, "5"])
    }

    @Test func fragmentsAreRenumberedAndTextWithDollarsIsLeftAlone() {
        let inner: Query = "b = \(2) AND note = '$1' AND c = \(3)"
        let outer: Query = "SELECT '€' WHERE a = \(1) AND (\(inner)) AND d = \(4)"
        #expect(outer.sql == "SELECT '€' WHERE a = $1 AND (b = $2 AND note = '$1' AND c = $3) AND d = $4")
        #expect(outer.parameters.map(\.text) == ["1", "2", "3", "4"])
    }

    @Test func fragmentsOfFragmentsAndMoreThanNineParametersAreRenumbered() {
        let terms = (1...12).reduce(Query("0")) { $0 + " + \($1)" }
        let query: Query = "SELECT \(0), \("WHERE x IN (\(terms))" as Query)"
        #expect(query.sql.hasSuffix("+ $12 + $13)"))
        #expect(query.parameters.map(\.text) == (0...12).map(String.init))
    }

    @Test func rawTakesFixedTextOnly() {
        let query: Query = "SELECT \(raw: "id, name") FROM t"
        #expect(query.sql == "SELECT id, name FROM t")
        #expect(query.parameters.isEmpty)
    }

    @Test func aStringIsBoundNeverInserted() {
        let evil = "x'; DROP TABLE users; --"
        let query: Query = "SELECT \(evil)"
        #expect(query.sql == "SELECT $1")
        #expect(query.parameters.map(\.text) == [evil])
    }

    @Test(arguments: ["BEGIN", " commit", "Rollback;", "START TRANSACTION", ";END", "abort", "PREPARE TRANSACTION 'x'"])
    func transactionControlIsRefused(_ text: String) {
        #expect(throws: DatabaseError.self) { try Query(stringLiteral: text).validate() }
    }

    @Test(arguments: ["SELECT 1", "BEGINNING", "", "SAVEPOINT a", "update t SET commit = 1"])
    func otherStatementsAreNot(_ text: String) throws {
        try Query(stringLiteral: text).validate()
    }

    @Test func nulCharactersAreRefusedBeforeTheyAreSent() {
        let error = #expect(throws: DatabaseError.self) { try ("SELECT \("a\u{0}b")" as Query).validate() }
        #expect(error?.kind == .misuse)
        #expect(error?.sqlState == "22021")
        #expect(error?.description.contains("a\u{0}b") == false)
    }

    @Test func moreParametersThanTheProtocolCountsAreRefused() {
        var query: Query = "SELECT 1 IN (0"
        for number in 0..<65_536 { query += ", \(number)" }
        let error = #expect(throws: DatabaseError.self) { try (query + ")").validate() }
        #expect(error?.kind == .misuse)
    }
}

@Suite struct ValueTextTests {
    @Test func arraysQuoteText() {
        #expect([1, -2].sqlText == "{1,-2}")
        #expect([true, false].sqlText == "{t,f}")
        #expect([Optional(Int64.min), nil].sqlText == "{-9223372036854775808,NULL}")
        #expect([OrganizationID(7)].sqlText == "{7}")
        #expect([0.5, -.infinity].sqlText == #"{"0.5","-inf"}"#)
        #expect([String]().sqlText == "{}")
        #expect(["a\"b", "c\\d", "{}", ",", "NULL", ""].sqlText == #"{"a\"b","c\\d","{}",",","NULL",""}"#)
        #expect([Optional("x"), nil].sqlText == #"{"x",NULL}"#)
        #expect(([0x00, 0xAB] as [UInt8]).sqlText == #"\x00ab"#)
    }

    @Test func arraysAreReadBack() throws {
        for array in [[], [nil], ["a", nil, "b"], ["NULL", "null", "", " ", "{", "}", ",", "\"", "\\", "ä\n"]] as [[String?]] {
            #expect(ArrayText.decode(array.sqlText ?? "") == array)
        }
        #expect(ArrayText.decode("{1,NULL,-3}") == ["1", nil, "-3"])
    }

    @Test(arguments: ["", "{", "}", "{1", "{1,}", "{,1}", "{\"a}", "{\"a\\", "{{1}}", "{1}x", "{\"a\"b}", "[2:3]={1,2}"])
    func malformedArraysAreRefused(_ text: String) {
        #expect(ArrayText.decode(text) == nil)
    }

    @Test func bytesAreReadBack() {
        let bytes = (0...255).map(UInt8.init)
        #expect(ByteText.decode(ByteText.encode(bytes)) == bytes)
        #expect(ByteText.decode("\\x") == [])
        for text in ["", "x", "\\x0", "\\xzz", "\\xAB"] { #expect(ByteText.decode(text) == nil) }
    }

    @Test(arguments: [
        ("2026-11-22 08:30:00.123456+00", 1_795_336_200.123456), ("1970-01-01 00:00:00+00", 0), ("1969-12-31 23:59:59.5+00", -0.5),
        ("2000-02-29 12:00:00+00", 951_825_600), ("0001-01-01 00:00:00+00", -62_135_596_800),
    ])
    func timesAreExactToTheMicrosecond(_ text: String, _ seconds: Double) throws {
        let date = try #require(TimeText.decode(text))
        #expect(abs(date.timeIntervalSince1970 - seconds) < 0.000_000_5)
        #expect(TimeText.decode(TimeText.encode(date)) == date)
        #expect(TimeText.encode(Date(timeIntervalSince1970: seconds)).hasPrefix(String(text.prefix(19))))
    }

    @Test func offsetsDatesAndZonelessTimesAreRead() {
        let noon = Date(timeIntervalSince1970: 951_825_600)
        #expect(TimeText.decode("2000-02-29 14:00:00+02") == noon)
        #expect(TimeText.decode("2000-02-29 06:30:00-05:30") == noon)
        #expect(TimeText.decode("2000-02-29 12:00:00") == noon)
        #expect(TimeText.decode("2000-02-29") == noon - 43_200)
        for text in ["infinity", "2000-02-29 12:00", "0044-03-15 00:00:00+00 BC", "2000-13-01", "", "2000-02-29T12:00:00Z"] {
            #expect(TimeText.decode(text) == nil)
        }
    }

    @Test func timesBeyondTheCalendarDoNotTrap() {
        #expect(TimeText.encode(Date(timeIntervalSince1970: .infinity)) == "infinity")
        #expect(TimeText.encode(Date(timeIntervalSince1970: -1e300)) == "-infinity")
        #expect(TimeText.encode(Date(timeIntervalSince1970: .nan)) == "nan")
        #expect(TimeText.encode(.distantPast) == "0001-12-30 00:00:00+00 BC")
        #expect(TimeText.encode(Date(timeIntervalSince1970: -62_167_219_201)) == "0002-12-31 23:59:59+00 BC")
    }
}

@Suite struct ErrorTests {
    @Test func messagesThatMayQuoteInputAreReplaced() {
        #expect(
            ServerMessage.shown("invalid input syntax for type integer: \"hunter2\"", sqlState: "22P02", hasPosition: true)
                == "invalid text representation"
        )
        #expect(ServerMessage.shown("hunter2", sqlState: "P0001", hasPosition: false) == "raised exception")
        #expect(ServerMessage.shown("relation \"hunter2\" does not exist", sqlState: "42P01", hasPosition: false) == "undefined table")
        #expect(ServerMessage.shown("hunter2", sqlState: "XX000", hasPosition: false) == "SQLSTATE class XX")
        #expect(ServerMessage.shown("syntax error at or near \"SELEC\"", sqlState: "42601", hasPosition: true).contains("SELEC"))
    }

    @Test func theCacheForgetsTheLeastRecentlyUsed() {
        var cache = StatementCache(limit: 2)
        #expect(cache.name(for: "a") == ("s1", true))
        #expect(cache.name(for: "b") == ("s2", true))
        #expect(cache.name(for: "a") == ("s1", false))
        #expect(cache.name(for: "c") == ("s3", true))
        #expect(cache.takeDiscarded() == ["s2"])
        #expect(cache.name(for: "b") == ("s4", true))
        cache.forget("b", name: "s2")
        #expect(cache.name(for: "b") == ("s4", false))
        cache.forget("b", name: "s4")
        #expect(cache.name(for: "b") == ("s5", true))
    }

    @Test func theQueueKeepsItsOrder() {
        var queue = FIFO<Int>()
        var taken: [Int] = []
        for number in 0..<5000 {
            queue.append(number)
            if number % 3 == 0, let first = queue.popFirst() { taken.append(first) }
        }
        #expect(queue.count == 5000 - taken.count)
        #expect(taken + queue.removeAll() == Array(0..<5000))
        #expect(queue.isEmpty && queue.popFirst() == nil)
    }
}
