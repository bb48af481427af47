import Database
import Foundation
import Models
import TestSupport
import Testing

private enum Colour: String, SQLEncodable, SQLDecodable { case red, green }

private struct Person: RowDecodable, Equatable {
    var id: ContactID
    var name: String?
    var age: Int

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
        self.age = try row.get("age")
    }
}

private struct Whole<Value: SQLDecodable & Sendable>: RowDecodable {
    var value: Value
    init(row: Row) throws { self.value = try row.get("value") }
}

@Suite struct DecodingTests {
    @Test func everyTypeComesBackAsItWasBound() async throws {
        try await withItems { database in
            func same<Value: SQLEncodable & SQLDecodable & Equatable & Sendable>(_ value: Value, _ query: Query) async throws {
                let row = try await database.runtime.readFirst(query, as: Whole<Value>.self)
                #expect(row?.value == value)
            }
            try await same(Int64.min, "SELECT \(Int64.min)::bigint AS value")
            try await same(Int16(-7), "SELECT \(Int16(-7))::smallint AS value")
            try await same(0.1 + 0.2, "SELECT \(0.1 + 0.2)::double precision AS value")
            try await same(true, "SELECT \(true)::boolean AS value")
            try await same("snow ☃", "SELECT \("snow ☃")::text AS value")
            try await same([0, 255, 10] as [UInt8], "SELECT \([0, 255, 10] as [UInt8])::bytea AS value")
            let moment = Date(timeIntervalSince1970: 1_795_336_200.123456)
            try await same(moment, "SELECT \(moment)::timestamptz AS value")
            let identifier = UUID()
            try await same(identifier, "SELECT \(identifier)::uuid AS value")
            let json: JSONValue = ["a": [1, 2.5, nil, "x\"\\y"], "b": ["c": true]]
            try await same(json, "SELECT \(json)::jsonb AS value")
            try await same(ContactID(42), "SELECT \(ContactID(42))::bigint AS value")
            try await same(Colour.green, "SELECT \(Colour.green)::text AS value")
        }
    }

    @Test func arraysComeBackAsTheyWereBound() async throws {
        try await withItems { database in
            let odd: [String?] = ["a\"b", "c\\d", nil, "NULL", "", "{x,y}", "tab\t", "line\nline", "ü"]
            #expect(try await database.runtime.readFirst("SELECT \(odd)::text[] AS value", as: Whole<[String?]>.self)?.value == odd)
            let numbers: [Int64] = [1, -2, .max]
            #expect(try await database.runtime.readFirst("SELECT \(numbers)::bigint[] AS value", as: Whole<[Int64]>.self)?.value == numbers)
            let flags = [true, false]
            #expect(try await database.runtime.readFirst("SELECT \(flags)::boolean[] AS value", as: Whole<[Bool]>.self)?.value == flags)
            let dates: [Date?] = [Date(timeIntervalSince1970: 1), nil]
            #expect(
                try await database.runtime.readFirst("SELECT \(dates)::timestamptz[] AS value", as: Whole<[Date?]>.self)?.value == dates
            )
            let documents: [JSONValue] = [["k": "a\"b,}"], [1, nil]]
            #expect(
                try await database.runtime.readFirst("SELECT \(documents)::jsonb[] AS value", as: Whole<[JSONValue]>.self)?.value
                    == documents
            )
            let ids = [ContactID(1), ContactID(2)]
            let read = try await database.runtime.read("SELECT unnest(\(ids)::bigint[])", as: ContactID.self)
            #expect(read == ids)
        }
    }

    @Test func rowsAreReadByNameInAnyOrder() async throws {
        try await withItems { database in
            let person = try await database.runtime.readFirst("SELECT 30 AS age, NULL AS name, 5::bigint AS id", as: Person.self)
            #expect(person?.id == ContactID(5) && person?.name == nil && person?.age == 30)
        }
    }

    @Test func aFaultNamesTypeColumnAndColumnTypeButNoValue() async throws {
        try await withItems { database in
            let wrong = try await databaseError {
                try await database.runtime.read("SELECT 1::bigint AS id, 'x' AS name, \("hunter2") AS age", as: Person.self)
            }
            #expect(wrong?.kind == .decoding)
            #expect(wrong?.detail == "Person: column age cannot be read as Int (the column's type is text)")
            let null = try await databaseError {
                try await database.runtime.read("SELECT NULL::bigint AS id, 'x' AS name, 1 AS age", as: Person.self)
            }
            #expect(null?.detail.contains("column id is NULL") == true)
            let missing = try await databaseError { try await database.runtime.read("SELECT 1::bigint AS id, 1 AS age", as: Person.self) }
            #expect(missing?.kind == .misuse)
            #expect(missing?.detail == "Person: the result has no column name")
            let many = try await databaseError { try await database.runtime.read("SELECT 1, 2", as: Int.self) }
            #expect(many?.kind == .misuse)
            let colour = try await databaseError { try await database.runtime.read("SELECT 'blue' AS value", as: Whole<Colour>.self) }
            #expect(colour?.kind == .decoding)
        }
    }

    @Test func serverErrorsCarryStateAndConstraintAndNoValue() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (name) VALUES (\("hunter2"))")
            let unique = try await databaseError { try await database.runtime.write("INSERT INTO items (name) VALUES (\("hunter2"))") }
            #expect(unique?.isUniqueViolation == true)
            #expect(unique?.constraint == "items_name_unique")
            #expect(unique?.description.contains("hunter2") == false)
            let check = try await databaseError { try await database.runtime.write("INSERT INTO items (amount) VALUES (\(-987_654))") }
            #expect(check?.constraint == "items_amount_positive")
            #expect(check?.description.contains("987654") == false)
            let text = try await databaseError {
                try await database.runtime.write("INSERT INTO items (amount) VALUES (\("hunter2")::text::bigint)")
            }
            #expect(text?.sqlState == "22P02")
            #expect(text?.description.contains("hunter2") == false)
            let table = try await databaseError {
                try await database.runtime.read("SELECT \("hunter2")::text::regclass::text", as: String.self)
            }
            #expect(table?.sqlState == "42P01")
            #expect(table?.description.contains("hunter2") == false)
        }
    }
}
