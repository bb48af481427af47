import CLibPQ
import Glibc

/// Begin, closure, commit, on the connection's own thread, as often as its caller allows.
struct TransactionRun {
    let session: Session
    let job: WriteJob
    let isolation: Postgres.Isolation
    let attempts: Int

    /// - Returns: the closure's value and the channels to notify.
    func run<T>(_ body: (Transaction) throws -> T) throws -> (T, Set<String>) {
        var attempt = 1
        while true {
            let transaction = Transaction(self.session, job: self.job, isolation: self.isolation)
            do {
                let value = try body(transaction)
                transaction.close()
                try transaction.commit()
                return (value, transaction.channels)
            } catch {
                transaction.close()
                transaction.rollback()
                // The closure may have put its own error in the place of the conflict.
                let conflict = transaction.failure?.isRetryable == true || (error as? DatabaseError)?.isRetryable == true
                guard conflict, attempt < self.attempts, !self.session.isBroken, !self.job.isCancelling else { throw error }
                Self.pause(attempt)
                attempt += 1
                let job = self.job
                self.session.isInterrupted = { job.isCancelling }
            }
        }
    }

    /// A few milliseconds with jitter, so that the parties of a conflict do not meet again at once.
    private static func pause(_ attempt: Int) {
        usleep(UInt32.random(in: 500...2_000) * UInt32(min(attempt, 10)))
    }

    /// BEGIN, all statements and COMMIT in one group: one round trip.
    static func all(_ queries: [Query], session: Session, job: WriteJob) throws -> [Int] {
        let outcomes = session.run([["BEGIN"] + queries + ["COMMIT"]])[0]
        if !session.isBroken, session.connection.transactionStatus != PQTRANS_IDLE {
            guard case .done = session.run("ROLLBACK") else {
                session.giveUp("the refused transaction's end is unknown")
                throw DatabaseError.broken(session.fault)
            }
        }
        var counts: [Int] = []
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .done(let result): counts.append(result.affectedRows)
            case .failed(let error) where error.isStalePlan:
                session.forget((["BEGIN"] + queries + ["COMMIT"])[index])
                return try Self.unprepared(queries, session: session, job: job)
            case .failed(let error) where !error.endsConnection:
                throw error.sqlState == DatabaseError.queryCanceled && job.isCancelling ? .cancelled : error
            case .failed(let error): throw DatabaseError.lost(error.detail)
            case .aborted, .lost: throw DatabaseError.lost(session.fault)
            }
        }
        return Array(counts.dropFirst().dropLast())
    }

    /// Step by step: for the rare case that a kept plan went stale.
    private static func unprepared(_ queries: [Query], session: Session, job: WriteJob) throws -> [Int] {
        try TransactionRun(session: session, job: job, isolation: .readCommitted, attempts: 1).run { try $0.pipeline(queries) }.0
    }
}
