import Database
import Models

/// Budgets of attempts, shared by all replicas.
struct AttemptStore: Sendable {
    let database: Postgres

    /// Takes one attempt from each budget before the attempt is made, so that many at once are counted too; takes from none where one is spent.
    /// - Throws: ``Problem`` of kind `tooManyAttempts` with the seconds to wait.
    func charge(_ budgets: [AttemptBudget]) async throws {
        // Most refusals end here, without a write.
        if let wait = try await self.wait(budgets) { throw Self.refusal(wait) }
        try await self.database.transaction { try self.charge(budgets, $0) }
    }

    func charge(_ budgets: [AttemptBudget], _ transaction: Transaction) throws {
        if let wait = try self.spend(budgets, transaction) { throw Self.refusal(wait) }
    }

    /// As ``charge(_:_:)``, for what goes on without a word where the budget is spent.
    func take(_ budgets: [AttemptBudget], _ transaction: Transaction) throws -> Bool { try self.spend(budgets, transaction) == nil }

    /// Gives back what a right attempt had taken.
    func refund(_ budgets: [AttemptBudget], _ transaction: Transaction) throws {
        let budgets = budgets.sorted { $0.key < $1.key }
        try transaction.write(
            """
            INSERT INTO attempt_limits AS budget (key, spent_until)
            SELECT taken.key, now() - make_interval(secs => taken.seconds)
            FROM unnest(\(budgets.map(\.key))::text[], \(budgets.map { Double($0.rule.interval) })::float8[]) AS taken (key, seconds)
            ORDER BY taken.key
            ON CONFLICT (key) DO UPDATE SET spent_until = budget.spent_until + (excluded.spent_until - now())
            """
        )
    }

    /// Makes budgets whole again.
    func clear(_ budgets: [AttemptBudget], _ transaction: Transaction) throws {
        try transaction.write("DELETE FROM attempt_limits WHERE key = ANY(\(budgets.map(\.key))::text[])")
    }

    static func refusal(_ wait: Double) -> Problem {
        Problem(.tooManyAttempts, "Too many attempts. Wait before the next one.", retryAfter: max(1, Int(wait.rounded(.up))))
    }

    /// - Returns: seconds until all budgets have one attempt left; nil where they have.
    private func wait(_ budgets: [AttemptBudget]) async throws -> Double? {
        let marks = try await self.database.read(
            """
            SELECT key, EXTRACT(EPOCH FROM spent_until - now())::float8 AS ahead FROM attempt_limits
            WHERE key = ANY(\(budgets.map(\.key))::text[])
            """,
            as: AttemptMark.self
        )
        return Self.longestWait(
            budgets,
            marks.map { mark in
                let interval = budgets.first { $0.key == mark.key }?.rule.interval ?? 0
                return AttemptMark(key: mark.key, ahead: max(0, mark.ahead) + Double(interval))
            }
        )
    }

    /// Moves every mark on, in the order of keys, so that two who share budgets wait for one another instead of blocking. A refusal takes it back.
    private func spend(_ budgets: [AttemptBudget], _ transaction: Transaction) throws -> Double? {
        let marks = try transaction.rows(
            """
            INSERT INTO attempt_limits AS budget (key, spent_until)
            SELECT taken.key, now() + make_interval(secs => taken.seconds)
            FROM unnest(\(budgets.map(\.key))::text[], \(budgets.map { Double($0.rule.interval) })::float8[]) AS taken (key, seconds)
            ORDER BY taken.key
            ON CONFLICT (key) DO UPDATE
            SET spent_until = GREATEST(budget.spent_until, now()) + (excluded.spent_until - now())
            RETURNING key, EXTRACT(EPOCH FROM spent_until - now())::float8 AS ahead
            """,
            as: AttemptMark.self
        )
        let wait = Self.longestWait(budgets, marks)
        if wait != nil { try self.refund(budgets, transaction) }
        return wait
    }

    /// - marks: how far ahead of now each budget is once this attempt is counted.
    static func longestWait(_ budgets: [AttemptBudget], _ marks: [AttemptMark]) -> Double? {
        let waits = marks.compactMap { mark -> Double? in
            guard let rule = budgets.first(where: { $0.key == mark.key })?.rule else { return nil }
            // Times are kept in microseconds: what is less is no wait.
            let excess = mark.ahead - Double(rule.burst * rule.interval)
            return excess > 0.001 ? excess : nil
        }
        return waits.max()
    }
}

struct AttemptMark: RowDecodable {
    var key: String
    /// Seconds.
    var ahead: Double
}

extension AttemptMark {
    init(row: Row) throws {
        self.key = try row.get("key")
        self.ahead = try row.get("ahead")
    }
}
