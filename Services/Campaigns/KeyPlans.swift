import Database

// Statistics know nothing of the campaign that was expanded a moment ago: by them the planner takes its messages for one row, reads them all
// for each message of a batch (26 s for a claim of 250 in 100,000, measured), or looks for the last pending one through the whole table because
// it expects many. The statements of sending therefore name their rows by key, in a form from which no constant can be carried into the
// table's own scan, and are planned each time, without sequential scans.

extension Transaction {
    /// For the rest of this transaction.
    func planByKeys() throws { try self.write(Self.keyPlans) }

    fileprivate static var keyPlans: Query {
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true)"
    }
}

extension Postgres {
    /// One write, planned by keys; the affected rows.
    @discardableResult
    func writeByKeys(_ query: Query) async throws -> Int {
        try await self.transaction { transaction in
            try transaction.pipeline([Transaction.keyPlans, query]).last ?? 0
        }
    }
}
