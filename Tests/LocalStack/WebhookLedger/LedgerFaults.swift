import Foundation
import Models
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Kills and restarts at the parts of the run that the plan names, and notes what was in flight at each.
final class LedgerFaults: Sendable {
    /// Many times as long as the receiver takes for an answer.
    private static let arrival = Duration.milliseconds(250)

    private let stack: Stack
    private let book: LedgerBook
    private let database: LedgerDatabase
    private let events: Int
    private let struck = Mutex<[LedgerStrike]>([])
    /// Claims that the last fault left.
    private let held = Mutex<Set<LedgerDatabase.Claim>>([])

    init(stack: Stack, book: LedgerBook, database: LedgerDatabase, events: Int) {
        self.stack = stack
        self.book = book
        self.database = database
        self.events = events
    }

    var strikes: [LedgerStrike] { self.struck.withLock { $0 } }

    func run(_ faults: [(at: Double, fault: LedgerFault)]) async throws {
        for (at, fault) in faults {
            while Double(self.book.taken) < at * Double(self.events) { try await Task.sleep(for: .milliseconds(10)) }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...300)))
            switch fault {
            case .kill: try await self.kill()
            case .restartFast: try await self.strike(fault) { try await self.restart(.fast, &$0) }
            case .restartImmediate: try await self.strike(fault) { try await self.restart(.immediate, &$0) }
            }
        }
    }

    /// - look: what there is to see while the service is away, when nothing changes any more.
    @discardableResult
    func kill(whileAway look: () async throws -> Void = {}) async throws -> LedgerStrike {
        try await self.strike(.kill) { strike in
            await self.stack.kill(.webhooks)
            try await self.database.waitUntilAlone()
            // What it had sent lies at the receiver, unread or not answered yet: in flight, too.
            try await Task.sleep(for: Self.arrival)
            try await self.note(&strike, until: nil)
            try await look()
            try await self.stack.launch(.webhooks)
            try await self.stack.waitUntilReady(.webhooks)
        }
    }

    @discardableResult
    private func strike(_ fault: LedgerFault, _ body: (inout LedgerStrike) async throws -> Void) async throws -> LedgerStrike {
        let start = ContinuousClock.now
        var strike = LedgerStrike(fault: fault, taken: self.book.taken)
        try await body(&strike)
        strike.seconds = (ContinuousClock.now - start) / .seconds(1)
        self.struck.withLock { [strike] in $0.append(strike) }
        return strike
    }

    /// The process lives on and settles what it can, so this counts more than will be repeated.
    private func restart(_ mode: PostgresCluster.StopMode, _ strike: inout LedgerStrike) async throws {
        try await self.stack.postgres.stop(mode)
        try await Task.sleep(for: .milliseconds(Int.random(in: 200...1500)))
        // Without a database nothing is claimed and nothing settled: what was answered by now was in flight.
        let mark = self.book.mark
        try await self.stack.postgres.start()
        try await self.note(&strike, until: mark)
        try await self.stack.waitUntilReady(.webhooks)
    }

    private func note(_ strike: inout LedgerStrike, until mark: Int?) async throws {
        let claims = try await self.database.claims()
        // What an earlier fault left waits for the end of its lease, and was counted then.
        let fresh = self.held.withLock { held in
            defer { held = claims }
            return claims.subtracting(held)
        }
        strike.claimed = fresh.count
        (strike.begun, strike.answered) = self.book.excuse(fresh.map(\.event), until: mark ?? self.book.mark)
    }
}

/// One fault, and what it met.
package struct LedgerStrike: Sendable {
    package var fault: LedgerFault
    /// Events that had been taken by then.
    package var taken: Int
    /// Deliveries that were claimed since the fault before, and not settled once this one was over.
    package var claimed = 0
    /// Those of them that the receiver had been given, and those that it had answered 200.
    package var begun = 0
    package var answered = 0
    /// Until the service was ready again.
    package var seconds = 0.0
}
