import Database
import Foundation
import Models
import TestSupport
import Testing

@Suite struct WriteLaneTests {
    @Test func oneWritersErrorLeavesTheOthersWrites() async throws {
        try await withItems { database in
            // One connection: what queues behind the first is sent in flights.
            try await withClient(database.urls.runtime, { $0.writeConnections = 1 }) { client in
                try await Gate.closed(database) { gate in
                    async let first: Int = client.write("SELECT 1 FROM \(raw: Gate.passing)")
                    try await gate.waitForArrival()
                    let waiting = Counter()
                    async let written = withTaskGroup(of: Bool.self) { group in
                        for number in 0..<100 {
                            group.addTask {
                                waiting.increment()
                                let amount = number % 10 == 3 ? -1 : number
                                return (try? await client.write("INSERT INTO items (id, amount) VALUES (\(number), \(amount))")) == 1
                            }
                        }
                        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                    }
                    try await eventually("all have asked") { waiting.count == 100 }
                    try await gate.open()
                    _ = try await first
                    #expect(await written == 90)
                    #expect(try await client.readFirst("SELECT count(*) FROM items") == 90)
                }
            }
        }
    }

    @Test func affectedRowsAndReturnedRowsAreToldApart() async throws {
        try await withItems { database in
            #expect(try await database.runtime.write("INSERT INTO items (name) SELECT 'n' || i FROM generate_series(1, 3) AS i") == 3)
            #expect(try await database.runtime.write("UPDATE items SET amount = 1 WHERE name = \("n9")") == 0)
            let ids = try await database.runtime.write("DELETE FROM items RETURNING name", as: String.self)
            #expect(ids.sorted() == ["n1", "n2", "n3"])
            #expect(try await database.runtime.writeFirst("DELETE FROM items RETURNING id", as: Int.self) == nil)
        }
    }

    @Test func aDeferredConstraintFailsTheLoneWriteAtItsCommit() async throws {
        try await withItems { database in
            let error = try await databaseError { try await database.runtime.write("INSERT INTO items (id, parent) VALUES (1, 99)") }
            #expect(error?.isForeignKeyViolation == true)
            #expect(error?.constraint == "items_parent_known")
            #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == 0)
        }
    }

    @Test func aSlowWriteIsEndedByTheServer() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.writeTimeout = .seconds(1) }) { client in
                let error = try await databaseError { try await client.write("SELECT pg_sleep(20)") }
                #expect(error?.kind == .timedOut)
                #expect(try await client.writeFirst("SELECT 2") == 2)
            }
        }
    }

    @Test func aCancelledWriteIsCancelledOnTheServer() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                let write = Task { try await database.runtime.write("INSERT INTO items (name) SELECT 'x' FROM pg_sleep(60)") }
                try await administrator.waitUntilRunning("pg_sleep(60)")
                write.cancel()
                let error = try await databaseError { try await write.value }
                #expect(error?.kind == .cancelled)
                #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == 0)
                #expect(try await database.runtime.writeFirst("SELECT 1") == 1)
            }
        }
    }

    @Test func aCancelledTransactionIsRolledBack() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                let write = Task {
                    try await database.runtime.transaction { transaction in
                        try transaction.write("INSERT INTO items (name) VALUES ('x')")
                        try transaction.write("SELECT pg_sleep(61)")
                    }
                }
                try await administrator.waitUntilRunning("pg_sleep(61)")
                write.cancel()
                let error = try await databaseError { try await write.value }
                #expect(error?.kind == .cancelled)
                #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == 0)
            }
        }
    }

    @Test func aWriterWhoWaitsTooLongIsToldThatNothingHappened() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { ($0.writeConnections, $0.waitLimit) = (1, .seconds(1)) }) { client in
                try await client.waitUntilConnected()
                try await Gate.closed(database) { gate in
                    async let first = client.write("SELECT 1 FROM \(raw: Gate.passing)")
                    try await gate.waitForArrival()
                    let error = try await databaseError { try await client.write("INSERT INTO items (name) VALUES ('late')") }
                    #expect(error?.kind == .unavailable)
                    try await gate.open()
                    _ = try await first
                }
                let count = try await database.runtime.readFirst("SELECT count(*) FROM items", as: Int.self)
                #expect(count == 0)
            }
        }
    }

    @Test func aCancelledWaiterNeverBegins() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.writeConnections = 1 }) { client in
                try await Gate.closed(database) { gate in
                    async let first = client.write("SELECT 1 FROM \(raw: Gate.passing)")
                    try await gate.waitForArrival()
                    let second = Task { try await client.write("INSERT INTO items (name) VALUES ('late')") }
                    second.cancel()
                    let error = try await databaseError { try await second.value }
                    #expect(error?.kind == .cancelled)
                    try await gate.open()
                    _ = try await first
                    #expect(try await client.readFirst("SELECT count(*) FROM items") == 0)
                }
            }
        }
    }

    @Test func aWriteWhoseConnectionBreaksHasAnUnknownFate() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                let write = Task { try await database.runtime.write("SELECT pg_sleep(62)") }
                try await administrator.waitUntilRunning("pg_sleep(62)")
                try await administrator.terminate("pg_sleep(62)")
                let error = try await databaseError { try await write.value }
                #expect(error?.kind == .connectionLost)
                #expect(try await database.runtime.writeFirst("SELECT 1") == 1)
            }
        }
    }

    @Test func anUncommittedTransactionWhoseConnectionBreaksHasNotHappened() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                let write = Task {
                    try await database.runtime.transaction { transaction in
                        try transaction.write("INSERT INTO items (name) VALUES ('x')")
                        try transaction.write("SELECT pg_sleep(63)")
                    }
                }
                try await administrator.waitUntilRunning("pg_sleep(63)")
                try await administrator.terminate("pg_sleep(63)")
                let error = try await databaseError { try await write.value }
                #expect(error?.kind == .unavailable)
                #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == 0)
            }
        }
    }

    @Test func afterItsBackendsWereEndedTheNextCallsWork() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                for round in 1...5 {
                    #expect(await database.runtime.ping())
                    let ended = try await administrator.terminate("")
                    #expect(ended >= 2)
                    #expect(try await database.runtime.write("INSERT INTO items (id) VALUES (\(round))") == 1)
                    #expect(try await database.runtime.readFirst("SELECT count(*) FROM items") == round)
                }
            }
        }
    }

    @Test func aTransactionOpenedBehindAComentIsNotLeftOpen() async throws {
        try await withItems { database in
            try await withClient(database.urls.runtime, { $0.writeConnections = 1 }) { client in
                _ = try await databaseError { try await client.write("/* hidden */ BEGIN") }
                try await client.write("INSERT INTO items (id) VALUES (1)")
                #expect(try await client.readFirst("SELECT count(*) FROM items") == 1)
            }
        }
    }

    @Test func callsAfterTheEndAreRefused() async throws {
        try await withItems { database in
            let client = Postgres(TestDatabase.configuration(.campaigns, database.urls.runtime), logger: TestLog.quiet)
            let running = Task { try await client.run() }
            #expect(await client.ping())
            running.cancel()
            try await running.value
            let read = try await databaseError { try await client.readFirst("SELECT 1", as: Int.self) }
            #expect(read?.kind == .unavailable)
            let write = try await databaseError { try await client.write("SELECT 1") }
            #expect(write?.kind == .unavailable)
            for await _ in client.listen(["x"]) { Issue.record("a stream after the end") }
            client.notify("x")
        }
    }

    @Test func gracefulShutdownFinishesWhatWasAcceptedAndTakesNoMore() async throws {
        try await withItems { database in
            let client = Postgres(TestDatabase.configuration(.campaigns, database.urls.runtime), logger: TestLog.quiet)
            try await Gate.closed(database) { gate in
                try await withGracefulRun(of: client) { shutDown in
                    async let written = client.transaction { transaction in
                        try transaction.write("INSERT INTO items (id) SELECT 1 FROM \(raw: Gate.passing)")
                    }
                    async let read: Int? = client.readFirst("SELECT 2 FROM \(raw: Gate.passing)")
                    try await gate.waitForArrival(2)
                    await shutDown()
                    try await eventually("new work is refused") {
                        do {
                            _ = try await client.write("SELECT 1")
                            return false
                        } catch let error as DatabaseError {
                            return error.kind == .unavailable
                        }
                    }
                    try await gate.open()
                    #expect(try await written == 1)
                    #expect(try await read == 2)
                }
            }
            let count = try await database.runtime.readFirst("SELECT count(*) FROM items", as: Int.self)
            #expect(count == 1)
        }
    }

    @Test func aStoppedClientLeavesNoConnectionBehind() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                let query: Query =
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'short-lived' AND datname = current_database()"
                try await withClient(database.urls.runtime, { $0.applicationName = "short-lived" }) { client in
                    #expect(await client.ping())
                    let open = try await administrator.readFirst(query, as: Int.self)
                    #expect(open ?? 0 > 0)
                }
                try await eventually("its connections are closed") { try await administrator.readFirst(query) == 0 }
                // One that nobody ran, and that nobody refers to any more.
                var configuration = TestDatabase.configuration(.campaigns, database.urls.runtime)
                configuration.applicationName = "short-lived"
                #expect(await Postgres(configuration, logger: TestLog.quiet).ping())
                try await eventually("its connections are closed") { try await administrator.readFirst(query) == 0 }
            }
        }
    }
}
