import Foundation
import Models
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Kills webhooks twice in a replay: in the middle of a page at a quarter of the deliveries made, and with deliveries under way at half of them
/// succeeded. Notes each time what had succeeded by then.
final class ReplayKills: Sendable {
    /// Looks for what a kill is to meet. A page takes a small part of the time between two.
    private static let looks = 300
    static let count = 2

    private let stack: Stack
    private let book: LedgerBook
    private let database: LedgerDatabase
    private let faults: LedgerFaults
    private let replay: Int64
    private let events: Int
    private let struck = Mutex<[ReplayStrike]>([])

    init(stack: Stack, book: LedgerBook, database: LedgerDatabase, replay: Int64, events: Int) {
        self.stack = stack
        self.book = book
        self.database = database
        self.faults = LedgerFaults(stack: stack, book: book, database: database, events: events)
        self.replay = replay
        self.events = events
    }

    var strikes: [ReplayStrike] { self.struck.withLock { $0 } }

    func run() async throws {
        while try await self.database.made(by: self.replay) < self.events / 4 { try await Task.sleep(for: .milliseconds(50)) }
        try await self.kill("a quarter made", cutsPage: try await self.freeze { try await self.database.hasOpenPage() })
        while self.book.taken < self.events / 2 { try await Task.sleep(for: .milliseconds(10)) }
        _ = try await self.freeze { try await !self.database.claims().isEmpty }
        try await self.kill("half succeeded", cutsPage: try await self.database.hasOpenPage())
    }

    /// Stops the process again and again until it stands where a kill is to meet it.
    /// - Returns: whether it stands there. Where it does not, it runs.
    private func freeze(where isThere: () async throws -> Bool) async throws -> Bool {
        let process = await self.stack.process(.webhooks)
        for _ in 0..<Self.looks {
            process?.signal(SIGSTOP)
            // What had been sent to Postgres is done by now.
            try await Task.sleep(for: .milliseconds(30))
            if try await isThere() { return true }
            process?.signal(SIGCONT)
            try await Task.sleep(for: .milliseconds(Int.random(in: 5...60)))
        }
        return false
    }

    private func kill(_ moment: String, cutsPage: Bool) async throws {
        var (made, succeeded) = (0, 0)
        let strike = try await self.faults.kill {
            let ids = try await self.database.succeeded(in: self.replay)
            self.book.succeeded(ids)
            (made, succeeded) = (try await self.database.made(by: self.replay), ids.count)
        }
        let told = ReplayStrike(strike: strike, moment: moment, cutsPage: cutsPage, made: made, succeeded: succeeded)
        self.struck.withLock { $0.append(told) }
    }
}

/// One kill, and what it met.
struct ReplayStrike: Sendable {
    var strike: LedgerStrike
    var moment: String
    /// A page of deliveries was written, and not committed.
    var cutsPage: Bool
    /// Of the replay's deliveries, those made and those that had succeeded.
    var made: Int
    var succeeded: Int
}
