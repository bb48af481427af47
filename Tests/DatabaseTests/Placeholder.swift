import Database
import Models
import TestSupport
import Testing

@Suite struct SmokeTests {
    static let migrations: [(file: String, bytes: [UInt8])] = [
        (
            "M0001_items.sql",
            Array("CREATE TABLE items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, UNIQUE (name));".utf8)
        )
    ]

    @Test func readsWritesAndTransactions() async throws {
        try await withDatabase(.campaigns, migrations: Self.migrations) { database in
            let written = try await database.runtime.write("INSERT INTO items (name) VALUES (\("a'; DROP TABLE items; --")), (\("b"))")
            #expect(written == 2)
            let names = try await database.runtime.read("SELECT name FROM items ORDER BY id", as: String.self)
            #expect(names == ["a'; DROP TABLE items; --", "b"])
            let counts = try await database.runtime.transaction { transaction in
                try transaction.pipeline(["INSERT INTO items (name) VALUES (\("c"))", "UPDATE items SET name = name || 'x'"])
            }
            #expect(counts == [1, 3])
            let copied = try await database.runtime.transaction { transaction in
                try transaction.copy(into: "items", columns: ["name"], rows: (0..<10).map { ["tab\t\($0)\n\\"] })
            }
            #expect(copied == 10)
            #expect(try await database.runtime.write(all: ["DELETE FROM items WHERE name LIKE 'tab%'", "DELETE FROM items"]) == [10, 3])
            #expect(await database.runtime.ping())
            await #expect(throws: DatabaseError.self) { try await database.runtime.read("SELECT 1/0", as: Int.self) }
        }
    }
}
