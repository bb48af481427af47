import CLibPQ
import Glibc

/// A transaction in progress, usable only inside its closure.
///
/// After a failed statement the transaction can only be rolled back: a closure that swallows the error gets it again at the next call and at the end.
package final class Transaction {
    private let session: Session
    private let job: WriteJob
    private let isolation: Postgres.Isolation
    private let thread = pthread_self()
    private var hasBegun = false
    private var isOver = false
    private(set) var failure: DatabaseError?
    private(set) var channels: Set<String> = []

    init(_ session: Session, job: WriteJob, isolation: Postgres.Isolation) {
        self.session = session
        self.job = job
        self.isolation = isolation
    }

    /// - Returns: affected rows.
    @discardableResult
    package func write(_ query: Query) throws -> Int { try self.execute([query])[0].affectedRows }

    package func rows<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) throws -> [R] {
        try self.execute([query])[0].rows(as: type)
    }

    package func first<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) throws -> R? {
        try self.execute([query])[0].first(as: type)
    }

    /// All in one round trip; affected rows of each.
    @discardableResult
    package func pipeline(_ queries: [Query]) throws -> [Int] {
        queries.isEmpty ? [] : try self.execute(queries).map(\.affectedRows)
    }

    /// COPY … FROM STDIN. Columns as text, nil for NULL.
    /// - Returns: copied rows.
    @discardableResult
    package func copy(into table: StaticString, columns: [StaticString], rows: some Sequence<[(any SQLEncodable)?]>) throws -> Int {
        try self.check()
        if !self.hasBegun { _ = try self.execute([]) }
        let list = columns.map(\.description).joined(separator: ", ")
        var iterator = rows.makeIterator()
        do {
            let result = try self.session.copy("COPY \(table) (\(list)) FROM STDIN") { buffer in
                try CopyText.fill(&buffer, from: &iterator, columns: columns.count)
            }
            return result.affectedRows
        } catch {
            if self.failure == nil { self.failure = error as? DatabaseError }
            throw error
        }
    }

    /// Is sent, coalesced, once the transaction has committed; never when it was rolled back.
    ///
    /// Not by NOTIFY inside the transaction: Postgres would queue all such commits of the whole cluster behind one lock.
    package func notify(_ channel: String) throws {
        try self.check()
        self.channels.insert(channel)
    }

    private func check() throws(DatabaseError) {
        guard !self.isOver, pthread_equal(self.thread, pthread_self()) != 0 else {
            throw DatabaseError(.misuse, "a transaction was used outside its closure")
        }
        if let failure { throw failure }
        if self.job.isCancelling { throw .cancelled }
    }

    private var begin: Query {
        switch self.isolation {
        case .readCommitted: "BEGIN"
        case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ"
        case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE"
        }
    }

    /// BEGIN travels with the first statements.
    private func execute(_ queries: [Query]) throws(DatabaseError) -> [ResultBox] {
        try self.check()
        for query in queries { try query.validate() }
        let isFirst = !self.hasBegun
        self.hasBegun = true
        let group = isFirst ? [self.begin] + queries : queries
        var outcomes = self.session.run([group])[0]
        if let index = outcomes.firstIndex(where: { $0.error?.isStalePlan == true }) {
            self.session.forget(group[index])
            // Nothing of this transaction has been seen yet: it can begin again with fresh plans.
            if isFirst, case .done = self.session.run("ROLLBACK") { outcomes = self.session.run([group], isPrepared: false)[0] }
        }
        return Array(try self.results(outcomes).dropFirst(isFirst ? 1 : 0))
    }

    private func results(_ outcomes: [Outcome]) throws(DatabaseError) -> [ResultBox] {
        var results: [ResultBox] = []
        var fault: DatabaseError?
        for outcome in outcomes {
            switch outcome {
            case .done(let result): results.append(result)
            case .failed(let error) where error.endsConnection: fault = fault ?? .broken(error.detail)
            case .failed(let error): fault = error
            case .aborted: break
            case .lost: fault = fault ?? .broken(self.session.fault)
            }
        }
        if fault == nil, self.session.connection.transactionStatus != PQTRANS_INTRANS {
            fault = DatabaseError(.misuse, "a statement ended the transaction that it ran in")
        }
        guard let fault else { return results }
        let isOurs = fault.sqlState == DatabaseError.queryCanceled && self.job.isCancelling
        self.failure = isOurs ? .cancelled : fault
        throw isOurs ? .cancelled : fault
    }

    // MARK: The end, called by the lane.

    /// The closure has returned or thrown: from now on every use is refused.
    func close() { self.isOver = true }

    func commit() throws(DatabaseError) {
        if let failure {
            self.rollback()
            throw failure
        }
        guard self.hasBegun else { return }
        if self.job.isCancelling {
            self.rollback()
            throw .cancelled
        }
        // From here the outcome is the server's: a cancel request could no longer say what it did.
        self.session.isInterrupted = { false }
        switch self.session.run("COMMIT") {
        case .done(let result) where result.commandTag == "COMMIT": return
        case .failed(let error) where !error.endsConnection: throw error
        case .done, .aborted: throw DatabaseError(.server, "the transaction was rolled back")
        case .failed(let error): throw DatabaseError.lost(error.detail)
        case .lost: throw DatabaseError.lost(self.session.fault)
        }
    }

    func rollback() {
        guard self.hasBegun, !self.session.isBroken else { return }
        self.session.isInterrupted = { false }
        switch self.session.connection.transactionStatus {
        case PQTRANS_INTRANS, PQTRANS_INERROR: if case .done = self.session.run("ROLLBACK") { return }
        case PQTRANS_IDLE: return
        default: break
        }
        // Its state is unknown: closing the connection rolls back.
        self.session.giveUp("the transaction's end is unknown")
    }
}
