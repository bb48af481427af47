import Database
import Foundation
import Models
import TestSupport
import Testing

@Suite struct NotificationTests {
    @Test func aListenerHearsFromTheMomentThatItIsTold() async throws {
        try await withItems { database in
            var heard = database.runtime.listen(["a", "Odd \"Name\""]).makeAsyncIterator()
            #expect(await heard.next() == .reconnected)
            try await database.owner.write("SELECT pg_notify('a', 'one')")
            #expect(await heard.next() == .received(channel: "a", payload: "one"))
            try await database.owner.write("SELECT pg_notify('other', 'two')")
            database.owner.notify("Odd \"Name\"")
            #expect(await heard.next() == .received(channel: "Odd \"Name\"", payload: ""))
        }
    }

    @Test func twoListenersEachHearTheirOwnChannels() async throws {
        try await withItems { database in
            var first = database.runtime.listen(["a"]).makeAsyncIterator()
            #expect(await first.next() == .reconnected)
            var second = database.runtime.listen(["b"]).makeAsyncIterator()
            #expect(await second.next() == .reconnected)
            try await database.runtime.write(all: ["SELECT pg_notify('a', '1')", "SELECT pg_notify('b', '2')"])
            #expect(await first.next() == .received(channel: "a", payload: "1"))
            #expect(await second.next() == .received(channel: "b", payload: "2"))
        }
    }

    @Test func underLoadEveryNotificationComesInOrder() async throws {
        try await withItems { database in
            let stream = database.runtime.listen(["load"])
            async let received: [String] = {
                var payloads: [String] = []
                for await case .received(_, let payload) in stream {
                    payloads.append(payload)
                    if payload == "1000" { break }
                }
                return payloads
            }()
            try await database.withAdministrator { administrator in
                try await eventually("the listener listens") {
                    try await administrator.readFirst(
                        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                    )
                        == 1
                }
            }
            for batch in 0..<10 {
                try await database.owner.write(
                    "SELECT pg_notify('load', i::text) FROM generate_series(\(batch * 100 + 1)::bigint, \(batch * 100 + 100)::bigint) AS i"
                )
                async let load = database.runtime.read("SELECT i FROM generate_series(1, 10000) AS i", as: Int.self)
                _ = try await load
            }
            #expect(await received == (1...1000).map(String.init))
        }
    }

    @Test func burstsAreCoalescedAndTheLastIsNotLost() async throws {
        try await withItems { database in
            var heard = database.runtime.listen(["nudge"]).makeAsyncIterator()
            #expect(await heard.next() == .reconnected)
            let began = ContinuousClock.now
            for _ in 0..<5000 { database.owner.notify("nudge") }
            // The first goes at once and the last at its window's end, however long the machine takes for it.
            for _ in 1...2 { #expect(await heard.next() == .received(channel: "nudge", payload: "")) }
            try await database.owner.write("SELECT pg_notify('nudge', 'end')")
            let windows = (ContinuousClock.now - began) / .milliseconds(20)
            var count = 2
            while let next = await heard.next(), next != .received(channel: "nudge", payload: "end") { count += 1 }
            #expect(Double(count) <= windows + 2)
        }
    }

    @Test func aNotificationOfATransactionIsSentOnlyWhenItCommits() async throws {
        try await withItems { database in
            var heard = database.runtime.listen(["yes", "no"]).makeAsyncIterator()
            #expect(await heard.next() == .reconnected)
            _ = try? await database.runtime.transaction { transaction in
                try transaction.notify("no")
                try transaction.write("SELECT 1 / 0")
            }
            try await database.runtime.transaction { transaction in
                try transaction.write("INSERT INTO items (id) VALUES (1)")
                try transaction.notify("yes")
            }
            #expect(await heard.next() == .received(channel: "yes", payload: ""))
        }
    }

    @Test func aSlowListenerIsToldThatItMissedSome() async throws {
        try await withItems { database in
            let stream = database.runtime.listen(["flood"])
            try await database.withAdministrator { administrator in
                try await eventually("the listener listens") {
                    try await administrator.readFirst(
                        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                    )
                        == 1
                }
            }
            try await database.owner.write("SELECT pg_notify('flood', i::text) FROM generate_series(1, 5000) AS i")
            var probe = database.runtime.listen(["probe"]).makeAsyncIterator()
            #expect(await probe.next() == .reconnected)
            // Notifications come in order: when this one is here, the flood is in the buffer.
            try await database.owner.write("SELECT pg_notify('probe', '')")
            #expect(await probe.next() == .received(channel: "probe", payload: ""))
            var (received, losses) = (0, 0)
            for await notification in stream {
                if case .received(_, let payload) = notification {
                    received += 1
                    if payload == "5000" { break }
                } else {
                    losses += 1
                }
            }
            #expect(received <= 1024)
            #expect(losses >= 1)
        }
    }

    @Test func aBrokenListenerComesBackAndSaysSo() async throws {
        try await withItems { database in
            try await database.withAdministrator { administrator in
                var heard = database.runtime.listen(["a"]).makeAsyncIterator()
                #expect(await heard.next() == .reconnected)
                try await administrator.terminate("LISTEN")
                #expect(await heard.next() == .reconnected)
                database.owner.notify("a")
                #expect(await heard.next() == .received(channel: "a", payload: ""))
            }
        }
    }
}
