import CLibPQ

/// One thread of the write lane: keeps a connection up and runs jobs on it.
final class WriteWorker: Sendable {
    let waker = Waker()
    private let lane: WriteLane

    /// How much longer than the server's own time-out its silence is borne.
    private static let grace: Duration = .seconds(2)

    init(lane: WriteLane) { self.lane = lane }

    /// The thread's life.
    func run() {
        var backoff = Backoff()
        while self.lane.isRunning {
            do throws(DatabaseError) {
                let connection = try Connection.open(self.lane.parameters)
                self.lane.health.connected()
                backoff.reset()
                let configuration = self.lane.configuration
                let session = Session(
                    connection,
                    cacheSize: configuration.statementCacheSize,
                    waker: self.waker,
                    patience: configuration.writeTimeout + Self.grace
                )
                self.serve(session)
                self.lane.leave(self)
            } catch {
                self.lane.health.failed(error)
                self.sleep(backoff.next())
            }
        }
    }

    private func sleep(_ duration: Duration) {
        let end = Monotonic.now + duration
        while self.lane.isRunning, Monotonic.now < end {
            if self.waker.wait(until: end) { self.waker.drain() }
        }
    }

    private func serve(_ session: Session) {
        while let jobs = self.lane.next(for: self) {
            // Looked at with the jobs in hand: between an earlier look and the sending this thread may have stood still for long.
            guard session.checkAlive() else { return self.lane.giveBack(jobs) }
            guard !jobs.isEmpty else {
                let ready = session.connection.wait(waker: self.waker, until: .distantFuture)
                if ready.waker { self.waker.drain() }
                continue
            }
            let begun = jobs.filter { $0.begin(self.waker) }
            if begun.first?.query != nil {
                self.runStatements(begun, session)
            } else {
                for job in begun { self.runBody(job, session) }
            }
            session.isInterrupted = { false }
            session.tidy()
        }
    }

    /// Independent writes in one flight, a Sync each: none shares another's transaction.
    private func runStatements(_ jobs: [WriteJob], _ session: Session) {
        let lane = self.lane
        // One caller's cancellation must not end another's statement: only a flight of one is cancelled on the server.
        session.isInterrupted = { lane.isStopped || (jobs.count == 1 && jobs[0].isCancelling) }
        let outcomes = session.run(jobs.compactMap { $0.query.map { [$0] } }).map { $0[0] }
        let leaked = !session.isBroken && session.connection.transactionStatus != PQTRANS_IDLE
        if leaked { session.giveUp("a statement left a transaction open") }
        for (job, outcome) in zip(jobs, outcomes) {
            job.finish(Result { try self.settle(leaked ? .lost : outcome, job, session) })
        }
    }

    private func settle(_ outcome: Outcome, _ job: WriteJob, _ session: Session) throws -> ResultBox {
        guard let error = outcome.error, error.isStalePlan, let query = job.query else {
            return try Self.confirm(outcome, job, session)
        }
        session.forget(query)
        return try Self.confirm(session.run([[query]], isPrepared: false)[0][0], job, session)
    }

    private static func confirm(_ outcome: Outcome, _ job: WriteJob, _ session: Session) throws -> ResultBox {
        switch outcome {
        case .done(let result): return result
        case .failed(let error) where error.endsConnection: throw DatabaseError.lost(error.detail)
        case .failed(let error): throw error.sqlState == DatabaseError.queryCanceled && job.isCancelling ? .cancelled : error
        case .aborted, .lost: throw DatabaseError.lost(session.fault)
        }
    }

    private func runBody(_ job: WriteJob, _ session: Session) {
        guard case .body(let body) = job.work else { return }
        let lane = self.lane
        session.isInterrupted = { lane.isStopped || job.isCancelling }
        job.finish(
            Result {
                try body(session, job)
                return nil
            }
        )
    }
}
