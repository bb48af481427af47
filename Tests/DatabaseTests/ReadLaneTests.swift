import Database
import Foundation
import Models
import TestSupport
import Testing

@Suite struct ReadLaneTests {
    @Test func oneReadersErrorReachesNobodyElseInItsBatch() async throws {
        try await withItems { database in
            try await Gate.closed(database) { gate in
                // The first read keeps the only connection busy, so that the rest become one batch.
                async let first: Int? = database.runtime.readFirst("SELECT 7 FROM \(raw: Gate.passing)")
                try await gate.waitForArrival()
                let waiting = Counter()
                async let answers = withTaskGroup(of: (Int, Result<Int?, any Error>).self) { group in
                    for number in 0..<100 {
                        group.addTask {
                            waiting.increment()
                            do {
                                let divisor = number % 10 == 3 ? 0 : 1
                                return (
                                    number, .success(try await database.runtime.readFirst("SELECT \(number)::bigint / \(divisor)::bigint"))
                                )
                            } catch {
                                return (number, .failure(error))
                            }
                        }
                    }
                    return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                }
                try await eventually("all have asked") { waiting.count == 100 }
                try await gate.open()
                #expect(try await first == 7)
                for (number, answer) in await answers {
                    if number % 10 == 3 {
                        #expect(throws: DatabaseError.self) { try answer.get() }
                    } else {
                        #expect(try answer.get() == number)
                    }
                }
                #expect(await answers.count == 100)
            }
        }
    }

    @Test func aStatementThatCannotBePreparedFailsOnlyItsOwnCallers() async throws {
        try await withItems { database in
            try await Gate.closed(database) { gate in
                async let first: Int? = database.runtime.readFirst("SELECT 7 FROM \(raw: Gate.passing)")
                try await gate.waitForArrival()
                let waiting = Counter()
                async let done: Void = withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<40 {
                        group.addTask {
                            waiting.increment()
                            if number % 4 == 0 {
                                let error = try await databaseError {
                                    try await database.runtime.read("SELECT nothing FROM nowhere", as: Int.self)
                                }
                                #expect(error?.sqlState == "42P01")
                            } else {
                                let answer: Int? = try await database.runtime.readFirst("SELECT \(number)::bigint")
                                #expect(answer == number)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                try await eventually("all have asked") { waiting.count == 40 }
                try await gate.open()
                try await done
                #expect(try await first == 7)
            }
        }
    }

    @Test func injectedTextStaysText() async throws {
        try await withItems { database in
            for evil in ["'; DROP TABLE items; --", "$1", "\\", "\"", "a' OR '1'='1", "%s", "ü\n\t", ""] {
                #expect(try await database.runtime.readFirst("SELECT \(evil)") == evil)
                try await database.runtime.write("INSERT INTO items (name) VALUES (\(evil))")
                #expect(try await database.runtime.readFirst("SELECT count(*) FROM items WHERE name = \(evil)") == 1)
            }
        }
    }

    @Test func theReadLaneCannotWrite() async throws {
        try await withItems { database in
            let error = try await databaseError {
                try await database.runtime.read("INSERT INTO items DEFAULT VALUES RETURNING id", as: Int.self)
            }
            #expect(error?.sqlState == "25006")
        }
    }

    @Test func aSlowReadIsEndedByTheServer() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.readTimeout = .seconds(1) }) { client in
                let error = try await databaseError { try await client.readFirst("SELECT 1 FROM pg_sleep(20)", as: Int.self) }
                #expect(error?.kind == .timedOut)
                #expect(try await client.readFirst("SELECT 2") == 2)
            }
        }
    }

    @Test func aCancelledReaderGetsNoResultAndDisturbsNobody() async throws {
        try await withItems { database in
            try await Gate.closed(database) { gate in
                let slow = Task { try await database.runtime.readFirst("SELECT 1 FROM \(raw: Gate.passing)", as: Int.self) }
                try await gate.waitForArrival()
                async let innocent: Int? = database.runtime.readFirst("SELECT 2")
                slow.cancel()
                let error = try await databaseError { try await slow.value }
                #expect(error?.kind == .cancelled)
                try await gate.open()
                #expect(try await innocent == 2)
            }
        }
    }

    @Test func aReaderCancelledBeforehandSendsNothing() async throws {
        try await withItems { database in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await database.runtime.readFirst("SELECT 1", as: Int.self)
            }
            let error = try await databaseError { try await task.value }
            #expect(error?.kind == .cancelled)
        }
    }

    @Test func tenThousandReadersAreAnsweredEachWithTheirOwn() async throws {
        try await withItems { database in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<10_000 {
                    group.addTask {
                        let answer: Int? = try await database.runtime.readFirst("SELECT \(number)::bigint * 2")
                        return answer == number * 2 ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 10_000)
        }
    }

    @Test func aChangedTableDoesNotBreakKeptStatements() async throws {
        try await withItems { database in
            try await database.runtime.write("INSERT INTO items (amount) VALUES (\(5))")
            let query: Query = "SELECT amount FROM items"
            #expect(try await database.runtime.readFirst(query) == 5)
            try await database.owner.write("ALTER TABLE items ALTER COLUMN amount TYPE integer")
            #expect(try await database.runtime.readFirst(query) == 5)
            #expect(try await database.runtime.readFirst(query) == 5)
        }
    }

    @Test func keptStatementsAreBounded() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.statementCacheSize = 8 }) { client in
                for number in 0..<100 {
                    let query = Query(stringLiteral: "SELECT \(number)")
                    #expect(try await client.readFirst(query) == number)
                    #expect(try await client.writeFirst(query) == number)
                }
                let query: Query = "SELECT count(*) FROM pg_prepared_statements"
                let kept = try #require(try await client.readFirst(query, as: Int.self))
                #expect(kept <= 8 + 16)
                let keptByWriters = try #require(try await client.writeFirst(query, as: Int.self))
                #expect(keptByWriters <= 8 + 16)
            }
        }
    }

    @Test func aReadIsSentAgainWhenItsConnectionBreaks() async throws {
        try await withItems { database in
            try await Gate.closed(database) { gate in
                async let answer: Int? = database.runtime.readFirst("SELECT 5 FROM \(raw: Gate.passing)")
                try await gate.waitForArrival()
                try await database.withAdministrator { administrator in
                    let ended = try await administrator.terminate("pg_advisory_xact_lock_shared")
                    #expect(ended == 1)
                }
                try await gate.waitForArrival()
                try await gate.open()
                #expect(try await answer == 5)
            }
        }
    }

    @Test func aReadThatBreaksEveryConnectionIsGivenUpAndTheLaneLives() async throws {
        try await withItems { database in
            let error = try await databaseError {
                try await database.runtime.read("SELECT pg_terminate_backend(pg_backend_pid())", as: Bool.self)
            }
            #expect(error?.kind == .unavailable)
            #expect(try await database.runtime.readFirst("SELECT 1") == 1)
        }
    }

    @Test func withoutAServerCallersWaitOnlyForTheirLimit() async throws {
        let port = try freePort()
        let url = Secret("postgres://campaigns:test@127.0.0.1:\(port)/nothing")
        try await withClient(url, { $0.waitLimit = .milliseconds(200) }) { client in
            let read = try await databaseError { try await client.readFirst("SELECT 1", as: Int.self) }
            #expect(read?.kind == .unavailable)
            let written = try await databaseError { try await client.write("SELECT 1") }
            #expect(written?.kind == .unavailable)
            #expect(await client.ping() == false)
        }
    }

    @Test func largeResultsAndParametersPass() async throws {
        try await withItems { database in
            let text = String(repeating: "äöü\\\"'\n", count: 200_000)
            #expect(try await database.runtime.readFirst("SELECT \(text)") == text)
            let ids = Array(1...50_000).map(Int64.init)
            let read = try await database.runtime.read("SELECT unnest(\(ids)::bigint[])", as: Int64.self)
            #expect(read == ids)
        }
    }
}
