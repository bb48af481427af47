import Foundation
import Models
import Synchronization
import TestSupport
import Testing

@testable import Database

private struct Refused: Error {}

/// Lets a closure's transaction out, which no honest code can do.
/// `@unchecked Sendable`: the test reads it only after the closure has ended.
private final class Leak: @unchecked Sendable {
    var transaction: Transaction?
}

@Suite struct TransactionTests {
    @Test func whatThrowsIsRolledBackAndTheErrorComesThrough() async throws {
        try await withItems { database in
            await #expect(throws: Refused.self) {
                try await database.runtime.transaction { transaction in
                    try transaction.write("INSERT INTO items (name) VALUES ('x')")
                    throw Refused()
                }
            }
            let count = try await database.runtime.readFirst("SELECT count(*) FROM items", as: Int.self)
            #expect(count == 0)
        }
    }

    @Test func aSwallowedErrorStillFailsTheTransaction() async throws {
        try await withItems { database in
            let error = try await databaseError {
                try await database.runtime.transaction { transaction in
                    try transaction.write("INSERT INTO items (id) VALUES (1)")
                    _ = try? transaction.write("INSERT INTO items (id) VALUES (1)")
                    _ = try? transaction.write("INSERT INTO items (id) VALUES (2)")
                }
            }
            #expect(error?.isUniqueViolation == true)
            #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == 0)
        }
    }

    @Test func useAfterTheClosureIsRefused() async throws {
        try await withItems { database in
            let leak = Leak()
            try await database.runtime.transaction { transaction in
                try transaction.write("INSERT INTO items (name) VALUES ('x')")
                leak.transaction = transaction
            }
            let transaction = try #require(leak.transaction)
            let error = #expect(throws: DatabaseError.self) { try transaction.write("INSERT INTO items (name) VALUES ('late')") }
            #expect(error?.kind == .misuse)
            #expect(throws: DatabaseError.self) { try transaction.notify("x") }
            #expect(throws: DatabaseError.self) { try transaction.copy(into: "items", columns: ["name"], rows: [["y"]]) }
            #expect(try await database.runtime.read("SELECT name FROM items", as: String.self) == ["x"])
        }
    }

    @Test func theTransactionCannotBeEndedFromInside() async throws {
        try await withItems { database in
            for text in ["COMMIT", "ROLLBACK", "BEGIN", "/* hidden */ COMMIT"] {
                let error = try await databaseError {
                    try await database.runtime.transaction { transaction in
                        try transaction.write("SELECT 1")
                        try transaction.write(Query(stringLiteral: text))
                    }
                }
                #expect(error?.kind == .misuse)
            }
            #expect(try await database.runtime.writeFirst("SELECT 1") == 1)
        }
    }

    @Test func pipelinedStatementsAreOneTransaction() async throws {
        try await withItems { database in
            let counts = try await database.runtime.transaction { transaction in
                try transaction.pipeline([
                    "INSERT INTO items (id) VALUES (1), (2)", "UPDATE items SET amount = 1", "DELETE FROM items WHERE id = \(2)",
                ])
            }
            #expect(counts == [2, 2, 1])
            let error = try await databaseError {
                try await database.runtime.transaction { transaction in
                    try transaction.pipeline([
                        "INSERT INTO items (id) VALUES (3)", "INSERT INTO items (id) VALUES (1)", "DELETE FROM items",
                    ])
                }
            }
            #expect(error?.isUniqueViolation == true)
            #expect(try await database.runtime.read("SELECT id FROM items", as: Int.self) == [1])
        }
    }

    @Test func writesAllAreOneTransactionInOneRoundTrip() async throws {
        try await withItems { database in
            #expect(
                try await database.runtime.write(all: ["INSERT INTO items (id) VALUES (1)", "UPDATE items SET amount = \(4)"]) == [1, 1]
            )
            let unique = try await databaseError {
                try await database.runtime.write(all: ["INSERT INTO items (id) VALUES (2)", "INSERT INTO items (id) VALUES (1)"])
            }
            #expect(unique?.isUniqueViolation == true)
            let deferred = try await databaseError {
                try await database.runtime.write(all: ["INSERT INTO items (id, parent) VALUES (3, 99)", "UPDATE items SET amount = 5"])
            }
            #expect(deferred?.isForeignKeyViolation == true)
            #expect(try await database.runtime.read("SELECT amount FROM items", as: Int.self) == [4])
        }
    }

    @Test func aConstraintThatFailsAtCommitFailsTheTransaction() async throws {
        try await withItems { database in
            let error = try await databaseError {
                try await database.runtime.transaction { transaction in
                    try transaction.write("INSERT INTO items (id, parent) VALUES (1, 99)")
                }
            }
            #expect(error?.constraint == "items_parent_known")
            #expect(try await database.runtime.writeFirst("SELECT count(*) FROM items") == 0)
        }
    }

    @Test func serializationFailuresAreRetriedWhereAsked() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (id, amount) VALUES (1, 1), (2, 1)")
            let (meeting, attempts) = (Meeting(2), Counter())
            // Each reads both rows and writes one: serially, the second must see the first's write.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in [1, 2] {
                    group.addTask {
                        try await database.runtime.transaction(isolation: .serializable, retry: .onConflict(attempts: 10)) { transaction in
                            let isFirst = attempts.increment() <= 2
                            let sum: Int? = try transaction.first("SELECT sum(amount)::bigint FROM items")
                            if isFirst { meeting.meet() }
                            try transaction.write("UPDATE items SET amount = \(sum ?? 0) WHERE id = \(id)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(attempts.count >= 3)
            #expect(try await database.runtime.read("SELECT amount FROM items ORDER BY amount", as: Int.self) == [2, 3])
        }
    }

    @Test func withoutRetryTheConflictIsReported() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (id, amount) VALUES (1, 1)")
            let error = try await databaseError {
                try await database.runtime.transaction(isolation: .repeatableRead) { transaction in
                    _ = try transaction.first("SELECT amount FROM items", as: Int.self)
                    let other = DispatchSemaphore(value: 0)
                    Task {
                        _ = try? await database.owner.write("UPDATE items SET amount = 2")
                        other.signal()
                    }
                    other.wait()
                    try transaction.write("UPDATE items SET amount = 3")
                }
            }
            #expect(error?.sqlState == "40001")
            #expect(error?.isRetryable == true)
        }
    }

    @Test func deadlocksAreRetriedWhereAsked() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (id) VALUES (1), (2)")
            let (meeting, attempts) = (Meeting(2), Counter())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (first, second) in [(1, 2), (2, 1)] {
                    group.addTask {
                        try await database.runtime.transaction(retry: .onConflict(attempts: 5)) { transaction in
                            let isFirst = attempts.increment() <= 2
                            try transaction.write("UPDATE items SET amount = amount + 1 WHERE id = \(first)")
                            if isFirst { meeting.meet() }
                            try transaction.write("UPDATE items SET amount = amount + 1 WHERE id = \(second)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(attempts.count == 3)
            #expect(try await database.runtime.read("SELECT amount FROM items", as: Int.self) == [2, 2])
        }
    }

    @Test func retriesEnd() async throws {
        try await withItems { database in
            let attempts = Counter()
            let error = try await databaseError {
                try await database.runtime.transaction(retry: .onConflict(attempts: 3)) { transaction in
                    attempts.increment()
                    try transaction.write("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$")
                }
            }
            #expect(error?.sqlState == "40001")
            #expect(attempts.count == 3)
        }
    }

    @Test func aChangedTableDoesNotBreakTheFirstStatements() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.writeConnections = 1 }) { client in
                try await client.write("INSERT INTO items (amount) VALUES (5)")
                let read = { @Sendable (transaction: Transaction) in try transaction.first("SELECT amount FROM items", as: Int.self) }
                #expect(try await client.transaction(read) == 5)
                try await database.owner.write("ALTER TABLE items ALTER COLUMN amount TYPE integer")
                #expect(try await client.transaction(read) == 5)
                try await database.owner.write("ALTER TABLE items ALTER COLUMN amount TYPE bigint")
                #expect(try await client.writeFirst("SELECT amount FROM items") == 5)
            }
        }
    }

    @Test func anEmptyTransactionSendsNothing() async throws {
        try await withItems { database in
            let value = try await database.runtime.transaction { _ in 7 }
            #expect(value == 7)
            #expect(try await database.runtime.transaction { try $0.pipeline([]) } == [])
            #expect(try await database.runtime.write(all: []) == [])
        }
    }
}

@Suite struct CopyTests {
    @Test func oddTextArrivesAsItIs() async throws {
        try await withItems { database in
            let odd: [String?] = [
                "tab\there", "line\nline\r\n", "back\\slash", "\\N", "\\.", nil, "", "ünï☃", "\u{1}\u{8}\u{B}", " lead", "'\"",
            ]
            let copied = try await database.runtime.transaction { transaction in
                try transaction.copy(into: "items", columns: ["id", "name"], rows: odd.enumerated().map { [$0.offset, $0.element] })
            }
            #expect(copied == odd.count)
            struct Name: RowDecodable {
                var name: String?
                init(row: Row) throws { self.name = try row.get("name") }
            }
            #expect(try await database.runtime.read("SELECT name FROM items ORDER BY id", as: Name.self).map(\.name) == odd)
        }
    }

    @Test func aLazyStreamOfManyRowsPasses() async throws {
        try await withItems { database in
            let copied = try await database.runtime.transaction { transaction in
                let before = try transaction.write("INSERT INTO items (id) VALUES (0)")
                let copied = try transaction.copy(
                    into: "items",
                    columns: ["id", "amount", "name"],
                    rows: (1...100_000).lazy.map { (number: Int) in [number, 2, "row \(number)"] }
                )
                return before + copied
            }
            #expect(copied == 100_001)
            #expect(try await database.runtime.readFirst("SELECT sum(amount)::bigint FROM items") == 200_000)
        }
    }

    @Test func aRefusedRowFailsTheWholeCopyAndTheConnectionLives() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.writeConnections = 1 }) { client in
                let unique = try await databaseError {
                    try await client.transaction { transaction in
                        try transaction.copy(into: "items", columns: ["id"], rows: (0..<50_000).lazy.map { [$0 % 40_000] })
                    }
                }
                #expect(unique?.isUniqueViolation == true)
                let unreadable = try await databaseError {
                    try await client.transaction { try $0.copy(into: "items", columns: ["id"], rows: [["hunter2"]]) }
                }
                #expect(unreadable?.sqlState == "22P02")
                #expect(unreadable?.description.contains("hunter2") == false)
                let columns = try await databaseError {
                    try await client.transaction { try $0.copy(into: "items", columns: ["id"], rows: [[1], [1, 2]]) }
                }
                #expect(columns?.kind == .misuse)
                let nul = try await databaseError {
                    try await client.transaction { try $0.copy(into: "items", columns: ["name"], rows: [["a\u{0}b"]]) }
                }
                #expect(nul?.kind == .misuse)
                let table = try await databaseError {
                    try await client.transaction { try $0.copy(into: "nowhere", columns: ["id"], rows: [[1]]) }
                }
                #expect(table?.sqlState == "42P01")
                #expect(try await client.writeFirst("SELECT count(*) FROM items") == 0)
                #expect(try await client.transaction { try $0.copy(into: "items", columns: ["id"], rows: [[(any SQLEncodable)?]]()) } == 0)
            }
        }
    }
}
